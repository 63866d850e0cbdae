"""`plan.json`, as far as a report needs it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bottleneck_lab.config import Claim, Design, Tier, Unchecked
from bottleneck_lab.config.ablations.budget import Budget
from bottleneck_lab.config.ablations.paper import Paper
from bottleneck_lab.config.ablations.parts import SEPARATOR
from bottleneck_lab.config.ablations.predictions import PredictionRule, Predictions
from bottleneck_lab.config.ablations.tuning import Tuned
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.files import first_problem
from bottleneck_lab.records.lenient import json_content
from bottleneck_lab.records.names import PLAN


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedTier(_Record):
    """What a tier spends on a data set."""

    seeds: int | None = None
    looks: list[int] | None = None
    first_seed: int = 0


class PlannedData(_Record):
    """How a part is run on a data set."""

    tiers: dict[str, PlannedTier] = {}


class PlannedPart(_Record):
    """What stands in an experiment file for one kind of data."""

    title: str
    facet: str | None
    claims: list[Claim]
    axes: dict[str, dict[str, Unchecked]]
    without: list[str] = []
    heat_map: tuple[str, str] | None = None
    measures: list[str] = []
    paper: Paper | None = None
    budget: Budget | None = None
    hypotheses: dict[str, str] = {}
    predictions: Predictions = {}
    prediction_rule: PredictionRule | None = None
    datasets: dict[str, PlannedData] = {}

    def names(self) -> set[str]:
        """What variants may be called here."""
        return {SEPARATOR.join(levels) for levels in itertools.product(*self.axes.values())}


class PlannedAblation(_Record):
    """What stands in an experiment file."""

    name: str
    question: str
    source: str
    reported: str
    against: str
    parts: dict[str, PlannedPart]


class PlannedSettings(_Record):
    """The settings of a variant."""

    model: Unchecked
    data: Unchecked
    train: Unchecked

    def sections(self) -> dict[str, Unchecked]:
        """By the names that `--set` has for them."""
        return {"model": self.model, "data": self.data, "train": self.train}


DatasetName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]  # names files, and stands in reports
RunId = Annotated[str, Field(pattern=r"^[\w-]+$")]  # names a folder


class PlannedVariant(_Record):
    """A variant on a data set, what it costs, and its runs by their seeds."""

    name: str
    dataset: str
    part: str
    levels: dict[str, str]
    settings: PlannedSettings
    params: int
    madds: int
    shortcuts: int | None = None
    depthwise: int | None = None
    checksums: dict[str, str] = {}
    covariates: dict[str, float] | None = None
    runs: dict[int, RunId]


class PlannedTuning(Tuned):
    """What was chosen before; its `hash`, which follows from the rest, is not read."""

    model_config = ConfigDict(extra="ignore")


class PlanRecord(_Record):
    """What a report needs of `plan.json`. Settings are not looked into: other versions may have others."""

    ablation: PlannedAblation
    tier: Tier
    datasets: list[DatasetName]
    notices: list[str]
    overrides: Unchecked = {}
    designs: dict[str, Design | None] = {}
    variants: list[PlannedVariant]
    tuning: list[PlannedTuning] = []

    def on(self, dataset: str) -> list[PlannedVariant]:
        """The variants on a data set."""
        return [variant for variant in self.variants if variant.dataset == dataset]

    def part_on(self, dataset: str) -> PlannedPart:
        """The part that a data set belongs to."""
        return self.ablation.parts[next(v.part for v in self.variants if v.dataset == dataset)]

    def draws_points(self, dataset: str) -> bool:
        """Whether every seed has points of its own; networks for points are toys."""
        return self.on(dataset)[0].settings.model.get("family") == "toy"

    @model_validator(mode="after")
    def _fits_together(self) -> PlanRecord:
        for dataset in self.datasets:
            variants: dict[str, PlannedVariant] = {}
            for variant in self.on(dataset):
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
            _check_predictions(dataset, part, variants)
            if part.budget is not None:
                _check_budget(dataset, part.budget, list(variants.values()))
            if (design := self.designs.get(dataset)) is not None:
                _check_design(dataset, design, part, variants)
        return self


def _check_predictions(dataset: str, part: PlannedPart, variants: Collection[str]) -> None:
    """Raises ValueError for predictions that are not of these variants."""
    if (rule := part.prediction_rule) is None:
        return
    anchors = () if rule.anchor is None else (rule.anchor,)
    named = {rule.reference, *rule.references, *rule.references.values(), *anchors}
    named |= {name for of in part.predictions.values() for name in of}
    if not named <= set(variants):
        raise ValueError(f"a prediction on {dataset} is about a variant that is not there")
    if any(of.get(anchor, 0) <= 0 for of in part.predictions.values() for anchor in anchors):
        raise ValueError(f"a hypothesis on {dataset} predicts nothing of its anchor")


def _check_budget(dataset: str, budget: Budget, variants: Collection[PlannedVariant]) -> None:
    """Raises ValueError for lengths of training that are not those of these variants."""
    lengths: dict[str, dict[str, float]] = {budget.fast: {}, budget.slow: {}}
    for variant in variants:
        if not {budget.axis, budget.arms} <= variant.levels.keys():
            raise ValueError(f"a variant on {dataset} has no level of {budget.axis} or {budget.arms}")
        epochs = variant.settings.train.get("epochs")
        if isinstance(epochs, bool) or not isinstance(epochs, int | float) or not epochs > 0:  # nor NaN
            raise ValueError(f"a variant on {dataset} is not told how long to train")
        lengths.setdefault(variant.levels[budget.arms], {})[variant.levels[budget.axis]] = epochs
    rules, both = budget.rules, lengths[budget.fast].items() & lengths[budget.slow].items()
    asked = {rules.early, rules.before, rules.late} if rules else set()
    if not asked <= {level for level, _ in both}:
        raise ValueError(f"the rules for lengths on {dataset} name one that an arm does not have")


def _check_design(
    dataset: str, design: Design, part: PlannedPart, variants: dict[str, PlannedVariant]
) -> None:
    """Raises ValueError for a design that is not of these claims and seeds."""
    claims = {claim.id: claim.contrast for claim in part.claims}
    if {name: claim.contrast for name, claim in design.claims.items()} != claims:
        raise ValueError(f"the design for {dataset} is of other claims")
    counts = {len(variant.runs) for variant in variants.values()}
    if not design.looks or counts != {design.looks[-1]} or [*design.looks] != sorted({*design.looks}):
        raise ValueError(f"the looks on {dataset} do not end with the seeds that were planned")


def parsed_plan(contents: object) -> PlanRecord:
    """The contents of a plan, checked, and with what former versions left out.

    Raises:
        ValidationError: they are none.
    """
    # As JSON, which has no tuples: where those are wanted, lists will do.
    return PlanRecord.model_validate_json(json.dumps(contents))


def read_plan(folder: Path) -> PlanRecord:
    """The plan of a results folder.

    Raises:
        LabError: there is none, or none that a report could be made of.
    """
    path = folder / PLAN
    content, why = json_content(path)
    if why:
        raise LabError(f"{path}: {why}; start the run again to renew it")
    if content is None:
        raise LabError(f"{folder}: holds no plan.json; give the folder of one tier, as results/NAME/TIER")
    try:
        return parsed_plan(content)
    except ValidationError as error:
        why = first_problem(error)
        raise LabError(
            f"{path}: is not a plan as a run writes it ({why}); start the run again to renew it"
        ) from error
