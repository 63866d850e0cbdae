"""Reading a results folder: the plan, and what each of its runs has left. Damage is named, never counted."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from bottleneck_lab.config import Claim, Design, Tier
from bottleneck_lab.config.ablation import SEPARATOR, Paper
from bottleneck_lab.config.budget import Budget
from bottleneck_lab.config.predictions import PredictionRule, Predictions
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.reading.course import Course, course_of
from bottleneck_lab.runs import files
from bottleneck_lab.runs.checksums import altered, is_altered
from bottleneck_lab.runs.folder import Status
from bottleneck_lab.runs.packed import Place, runs_of
from bottleneck_lab.runs.provenance import data_difference

# A run is damaged if its result cannot be what a training has left: nothing of it is counted.
Condition = Literal[Status, "damaged"]


@dataclass(frozen=True)
class Run:
    """One row of `results.csv`; accuracies are 0 to 1, absent ones None. Measures are of the end."""

    variant: str
    dataset: str
    seed: int
    run: str
    status: Condition
    accuracy: float | None
    loss: float | None
    test_accuracy: float | None
    epochs: int | None
    wall_seconds: float | None
    cpu_seconds: float | None
    reason: str | None
    measures: dict[str, float]

    def value_of(self, measure: str) -> float | None:
        """Its accuracy, or its value of a measure, if it has one."""
        return self.accuracy if measure == "accuracy" else self.measures.get(measure)


@dataclass(frozen=True, order=True)
class Stray:
    """A file of a results folder that is damaged, or not of its ablation: what is in it counts nowhere.

    Args:
        file: its path in the results folder, with `/` between.
        why: it is left out, in words that go on from "FILE: ".
    """

    file: str
    why: str


Curves = dict[str, dict[int, np.ndarray[Any, np.dtype[np.float64]]]]
"""Values by name (`accuracy`, or a measure) and epoch, one for each run that has it."""


class _Ablation(BaseModel):
    name: str
    question: str
    source: str
    reported: str
    against: str
    parts: dict[str, _Part]


class _Part(BaseModel):
    title: str
    facet: str | None
    claims: list[Claim]
    axes: dict[str, dict[str, dict[str, Any]]]
    without: list[str] = []
    heat_map: tuple[str, str] | None = None
    measures: list[str] = []
    paper: Paper | None = None
    budget: Budget | None = None
    hypotheses: dict[str, str] = {}
    predictions: Predictions = {}
    prediction_rule: PredictionRule | None = None
    datasets: dict[str, Any] = {}

    def names(self) -> set[str]:
        """What variants may be called here."""
        return {SEPARATOR.join(levels) for levels in itertools.product(*self.axes.values())}


DatasetName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]  # names files, and stands in reports
RunId = Annotated[str, Field(pattern=r"^[\w-]+$")]  # names a folder


class _Variant(BaseModel):
    name: str
    dataset: str
    part: str
    levels: dict[str, str]
    settings: _Sections
    params: int
    madds: int
    shortcuts: int | None = None
    depthwise: int | None = None
    checksums: dict[str, str] = {}
    covariates: dict[str, float] | None = None
    runs: dict[int, RunId]


class _Sections(BaseModel):
    model: dict[str, Any]
    data: dict[str, Any]
    train: dict[str, Any]


class _Tuned(BaseModel):
    hash: str
    part: str
    dataset: str
    setting: str
    arms: str
    shared: float
    grid: list[float]
    images: int
    classes: int
    chosen: dict[str, float]
    at_edge: list[str]
    trials: list[_Trial]


class _Trial(BaseModel):
    arm: str
    value: float
    seed: int
    run: str
    accuracy: float | None
    loss: float | None


class _Plan(BaseModel):
    """What a report needs of `plan.json`. Settings are not looked into: other versions may have others."""

    ablation: _Ablation
    tier: Tier
    datasets: list[DatasetName]
    notices: list[str]
    overrides: dict[str, Any] = {}
    designs: dict[str, Design | None] = {}
    variants: list[_Variant]
    tuning: list[_Tuned] = []

    @model_validator(mode="after")
    def _fits_together(self) -> _Plan:
        for dataset in self.datasets:
            variants: dict[str, _Variant] = {}
            for variant in (v for v in self.variants if v.dataset == dataset):
                if variants.setdefault(variant.name, variant) is not variant:
                    raise ValueError(f"two variants on {dataset} are called {variant.name!r}")
            parts = {v.part for v in variants.values()}
            if len(parts) != 1 or not parts <= self.ablation.parts.keys():
                raise ValueError(f"the variants on {dataset} are not of one part")
            part = self.ablation.parts[parts.pop()]
            if any(part.facet not in (None, *v.levels) for v in variants.values()):
                raise ValueError(f"a variant on {dataset} has no level of {part.facet}")
            if any(axis not in v.levels for v in variants.values() for axis in part.heat_map or ()):
                raise ValueError(f"a variant on {dataset} has no place in the map of {part.heat_map}")
            if any(name not in variants for claim in part.claims for name in claim.contrast):
                raise ValueError(f"a claim on {dataset} is about a variant that is not there")
            if (design := self.designs.get(dataset)) is not None:
                _check_design(dataset, design, part, variants)
        return self


def _check_design(dataset: str, design: Design, part: _Part, variants: dict[str, _Variant]) -> None:
    """Raises ValueError for a design that is not of these claims and seeds."""
    claims = {claim.id: claim.contrast for claim in part.claims}
    if {name: claim.contrast for name, claim in design.claims.items()} != claims:
        raise ValueError(f"the design for {dataset} is of other claims")
    counts = {len(variant.runs) for variant in variants.values()}
    if not design.looks or counts != {design.looks[-1]} or [*design.looks] != sorted({*design.looks}):
        raise ValueError(f"the looks on {dataset} do not end with the seeds that were planned")


@dataclass(frozen=True)
class Results:
    """A results folder, read.

    Args:
        folder: of one ablation and tier.
        plan: what was to be run (`plan.json`); of planned looks, what has been called for so far.
        runs: every run of the plan, whatever has become of it.
        courses: how far the looks on each data set have come; without data sets that have no design.
        other_plans: how many folders in `runs/` are of an earlier plan of this ablation, of other seeds or
            settings.
    """

    folder: Path
    plan: dict[str, Any]
    runs: tuple[Run, ...]
    courses: dict[str, Course]
    other_plans: int
    _place: Place = field(repr=False)  # of the runs
    _environments: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    _found: set[Stray] = field(default_factory=set, repr=False)
    _altered: frozenset[str] = field(default=frozenset(), repr=False)  # files that are not as a run left them

    def design(self, dataset: str) -> Design:
        """How the claims on a data set of `courses` are judged."""
        return Design.model_validate(self.plan["designs"][dataset])

    def planned(self, variant: str, dataset: str) -> list[Run]:
        """The runs of one variant on one data set, whatever has become of them."""
        return self._by_variant.get((variant, dataset), [])

    def of(self, variant: str, dataset: str) -> list[Run]:
        """The finished runs of one variant on one data set."""
        return [run for run in self.planned(variant, dataset) if run.status == "done"]

    @cached_property
    def _by_variant(self) -> dict[tuple[str, str], list[Run]]:
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs:
            found.setdefault((run.variant, run.dataset), []).append(run)
        return found

    def troubled(self) -> list[Run]:
        """The runs that did not end well, and that a new start may or may not mend."""
        return [run for run in self.runs if run.status in ("failed", "diverged", "damaged")]

    @cached_property
    def strays(self) -> tuple[Stray, ...]:
        """The files that are damaged or foreign, by their paths. For this every file is looked into."""
        for variant, dataset in self._by_variant:
            self.curves(variant, dataset)
        for run in self.runs:
            if run.status == "done":
                self.correct(run)
            else:
                self._history(run)
        return tuple(sorted(self._found))

    def curves(self, variant: str, dataset: str) -> Curves:
        """What the finished runs of a variant have recorded: values by name and epoch, in their order."""
        which = variant, dataset
        if which not in self._curves:
            self._curves[which] = _by_epoch(self._history(run) for run in self.of(*which))
        return self._curves[which]

    @cached_property
    def _curves(self) -> dict[tuple[str, str], Curves]:
        return {}

    def measured(self, run: Run) -> dict[int, dict[str, float]]:
        """The measures of a run, as far as they are numbers, by the epoch that they were taken after."""
        return {epoch: numbers for epoch, _, numbers in self._history(run) if numbers}

    def _history(self, run: Run) -> list[_Epoch]:
        if f"{run.run}/metrics.jsonl" in self._altered:
            return []
        records, why = _json_lines(self._place / run.run / "metrics.jsonl")
        history, others = _epochs(records)
        if others:
            why = f"{others} of {len(records)} lines are no records of an epoch"
        if why:
            self._found.add(_stray(f"{run.run}/metrics.jsonl", why))
        return history

    def correct(self, run: Run) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Whether a finished run is right about each held-out example, bool `[n]`.

        None where it has not said so, or says what does not agree with its accuracy.
        """
        name = f"{run.run}/correct.npy"
        if run.accuracy is None or name in self._altered or (content := self._bytes(name)) is None:
            return None
        found = files.booleans(content)
        if found is None or found.size == 0:
            self._found.add(_stray(name, "is no vector of true and false"))
            return None
        if not math.isclose(np.count_nonzero(found) / found.size, run.accuracy, abs_tol=1e-6):
            self._found.add(_stray(name, "does not agree with the accuracy of the run"))
            return None
        return found

    def _bytes(self, name: str) -> bytes | None:
        try:
            return self._place.joinpath(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._found.add(_stray(name, _refused(error)))
            return None

    def environment(self, run: Run) -> dict[str, Any]:
        """Where a run was made, as far as it says."""
        seconds = {"wall_seconds": run.wall_seconds, "cpu_seconds": run.cpu_seconds}
        known = {name: value for name, value in seconds.items() if value is not None}
        return {**self._environments.get(run.run, {}), **known}


def collect(folder: Path) -> Results:
    """Read the plan and the runs of a results folder, also one whose runs are packed.

    What is damaged or foreign among the runs is left out, and named in the `strays` of what is returned.

    Raises:
        LabError: there is no plan in it, or none that a report could be made of; runs.zip is damaged.
    """
    return _collected(folder, _plan(folder), runs_of(folder))


def sequential_courses(folder: Path, contents: dict[str, Any]) -> dict[str, Course]:
    """How far planned looks have come with the results in a folder, by data set; of those that have some.

    Args:
        folder: of an ablation and tier; its own `plan.json` does not matter, nor whether it is there.
        contents: those of the plan.
    """
    plan = _Plan.model_validate_json(json.dumps(contents)).model_dump()
    sequential = [name for name, design in plan["designs"].items() if design and design["sequential"]]
    plan["datasets"] = [name for name in plan["datasets"] if name in sequential]
    plan["variants"] = [variant for variant in plan["variants"] if variant["dataset"] in sequential]
    return _collected(folder, plan, folder / "runs").courses


def _collected(folder: Path, plan: dict[str, Any], place: Place) -> Results:
    strays: set[Stray] = set()
    environments: dict[str, dict[str, Any]] = {}
    distinct: dict[str, dict[str, Any]] = {}  # of which a thousand runs have one or two
    not_as_left: set[str] = set()
    read = []
    for variant in plan["variants"]:
        for seed, run_id in variant["runs"].items():
            environment = _object(place, f"{run_id}/environment.json", strays)
            seconds = [environment.pop(name, None) for name in ("wall_seconds", "cpu_seconds")]
            environments[run_id] = distinct.setdefault(json.dumps(environment), environment)
            run, spoilt = _run(place, variant, seed, run_id, seconds, strays)
            not_as_left |= spoilt
            if f"{run_id}/environment.json" in spoilt:
                environments[run_id] = {}
            read.append((run, variant["checksums"]))
    usual = _usual_checksums(plan, environments)
    runs = [
        _on_planned_data(run, planned or usual[run.dataset], environments[run.run], strays)
        for run, planned in read
    ]
    others = _others(place, plan, {run.run for run in runs}, strays)
    courses = _courses(plan, runs)
    called = _called_for(plan, runs, courses)
    return Results(folder, plan, called, courses, others, place, environments, strays, frozenset(not_as_left))


def _courses(plan: dict[str, Any], runs: Sequence[Run]) -> dict[str, Course]:
    by_dataset: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        by_dataset.setdefault(run.dataset, {}).setdefault(run.variant, []).append(run)
    return {
        dataset: course_of(Design.model_validate(design), by_dataset[dataset])
        for dataset in plan["datasets"]
        if (design := plan["designs"].get(dataset)) is not None
    }


def _called_for(plan: dict[str, Any], runs: Sequence[Run], courses: dict[str, Course]) -> tuple[Run, ...]:
    """The runs that the looks have called for so far, in their order; the plan's others are taken from it."""
    for variant in plan["variants"]:
        if (course := courses.get(variant["dataset"])) is not None:
            seeds = itertools.islice(variant["runs"].items(), course.seeds[variant["name"]])
            variant["runs"] = dict(seeds)
    called = {run_id for variant in plan["variants"] for run_id in variant["runs"].values()}
    return tuple(run for run in runs if run.run in called)


def _plan(folder: Path) -> dict[str, Any]:
    path = folder / "plan.json"
    content, why = _json(path)
    if why:
        raise LabError(f"{path}: {why}; start the run again to renew it")
    if content is None:
        raise LabError(f"{folder}: holds no plan.json; give the folder of one tier, as results/NAME/TIER")
    try:
        # As JSON, which has no tuples: where those are wanted, lists will do.
        return _Plan.model_validate_json(json.dumps(content)).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        problem = first["msg"].removeprefix("Value error, ")
        raise LabError(
            f"{path}: is not a plan as a run writes it ({where}: {problem}); start the run again to renew it"
        ) from error


def _run(
    place: Place, variant: dict[str, Any], seed: int, run_id: str, seconds: list[Any], strays: set[Stray]
) -> tuple[Run, set[str]]:
    """A run, and its files that are not as it has left them, as far as that shows at a glance."""
    name = f"{run_id}/result.json"
    result = _object(place, name, strays)
    if result and "status" not in result:
        strays.add(_stray(name, "has no status"))
        result = {}
    accuracy = _share(result.get("accuracy"))
    reason = result.get("reason")
    status: Condition
    if not result:
        status = "unfinished" if _is_there(place / run_id) else "not started"
    elif problem := _problem(result, variant, seed):
        status, accuracy = "damaged", None
        reason = f"{problem} in result.json; delete the run's folder to train it again"
        strays.add(_stray(name, f"has {problem}"))
    else:
        status = result["status"]
    spoilt = _altered(place, run_id, result)
    if spoilt:
        strays -= {stray for stray in strays if stray.file.removeprefix("runs/") in spoilt}
    strays |= {_stray(file, why) for file, why in spoilt.items()}
    run = Run(
        variant=variant["name"],
        dataset=variant["dataset"],
        seed=seed,
        run=run_id,
        status=status,
        accuracy=accuracy,
        loss=_number(result.get("loss")),
        test_accuracy=_share(result.get("test_accuracy")),
        epochs=None if (epochs := _number(result.get("epochs"))) is None else int(epochs),
        wall_seconds=_time(seconds[0]),
        cpu_seconds=_time(seconds[1]),
        reason=None if reason is None else str(reason),
        measures=_numbers(result.get("measures")) if status == "done" else {},
    )
    return run, set(spoilt)


def _altered(place: Place, run_id: str, result: dict[str, Any]) -> dict[str, str]:
    """The files of a run that are not as it has left them, and why; packed ones have sums of their own."""
    if not isinstance(place, Path):
        return {}
    return {f"{run_id}/{file}": why for file, why in altered(place / run_id, result, thorough=False)}


def _usual_checksums(
    plan: dict[str, Any], environments: dict[str, dict[str, Any]]
) -> dict[str, dict[str, str]]:
    """The checksums that most runs on a data set have: plans of former times do not say what was planned."""
    counts: dict[str, dict[str, Counter[str]]] = {dataset: {} for dataset in plan["datasets"]}
    for variant in plan["variants"]:
        for run_id in variant["runs"].values():
            for name, digest in _checksums(environments[run_id]).items():
                counts[variant["dataset"]].setdefault(name, Counter())[digest] += 1
    return {
        dataset: {name: digests.most_common(1)[0][0] for name, digests in found.items()}
        for dataset, found in counts.items()
    }


def _checksums(environment: dict[str, Any]) -> dict[str, str]:
    found = environment.get("checksums")
    return {name: str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _on_planned_data(
    run: Run, planned: dict[str, str], environment: dict[str, Any], strays: set[Stray]
) -> Run:
    """The run; damaged, if it was trained and judged on other data than those it would be compared with."""
    why = data_difference(planned, _checksums(environment))
    if why is None or run.status != "done":
        return run
    strays.add(_stray(f"{run.run}/environment.json", f"is of a run on other data: {why}"))
    reason = f"trained on other data ({why}); delete the run's folder to train it again"
    return replace(run, status="damaged", accuracy=None, measures={}, reason=reason)


def _is_there(path: Place) -> bool:
    try:
        return path.exists()
    except OSError:  # there may well be something, and it is damaged or not ours to read
        return True


def _problem(result: dict[str, Any], variant: dict[str, Any], seed: int) -> str | None:
    """Why a result cannot be what training this run has left; None where it can."""
    planned = {"variant": variant["name"], "dataset": variant["dataset"], "seed": seed}
    if any(result.get(key, value) != value for key, value in planned.items()):
        return "another run's variant, data set or seed"
    if result["status"] not in get_args(Status):
        return "no known status"
    if is_altered(result):
        return "other values than the run has left"
    if result["status"] == "done" and _share(result.get("accuracy")) is None:
        return "no accuracy from 0 to 1"
    return None


def _others(place: Place, plan: dict[str, Any], planned: set[str], strays: set[Stray]) -> int:
    """How many runs of other plans of this ablation there are; what else is in `runs/` goes to `strays`."""
    try:
        entries = sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return 0
    except OSError as error:
        strays.add(Stray("runs", _refused(error)))
        return 0
    parts = [_Part.model_validate(part) for part in plan["ablation"]["parts"].values()]
    names = {dataset: part.names() for part in parts for dataset in part.datasets}
    count = 0
    for name in (entry for entry in entries if entry not in planned):
        if not place.joinpath(name).is_dir():
            strays.add(_stray(name, "is not the folder of a run"))
            continue
        content, _ = _json(place / name / "config.json")
        of = content if isinstance(content, dict) else {}
        data = of.get("data")
        dataset = data.get("dataset") if isinstance(data, dict) else None
        variant = of.get("variant")
        if not isinstance(variant, str) or not isinstance(dataset, str):
            strays.add(_stray(name, "is not the folder of a run: it has no settings in config.json"))
        elif variant not in names.get(dataset, ()):
            strays.add(_stray(name, f"is a run of another ablation ({variant} on {dataset})"))
        else:
            count += 1
    return count


def _stray(name: str, why: str) -> Stray:
    """A file of that name among the runs."""
    file, reason = (text.encode(errors="replace").decode() for text in (f"runs/{name}", why))
    return Stray(file, reason)


def _refused(error: OSError) -> str:
    return f"cannot be read ({error.strerror or error})"


def _text(path: Place) -> tuple[str | None, str | None]:
    """The text of a file; or None where there is none, and why where there is one and it is none."""
    try:
        return path.read_bytes().decode(), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, _refused(error)
    except ValueError:
        return None, "is not text"


def _json(path: Place) -> tuple[Any, str | None]:
    """The content of a JSON file; or None where there is none, and why where there is one and it is none."""
    text, why = _text(path)
    if text is None:
        return None, why
    try:
        found = json.loads(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # half a character could never be written again
        return found, None
    except (ValueError, RecursionError):
        return None, "is not JSON"


def _object(place: Place, name: str, strays: set[Stray]) -> dict[str, Any]:
    """The JSON object in a file among the runs; an empty one where there is nothing that could be one."""
    found, why = _json(place / name)
    if found is not None and not isinstance(found, dict):
        why = "is no JSON object"
    if why:
        strays.add(_stray(name, why))
    return found if isinstance(found, dict) else {}


def _json_lines(path: Place) -> tuple[list[Any], str | None]:
    """The lines of a JSON lines file; none where there is none, and why where a line is not JSON."""
    text, why = _text(path)
    if text is None:
        return [], why
    lines = text.splitlines()
    try:
        found = json.loads(f"[{','.join(lines)}]")  # at once is faster than one by one
        if len(found) == len(lines):
            return found, None
        return [json.loads(line) for line in lines], None
    except (ValueError, RecursionError):
        return [], "is not JSON"


_Epoch = tuple[int, float | None, dict[str, float]]  # its number, accuracy and measures


def _epochs(records: Iterable[Any]) -> tuple[list[_Epoch], int]:
    """The evaluated epochs of a run, and how many records are none."""
    history: list[_Epoch] = []
    others = last = 0
    for record in records:
        epoch = record.get("epoch") if isinstance(record, dict) else None
        if type(epoch) is not int or not last < epoch < _MOST_EPOCHS:
            others += 1
            continue
        last = epoch
        told = record.get("accuracy")
        accuracy = _share(told)
        others += told is not None and accuracy is None
        history.append((epoch, accuracy, _numbers(record.get("measures"))))
    return history, others


_MOST_EPOCHS = 10**9


def _by_epoch(histories: Iterable[list[_Epoch]]) -> Curves:
    found: dict[str, dict[int, list[float]]] = {}
    accuracies = found.setdefault("accuracy", {})
    for history in histories:
        for epoch, accuracy, measures in history:
            if accuracy is not None:
                accuracies.setdefault(epoch, []).append(accuracy)
            for name, value in measures.items():
                found.setdefault(name, {}).setdefault(epoch, []).append(value)
    return {
        name: {epoch: np.array(values, dtype=np.float64) for epoch, values in by_epoch.items()}
        for name, by_epoch in found.items()
    }


def _number(value: object) -> float | None:
    """A finite number, else None."""
    if type(value) is not float and type(value) is not int:
        return None
    return value if abs(value) < _MOST else None


_MOST = 1e100  # the square of what is much larger overflows


def _time(value: object) -> float | None:
    """Seconds, else None."""
    number = _number(value)
    return number if number is not None and 0 <= number < _MOST_SECONDS else None


_MOST_SECONDS = 1e9  # thirty years


def _numbers(values: object) -> dict[str, float]:
    """Those of named values that are finite numbers."""
    if not isinstance(values, dict):
        return {}
    return {name: found for name, value in values.items() if (found := _number(value)) is not None}


def _share(value: object) -> float | None:
    """A number from 0 to 1, else None."""
    number = _number(value)
    return number if number is not None and 0 <= number <= 1 else None
