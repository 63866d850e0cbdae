"""The parts of an experiment file: axes and levels, claims, data sets, and what each tier spends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bottleneck_lab.config.ablations.budget import Budget
from bottleneck_lab.config.ablations.paper import Paper
from bottleneck_lab.config.ablations.predictions import PredictionRule, Predictions
from bottleneck_lab.config.ablations.tuning import TierTuning, Tuning
from bottleneck_lab.config.base import DatasetName, Later, MeasureName, Settings, Unchecked
from bottleneck_lab.config.settings import RunSettings

Tier = Literal["smoke", "quick", "laptop", "paper"]


# What each tier spends, and which conclusions it can carry.
TIERS: dict[Tier, str] = {
    "smoke": "seconds; shows that everything runs and carries no conclusion",
    "quick": "minutes on 2 cores; carries large effects only",
    "laptop": "an hour or more on 2 cores; small networks, for effects of a few points",
    "paper": "days on a GPU; the paper's network and a full recipe",
}


SECTIONS = ("model", "data", "train")


GROUPS = ("initial",)  # settings that have settings in them


SEPARATOR = ", "  # of the levels in a variant's name


MINUS = " - "  # between two measures


MOST_AXES, MOST_VARIANTS = 10, 1000  # of a part


class Overrides(Settings):
    """Settings that one layer of an ablation file adds to those below it."""

    model: Unchecked = Field(default_factory=dict)
    data: Unchecked = Field(default_factory=dict)
    train: Unchecked = Field(default_factory=dict)

    def section(self, name: str) -> Unchecked:
        """The part for `model`, `data` or `train`."""
        found: Unchecked = getattr(self, name)
        return found


class Level(Overrides):
    """One level of an axis; `about` says in a line what it is for."""

    about: Annotated[str, Later()] = ""


Count = Annotated[int, Field(ge=1, le=10_000)]


class TierSettings(Overrides):
    """What one tier spends on a data set: seeds, and the settings that make it cheap or dear.

    Args:
        seeds: of every variant.
        looks: instead, after how many seeds the claims are judged; what an open claim needs goes on.
        first_seed: the seeds begin with it.
        tuning: how settings are chosen for the arms before.
    """

    seeds: Count | None = None
    looks: Annotated[tuple[Count, ...] | None, Field(min_length=1), Later()] = None
    first_seed: Annotated[int, Field(ge=0), Later()] = 0
    tuning: Annotated[TierTuning | None, Later()] = None

    @model_validator(mode="after")
    def _either(self) -> TierSettings:
        if (self.seeds is None) == (self.looks is None):
            raise ValueError("give either seeds (their number) or looks (after how many seeds to judge)")
        if self.looks and any(later <= earlier for earlier, later in itertools.pairwise(self.looks)):
            raise ValueError(f"looks come after more and more seeds, not {list(self.looks)}")
        return self

    @property
    def every_seed(self) -> range:
        """The seeds that a variant can get."""
        return range(self.first_seed, self.first_seed + (self.looks[-1] if self.looks else self.seeds or 0))


class DatasetSettings(Overrides):
    """How a part is run on one data set, tier by tier. Those of the catalogue have all four tiers."""

    tiers: dict[Tier, TierSettings] = Field(min_length=1)


HEADLINE_WEIGHT = 4.0  # of a claim that answers the question, beside 1 of the others


class Claim(Settings):
    """A sentence of the paper turned into a comparison that can come out either way.

    Args:
        contrast: a weight for each variant named; the claim is about the weighted sum of their accuracies,
            seed by seed. +1 and -1 make a difference of two variants; four weights an interaction.
        kind: `difference` claims that the contrast is above 0, `equivalence` that it is within +-margin.
        margin: the accuracy (0 to 1) below which a difference does not matter.
        measure: what the contrast is of: `accuracy`, or one of the part's measures; or the difference of two
            of these, as `accuracy - lost_int8`. Of a difference it may be about a single variant.
        paper: the same contrast in the paper, in percentage points.
        headline: whether it answers the question of the ablation, and so stands first in its report; without
            one the first claim does.
        family: the claims with which it shares the 5 % for wrong verdicts; without a name, all of its part
            that have none.
        weight: its part of these 5 %, beside the weights of the others; 1, or `HEADLINE_WEIGHT`.
    """

    id: str
    statement: str
    source: str
    contrast: dict[str, float] = Field(min_length=1)
    kind: Literal["difference", "equivalence"] = "difference"
    margin: float = Field(gt=0, lt=1)
    measure: str = "accuracy"
    paper: float | None = None
    headline: bool = False
    family: Annotated[str | None, Later()] = None
    weight: Annotated[float | None, Field(gt=0), Later()] = None

    @field_validator("contrast")
    @classmethod
    def _balanced(cls, contrast: dict[str, float]) -> dict[str, float]:
        if len(contrast) > 1 and abs(sum(contrast.values())) > 1e-9:
            raise ValueError(f"the weights must sum to 0, not {sum(contrast.values()):g}")
        if idle := [name for name, weight in contrast.items() if weight == 0]:
            raise ValueError(f"a weight of 0 compares nothing: {', '.join(map(repr, idle))}")
        return contrast

    @model_validator(mode="after")
    def _compares(self) -> Claim:
        if len(self.contrast) == 1 and len(terms_of(self.measure)) == 1:
            raise ValueError(
                f"contrast = {self.contrast}: compares one variant with none; name two, or a measure that is "
                "the difference of two, as 'accuracy - lost_int8'"
            )
        return self


def terms_of(measure: str) -> tuple[str, ...]:
    """What a claim is of: one measure, or two of which the second is taken from the first."""
    return tuple(measure.split(MINUS, 1))


class Part(Overrides):
    """The ablation on one kind of data: its variants are all combinations of the levels of its axes.

    Args:
        datasets: in order of preference; without `--dataset`, the first that is at hand is used.
        without: combinations, by the variant's name, that are left out.
        facet: the axis with numbers for levels (a width, say) that accuracy is drawn against.
        heat_map: two axes, down and across, of a map of all variants' accuracies.
        measures: what is measured of every network besides its accuracy.
        contrasts: how contrasts of accuracies are taken to be spread over seeds: as "normal", or only as
            "bounded", which takes more seeds, and holds for networks that leave chance or do not.
        paper: what the paper reports of these variants.
        budget: the axis that is training length, and the two arms compared along it.
        hypotheses: what each hypothesis says, in a sentence.
        predictions: what each predicts of variants.
        prediction_rule: how that is held against what is measured.
        tuning: how a setting is chosen for each arm before that.
    """

    title: str
    datasets: dict[DatasetName, DatasetSettings] = Field(min_length=1)
    axes: dict[str, dict[str, Level]] = Field(min_length=1, max_length=MOST_AXES)
    without: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    facet: str | None = None
    heat_map: tuple[str, str] | None = None
    measures: tuple[MeasureName, ...] = ()
    contrasts: Annotated[Literal["normal", "bounded"], Later()] = "normal"
    paper: Paper | None = None
    budget: Annotated[Budget | None, Later()] = None
    hypotheses: Annotated[dict[str, str], Later()] = Field(default_factory=dict)
    predictions: Annotated[Predictions, Later()] = Field(default_factory=dict)
    prediction_rule: Annotated[PredictionRule | None, Later()] = None
    tuning: Annotated[Tuning | None, Later()] = None

    @field_validator("axes")
    @classmethod
    def _have_levels(cls, axes: dict[str, dict[str, Level]]) -> dict[str, dict[str, Level]]:
        if empty := [name for name, levels in axes.items() if not levels]:
            raise ValueError(f"an axis without levels leaves no variants: {', '.join(empty)}")
        if (count := math.prod(map(len, axes.values()))) > MOST_VARIANTS:
            raise ValueError(
                f"{count:,} combinations of levels; a part has at most {MOST_VARIANTS:,} variants"
            )
        return axes

    def variants(self) -> Iterator[tuple[str, dict[str, str], tuple[Overrides, ...]]]:
        """Every variant: its name, its level on each axis, and the settings of these levels."""
        for levels in itertools.product(*(axis.items() for axis in self.axes.values())):
            names = dict(zip(self.axes, (name for name, _ in levels), strict=True))
            name = SEPARATOR.join(names.values())
            if name not in self.without:
                yield name, names, tuple(overrides for _, overrides in levels)


class Variant(Settings):
    """One named setting of the network on one data set, with its level on each axis of its part."""

    name: str
    dataset: DatasetName
    part: str
    levels: dict[str, str]
    settings: RunSettings  # of seed 0

    def with_seed(self, seed: int) -> RunSettings:
        """The run of this variant with that seed."""
        return self.settings.model_copy(update={"seed": seed})
