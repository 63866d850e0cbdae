"""Reading a results folder: the plan, and what each of its runs has left. Damage is named, never counted."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from bottleneck_lab.records.checksums import altered, is_altered
from bottleneck_lab.records.folder import Status
from bottleneck_lab.records.lenient import (
    Stray,
    json_content,
    json_object,
    number,
    numbers,
    refused,
    share,
    stray,
    time,
)
from bottleneck_lab.records.packed import Place, runs_of
from bottleneck_lab.records.plan import PlannedVariant, PlanRecord, parsed_plan, read_plan
from bottleneck_lab.records.provenance import data_difference
from bottleneck_lab.report.reading.course import Course, course_of
from bottleneck_lab.report.reading.results import Condition, Results, Run


def collect(folder: Path) -> Results:
    """Read the plan and the runs of a results folder, also one whose runs are packed.

    What is damaged or foreign among the runs is left out, and named in the `strays` of what is returned.

    Raises:
        LabError: there is no plan in it, or none that a report could be made of; runs.zip is damaged.
    """
    return _collected(folder, read_plan(folder), runs_of(folder))


def sequential_courses(folder: Path, contents: object) -> dict[str, Course]:
    """How far planned looks have come with the results in a folder, by data set; of those that have some.

    Args:
        folder: of an ablation and tier; its own `plan.json` does not matter, nor whether it is there.
        contents: those of the plan.
    """
    plan = parsed_plan(contents)
    sequential = [name for name, design in plan.designs.items() if design and design.sequential]
    chosen = {
        "datasets": [name for name in plan.datasets if name in sequential],
        "variants": [variant for variant in plan.variants if variant.dataset in sequential],
    }
    plan = plan.model_copy(update=chosen)
    return _collected(folder, plan, folder / "runs").courses


def _collected(folder: Path, plan: PlanRecord, place: Place) -> Results:
    strays: set[Stray] = set()
    environments: dict[str, dict[str, Any]] = {}
    distinct: dict[str, dict[str, Any]] = {}  # of which a thousand runs have one or two
    not_as_left: set[str] = set()
    read = []
    for variant in plan.variants:
        for seed, run_id in variant.runs.items():
            environment = json_object(place, f"{run_id}/environment.json", strays)
            seconds = [environment.pop(name, None) for name in ("wall_seconds", "cpu_seconds")]
            environments[run_id] = distinct.setdefault(json.dumps(environment), environment)
            run, spoilt = _run(place, variant, seed, run_id, seconds, strays)
            not_as_left |= spoilt
            if f"{run_id}/environment.json" in spoilt:
                environments[run_id] = {}
            read.append((run, variant.checksums))
    usual = _usual_checksums(plan, environments)
    runs = [
        _on_planned_data(run, planned or usual[run.dataset], environments[run.run], strays)
        for run, planned in read
    ]
    others = _others(place, plan, {run.run for run in runs}, strays)
    courses = _courses(plan, runs)
    plan = _called_for(plan, courses)
    ids = {run_id for variant in plan.variants for run_id in variant.runs.values()}
    called = tuple(run for run in runs if run.run in ids)
    return Results(folder, plan, called, courses, others, place, environments, strays, frozenset(not_as_left))


def _courses(plan: PlanRecord, runs: Sequence[Run]) -> dict[str, Course]:
    by_dataset: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        by_dataset.setdefault(run.dataset, {}).setdefault(run.variant, []).append(run)
    return {
        dataset: course_of(design, by_dataset[dataset])
        for dataset in plan.datasets
        if (design := plan.designs.get(dataset)) is not None
    }


def _called_for(plan: PlanRecord, courses: dict[str, Course]) -> PlanRecord:
    """The plan with the runs that the looks have called for so far."""
    variants = []
    for variant in plan.variants:
        if (course := courses.get(variant.dataset)) is not None:
            runs = dict(itertools.islice(variant.runs.items(), course.seeds[variant.name]))
            variant = variant.model_copy(update={"runs": runs})
        variants.append(variant)
    return plan.model_copy(update={"variants": variants})


def _run(
    place: Place, variant: PlannedVariant, seed: int, run_id: str, seconds: list[Any], strays: set[Stray]
) -> tuple[Run, set[str]]:
    """A run, and its files that are not as it has left them, as far as that shows at a glance."""
    name = f"{run_id}/result.json"
    result = json_object(place, name, strays)
    if result and "status" not in result:
        strays.add(stray(name, "has no status"))
        result = {}
    accuracy = share(result.get("accuracy"))
    reason = result.get("reason")
    status: Condition
    if not result:
        status = "unfinished" if _is_there(place / run_id) else "not started"
    elif problem := _problem(result, variant, seed):
        status, accuracy = "damaged", None
        reason = f"{problem} in result.json; delete the run's folder to train it again"
        strays.add(stray(name, f"has {problem}"))
    else:
        status = result["status"]
    spoilt = _altered(place, run_id, result)
    if spoilt:
        strays -= {stray for stray in strays if stray.file.removeprefix("runs/") in spoilt}
    strays |= {stray(file, why) for file, why in spoilt.items()}
    run = Run(
        variant=variant.name,
        dataset=variant.dataset,
        seed=seed,
        run=run_id,
        status=status,
        accuracy=accuracy,
        loss=number(result.get("loss")),
        test_accuracy=share(result.get("test_accuracy")),
        epochs=None if (epochs := number(result.get("epochs"))) is None else int(epochs),
        wall_seconds=time(seconds[0]),
        cpu_seconds=time(seconds[1]),
        reason=None if reason is None else str(reason),
        measures=numbers(result.get("measures")) if status == "done" else {},
    )
    return run, set(spoilt)


def _altered(place: Place, run_id: str, result: dict[str, Any]) -> dict[str, str]:
    """The files of a run that are not as it has left them, and why; packed ones have sums of their own."""
    if not isinstance(place, Path):
        return {}
    return {f"{run_id}/{file}": why for file, why in altered(place / run_id, result, thorough=False)}


def _usual_checksums(plan: PlanRecord, environments: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The checksums that most runs on a data set have: plans of former times do not say what was planned."""
    counts: dict[str, dict[str, Counter[str]]] = {dataset: {} for dataset in plan.datasets}
    for variant in plan.variants:
        for run_id in variant.runs.values():
            for name, digest in _checksums(environments[run_id]).items():
                counts[variant.dataset].setdefault(name, Counter())[digest] += 1
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
    strays.add(stray(f"{run.run}/environment.json", f"is of a run on other data: {why}"))
    reason = f"trained on other data ({why}); delete the run's folder to train it again"
    return replace(run, status="damaged", accuracy=None, measures={}, reason=reason)


def _is_there(path: Place) -> bool:
    try:
        return path.exists()
    except OSError:  # there may well be something, and it is damaged or not ours to read
        return True


def _problem(result: dict[str, Any], variant: PlannedVariant, seed: int) -> str | None:
    """Why a result cannot be what training this run has left; None where it can."""
    planned = {"variant": variant.name, "dataset": variant.dataset, "seed": seed}
    if any(result.get(key, value) != value for key, value in planned.items()):
        return "another run's variant, data set or seed"
    if result["status"] not in get_args(Status):
        return "no known status"
    if is_altered(result):
        return "other values than the run has left"
    if result["status"] == "done" and share(result.get("accuracy")) is None:
        return "no accuracy from 0 to 1"
    return None


def _others(place: Place, plan: PlanRecord, planned: set[str], strays: set[Stray]) -> int:
    """How many runs of other plans of this ablation there are; what else is in `runs/` goes to `strays`."""
    try:
        entries = sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return 0
    except OSError as error:
        strays.add(Stray("runs", refused(error)))
        return 0
    names = {dataset: part.names() for part in plan.ablation.parts.values() for dataset in part.datasets}
    count = 0
    for name in (entry for entry in entries if entry not in planned):
        if not place.joinpath(name).is_dir():
            strays.add(stray(name, "is not the folder of a run"))
            continue
        content, _ = json_content(place / name / "config.json")
        of = content if isinstance(content, dict) else {}
        data = of.get("data")
        dataset = data.get("dataset") if isinstance(data, dict) else None
        variant = of.get("variant")
        if not isinstance(variant, str) or not isinstance(dataset, str):
            strays.add(stray(name, "is not the folder of a run: it has no settings in config.json"))
        elif variant not in names.get(dataset, ()):
            strays.add(stray(name, f"is a run of another ablation ({variant} on {dataset})"))
        else:
            count += 1
    return count
