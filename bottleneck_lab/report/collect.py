"""Reading a results folder: the plan, and what each of its runs has left. Damage is named, never counted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ValidationError, model_validator

from bottleneck_lab.config import Claim, Tier
from bottleneck_lab.config.ablation import Paper
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs import files
from bottleneck_lab.runs.folder import RunFolder, Status

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
    runs: dict[int, str]


class _Sections(BaseModel):
    model: dict[str, Any]
    data: dict[str, Any]
    train: dict[str, Any]


class _Plan(BaseModel):
    """What a report needs of `plan.json`. Settings are not looked into: other versions may have others."""

    ablation: _Ablation
    tier: Tier
    datasets: list[str]
    notices: list[str]
    overrides: dict[str, Any] = {}
    variants: list[_Variant]

    @model_validator(mode="after")
    def _fits_together(self) -> _Plan:
        for dataset in self.datasets:
            variants = {v.name: v for v in self.variants if v.dataset == dataset}
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
        return self


@dataclass(frozen=True)
class Results:
    """A results folder, read.

    Args:
        folder: of one ablation and tier.
        plan: what was to be run (`plan.json`).
        runs: every run of the plan, whatever has become of it.
    """

    folder: Path
    plan: dict[str, Any]
    runs: tuple[Run, ...]

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

    def records(self, run: Run) -> list[dict[str, Any]]:
        """The evaluated epochs of a run, each with a number for `epoch` and a share for `accuracy`."""
        found: list[Any] = list(RunFolder(self.folder, run.run).records())
        return [
            record
            for record in found
            if isinstance(record, dict)
            and _number(record.get("epoch")) is not None
            and _share(record.get("accuracy")) is not None
        ]

    def measured(self, run: Run) -> dict[int, dict[str, float]]:
        """The measures of a run, as far as they are numbers, by the epoch that they were taken after."""
        found: list[Any] = list(RunFolder(self.folder, run.run).records())
        taken = {}
        for record in found:
            epoch = _number(record.get("epoch")) if isinstance(record, dict) else None
            if epoch is not None and (numbers := _numbers(record.get("measures"))):
                taken[int(epoch)] = numbers
        return taken

    def correct(self, run: Run) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Whether a finished run is right about each held-out example, bool `[n]`.

        None where it has not said so, or says what does not agree with its accuracy.
        """
        found = files.read_array(RunFolder(self.folder, run.run).path / "correct.npy")
        if found is None or found.ndim != 1 or found.dtype != np.bool_ or run.accuracy is None:
            return None
        agrees = found.size > 0 and math.isclose(found.mean(), run.accuracy, abs_tol=1e-6)
        return found if agrees else None

    def environment(self, run: Run) -> dict[str, Any]:
        """Where a run was made, as far as it says."""
        return _environment(self.folder, run.run)


def collect(folder: Path) -> Results:
    """Read the plan and the runs of a results folder.

    Raises:
        LabError: there is no plan in it, or none that a report could be made of.
    """
    path = folder / "plan.json"
    content = files.read_json(path)
    if content is None:
        raise LabError(f"{folder}: holds no plan.json; give the folder of one tier, as results/NAME/TIER")
    try:
        # As JSON, which has no tuples: where those are wanted, lists will do.
        plan = _Plan.model_validate_json(json.dumps(content)).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        problem = first["msg"].removeprefix("Value error, ")
        raise LabError(
            f"{path}: is not a plan as a run writes it ({where}: {problem}); start the run again to renew it"
        ) from error
    runs = [
        _run(folder, variant, seed, run_id)
        for variant in plan["variants"]
        for seed, run_id in variant["runs"].items()
    ]
    return Results(folder, plan, tuple(runs))


def _run(folder: Path, variant: dict[str, Any], seed: int, run_id: str) -> Run:
    place = RunFolder(folder, run_id)
    result = place.result() or {}
    environment = _environment(folder, run_id)
    accuracy = _share(result.get("accuracy"))
    status: Condition = place.status()
    reason = result.get("reason")
    if status not in get_args(Status) or (status == "done" and accuracy is None):
        status, accuracy = "damaged", None
        reason = "no accuracy from 0 to 1 in result.json; delete the run's folder to train it again"
    return Run(
        variant=variant["name"],
        dataset=variant["dataset"],
        seed=seed,
        run=run_id,
        status=status,
        accuracy=accuracy,
        loss=_number(result.get("loss")),
        test_accuracy=_share(result.get("test_accuracy")),
        epochs=None if (epochs := _number(result.get("epochs"))) is None else int(epochs),
        wall_seconds=_number(environment.get("wall_seconds")),
        cpu_seconds=_number(environment.get("cpu_seconds")),
        reason=None if reason is None else str(reason),
        measures=_numbers(result.get("measures")) if status == "done" else {},
    )


def _environment(folder: Path, run_id: str) -> dict[str, Any]:
    found = files.read_json(folder / "runs" / run_id / "environment.json")
    return found if isinstance(found, dict) else {}


def _number(value: object) -> float | None:
    """A finite number, else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None  # type: ignore[return-value]


def _numbers(values: object) -> dict[str, float]:
    """Those of named values that are finite numbers."""
    named = values.items() if isinstance(values, dict) else ()
    found = ((str(name), _number(value)) for name, value in named)
    return {name: value for name, value in found if value is not None}


def _share(value: object) -> float | None:
    """A number from 0 to 1, else None."""
    number = _number(value)
    return number if number is not None and 0 <= number <= 1 else None
