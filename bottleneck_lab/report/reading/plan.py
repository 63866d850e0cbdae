"""`plan.json`, as far as a report needs it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from bottleneck_lab.config import Claim, Design, Tier
from bottleneck_lab.config.ablations.budget import Budget
from bottleneck_lab.config.ablations.paper import Paper
from bottleneck_lab.config.ablations.parts import SEPARATOR
from bottleneck_lab.config.ablations.predictions import PredictionRule, Predictions
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.reading.lenient import json_content


class _Ablation(BaseModel):
    name: str
    question: str
    source: str
    reported: str
    against: str
    parts: dict[str, Part]


class Part(BaseModel):
    """What stands in an experiment file for one kind of data."""

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


def _check_design(dataset: str, design: Design, part: Part, variants: dict[str, _Variant]) -> None:
    """Raises ValueError for a design that is not of these claims and seeds."""
    claims = {claim.id: claim.contrast for claim in part.claims}
    if {name: claim.contrast for name, claim in design.claims.items()} != claims:
        raise ValueError(f"the design for {dataset} is of other claims")
    counts = {len(variant.runs) for variant in variants.values()}
    if not design.looks or counts != {design.looks[-1]} or [*design.looks] != sorted({*design.looks}):
        raise ValueError(f"the looks on {dataset} do not end with the seeds that were planned")


def parsed_plan(contents: dict[str, Any]) -> dict[str, Any]:
    """The contents of a plan, checked, and with what former versions left out.

    Raises:
        ValidationError: they are none.
    """
    # As JSON, which has no tuples: where those are wanted, lists will do.
    return _Plan.model_validate_json(json.dumps(contents)).model_dump()


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of a results folder.

    Raises:
        LabError: there is none, or none that a report could be made of.
    """
    path = folder / "plan.json"
    content, why = json_content(path)
    if why:
        raise LabError(f"{path}: {why}; start the run again to renew it")
    if content is None:
        raise LabError(f"{folder}: holds no plan.json; give the folder of one tier, as results/NAME/TIER")
    try:
        return parsed_plan(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        problem = first["msg"].removeprefix("Value error, ")
        raise LabError(
            f"{path}: is not a plan as a run writes it ({where}: {problem}); start the run again to renew it"
        ) from error
