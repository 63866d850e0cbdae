"""An ablation: one question, its variants and claims, and the runs that answer it. Knows nothing of torch."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from bottleneck_lab.config.ablations.budget import Budget
from bottleneck_lab.config.ablations.predictions import PredictionRule, Predictions, check_predictions
from bottleneck_lab.config.ablations.tuning import TierTuning, Tuned, Tuning
from bottleneck_lab.config.base import DatasetName, Later, MeasureName, Settings
from bottleneck_lab.config.networks.inverted import NETWORKS
from bottleneck_lab.config.problems import Problems, sentence
from bottleneck_lab.config.settings import ImageSettings, RunSettings

Tier = Literal["smoke", "quick", "laptop", "paper"]

# What each tier spends, and which conclusions it can carry.
TIERS: dict[Tier, str] = {
    "smoke": "seconds; shows that everything runs and carries no conclusion",
    "quick": "minutes on 2 cores; carries large effects only",
    "laptop": "hours on 2 cores; small networks trained on all images, for effects of a few points",
    "paper": "days on a GPU; the paper's network and a full recipe",
}

SECTIONS = ("model", "data", "train")
GROUPS = ("initial",)  # settings that have settings in them
SEPARATOR = ", "  # of the levels in a variant's name
MINUS = " - "  # between two measures
MOST_AXES, MOST_VARIANTS = 10, 1000  # of a part


class Overrides(Settings):
    """Settings that one layer of an ablation file adds to those below it."""

    model: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)

    def section(self, name: str) -> dict[str, Any]:
        """The part for `model`, `data` or `train`."""
        found: dict[str, Any] = getattr(self, name)
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


class PaperTable(Settings):
    """A table of numbers from the paper, to be printed beside ours as it stands.

    Args:
        title: what it shows.
        columns: their names; the first is that of the rows.
        rows: each with as many cells as there are columns.
    """

    title: str
    columns: tuple[str, ...] = Field(min_length=1)
    rows: tuple[tuple[str | float, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rectangular(self) -> PaperTable:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")
        return self


Share = Annotated[float, Field(ge=0, le=100)]  # in percent


class PaperCurves(Settings):
    """Accuracy over training, as the paper draws it: one run a curve.

    Args:
        unit: what training is counted in, as "million steps".
        reference: the variant that the others are compared with.
        top1: points of each variant's curve: how far training was, and top-1 accuracy in percent then.
    """

    unit: str
    reference: str
    top1: dict[str, Annotated[tuple[tuple[float, Share], ...], Field(min_length=1)]] = Field(min_length=2)

    @model_validator(mode="after")
    def _are_curves(self) -> PaperCurves:
        if self.reference not in self.top1:
            raise ValueError(f"the reference {self.reference!r} has no curve")
        for name, points in self.top1.items():
            times = [time for time, _ in points]
            if any(later <= earlier for earlier, later in itertools.pairwise(times)):
                raise ValueError(f"the points of {name!r} are not in the order of training")
        return self


Costed = tuple[Annotated[float, Field(gt=0)], Share]  # millions of MAdds, and top-1 accuracy in percent


class Paper(Settings):
    """What the paper reports of a part's variants, on its own data.

    Args:
        data: the paper's data set, as it must stand beside every number.
        source: where the numbers stand.
        top1: top-1 accuracy of variants, in percent.
        curves: their accuracy over training.
        madds: accuracy against MAdds, by line: the points of its networks, the cheapest first.
        tables: further numbers.
    """

    data: str
    source: str
    top1: dict[str, Share] = Field(default_factory=dict)
    curves: PaperCurves | None = None
    madds: dict[str, Annotated[tuple[Costed, ...], Field(min_length=1)]] = Field(default_factory=dict)
    tables: tuple[PaperTable, ...] = ()

    @field_validator("madds")
    @classmethod
    def _are_in_order(cls, madds: dict[str, tuple[Costed, ...]]) -> dict[str, tuple[Costed, ...]]:
        for name, points in madds.items():
            if any(more <= less for (less, _), (more, _) in itertools.pairwise(points)):
                raise ValueError(f"the points of {name!r} are not in the order of their MAdds")
        return madds


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


class Ablation(Settings):
    """One file of `experiments/`.

    Args:
        question: what is asked, in a sentence.
        source: where the paper speaks of it.
        reported: what the paper reports.
        against: what would count against the paper's claim.
    """

    name: str
    file: str
    question: str
    source: str
    reported: str
    against: str
    parts: dict[str, Part] = Field(min_length=1)

    def part_of(self, dataset: str) -> str | None:
        """Name of the part that can run on `dataset`, if one can."""
        return next((name for name, part in self.parts.items() if dataset in part.datasets), None)

    def datasets(self) -> tuple[DatasetName, ...]:
        """Every data set that this ablation can run on."""
        return tuple(dataset for part in self.parts.values() for dataset in part.datasets)

    def spending(self, tier: Tier, dataset: DatasetName) -> TierSettings:
        """What a tier spends on a data set."""
        part = self.parts[self.part_of(dataset) or ""]
        return part.datasets[dataset].tiers[tier]

    def variants(
        self,
        tier: Tier,
        datasets: Sequence[DatasetName],
        overrides: Mapping[str, Any] | None = None,
        tuned: Iterable[Tuned] = (),
    ) -> list[Variant]:
        """Every variant on the given data sets with a tier's settings, validated.

        `overrides` is what `--set` says: {"train": {"epochs": 3}}, or {"images": {"train": ...}} for a part.
        `tuned` is what was chosen for their arms.

        Raises:
            LabError: naming file, key and reason of every impossible setting, all at once.
        """
        problems = Problems(self.file)
        chosen, sections = _split_overrides(self, overrides or {}, problems)
        variants = []
        for dataset in datasets:
            part_name = self.part_of(dataset)
            if part_name is None:
                problems.add(
                    "--dataset", f"{self.name} has no data set {dataset!r}", dataset, self.datasets()
                )
                continue
            tiers = self.parts[part_name].datasets[dataset].tiers
            if tier not in tiers:
                problems.add(f"--tier {tier}", f"{dataset} has no such tier", tier, tiers)
                continue
            extra = [layer for name, layer in chosen if name in (None, part_name)]
            choice = next((each for each in tuned if each.dataset == dataset), None)
            variants += _variants(self.parts[part_name], part_name, dataset, tier, extra, problems, choice)
        problems.complain()
        if overrides:
            _all_differ(variants, problems)
            _every_override_used(sections, variants, problems)
        problems.complain()
        return variants

    def trials(
        self,
        tier: Tier,
        dataset: DatasetName,
        grid: Sequence[float],
        overrides: Mapping[str, Any] | None = None,
    ) -> list[Variant]:
        """What is trained to choose a setting: every arm with every value of `grid`.

        Raises:
            LabError: naming file, key and reason of every impossible setting, all at once.
        """
        problems = Problems(self.file)
        name = self.part_of(dataset) or ""
        chosen, _ = _split_overrides(self, overrides or {}, problems)
        extra = [layer for part, layer in chosen if part in (None, name)]
        variants = _trials(self.parts[name], name, dataset, tier, grid, extra, problems)
        problems.complain()
        return variants

    def tuning_seeds(self, tier: Tier, dataset: DatasetName) -> tuple[int, ...]:
        """The seeds that a setting is chosen with."""
        part = self.parts[self.part_of(dataset) or ""]
        own = part.datasets[dataset].tiers[tier].tuning
        assert part.tuning is not None
        return part.tuning.seeds if own is None or own.seeds is None else own.seeds

    def check(self) -> None:
        """Refuse a file that could not run: impossible settings in any tier, claims about nothing.

        Raises:
            LabError: naming file, key and reason of every problem, all at once.
        """
        problems = Problems(self.file)
        for part_name, part in self.parts.items():
            _check_part(self, part_name, part, problems)
        ids = Counter(claim.id for part in self.parts.values() for claim in part.claims)
        for twice in sorted(name for name, count in ids.items() if count > 1):
            problems.add("claims", f"two claims have the id {twice!r}; ids must differ")
        problems.complain()


def _namesakes(axes: Mapping[str, Iterable[str]]) -> tuple[str, str, str] | None:
    """Two combinations of levels whose names, joined, are one name, and that name; None where all differ.

    Figures leave axes out of the names of lines, so combinations on some of the axes must differ, too.
    """
    if not any(SEPARATOR in level for levels in axes.values() for level in levels):
        return None  # then a name can be taken apart again
    for count in range(2, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            seen: dict[str, tuple[str, ...]] = {}
            for levels in itertools.product(*(axes[axis] for axis in chosen)):
                twin = seen.setdefault(name := SEPARATOR.join(levels), levels)
                if twin != levels:
                    return _combination(chosen, twin), _combination(chosen, levels), name
    return None


def _combination(axes: Iterable[str], levels: Iterable[str]) -> str:
    named = zip(axes, (json.dumps(level, ensure_ascii=False) for level in levels), strict=True)
    return " with ".join(f"{axis}.{level}" for axis, level in named)


def _check_part(ablation: Ablation, part_name: str, part: Part, problems: Problems) -> None:
    here = f"parts.{part_name}"
    if namesakes := _namesakes(part.axes):
        one, other, name = namesakes
        problems.add(f"{here}.axes", f"{one} and {other} would both be called {name!r}; rename a level")
    names = [name for name, _, _ in part.variants()]
    check_predictions(here, part.predictions, part.prediction_rule, part.hypotheses, names, problems)
    if not names:
        problems.add(f"{here}.without", "leaves no variants")
    if part.facet is not None and part.facet not in part.axes:
        problems.add(f"{here}.facet", f"{part.facet!r} is no axis", part.facet, part.axes)
    for axis in part.heat_map or ():
        if axis not in part.axes:
            problems.add(f"{here}.heat_map", f"{axis!r} is no axis", axis, part.axes)
    if part.heat_map is not None and sorted(part.axes) != sorted(part.heat_map):
        problems.add(f"{here}.heat_map", "a map shows two different axes, and needs a part with no others")
    if part.budget is not None:
        part.budget.check(f"{here}.budget", part.axes, problems)
    if part.tuning is not None:
        part.tuning.check(f"{here}.tuning", part.axes, problems)
        _check_tuning(ablation, part_name, part, problems)
    every = [SEPARATOR.join(levels) for levels in itertools.product(*part.axes.values())]
    for name in part.without:
        if name not in every:
            problems.add(f"{here}.without", f"{name!r} is no combination of levels", name, every)
    for name in part.paper.top1 if part.paper else ():
        if name not in names:
            problems.add(f"{here}.paper.top1", f"{name!r} is no variant of this part", name, names)
    for name in part.paper.curves.top1 if part.paper and part.paper.curves else ():
        if name not in names:
            problems.add(f"{here}.paper.curves.top1", f"{name!r} is no variant of this part", name, names)
    for claim in part.claims:
        place = f"{here}.claims.{claim.id}"
        for name in claim.contrast:
            if name not in names:
                problems.add(f"{place}.contrast", f"{name!r} is no variant of this part", name, names)
        known = ("accuracy", *part.measures)
        for term in terms_of(claim.measure):
            if term not in known:
                problems.add(f"{place}.measure", f"{term!r} is no measure of this part", term, known)
        if claim.paper is not None and part.paper is None:
            problems.add(f"{place}.paper", f"needs {here}.paper, which says whose number it is")
    for dataset in part.datasets:
        if ablation.part_of(dataset) != part_name:
            problems.add(f"{here}.datasets.{dataset}", "another part has this data set already")
        for tier in part.datasets[dataset].tiers:
            found = _variants(part, part_name, dataset, tier, [], problems)
            _all_differ(found, problems)


Layer = tuple[str, Mapping[str, Mapping[str, Any]]]


def _variants(
    part: Part,
    part_name: str,
    dataset: DatasetName,
    tier: Tier,
    extra: list[Layer],
    problems: Problems,
    tuned: Tuned | None = None,
) -> list[Variant]:
    """The variants of one part on one data set; what is impossible is added to `problems`."""
    here = f"parts.{part_name}"
    on = part.datasets[dataset]
    below: list[Layer] = [
        (here, _sections(part)),
        (f"{here}.datasets.{dataset}", _sections(on)),
        (f"{here}.datasets.{dataset}.tiers.{tier}", _sections(on.tiers[tier])),
    ]
    found = []
    for name, levels, overrides in part.variants():
        if problems.are_plenty:
            break
        above = [
            (f"{here}.axes.{axis}.{level}", _sections(setting))
            for (axis, level), setting in zip(levels.items(), overrides, strict=True)
        ]
        layers = [*below, *above, *([_chosen(tuned, levels)] if tuned else []), *extra]
        _refuse_tags(layers, problems)
        if not _names_a_network(here, layers, problems):
            continue
        try:
            settings = _merge(name, dataset, part.measures, layers)
        except ValidationError as error:
            for each in sentence(error, RunSettings):
                place = f"{here} ({each.key})" if each.key else here
                problems.add(_blame(each.key, layers) or place, each.reason, each.name, each.valid)
            continue
        found.append(Variant(name=name, dataset=dataset, part=part_name, levels=levels, settings=settings))
    return found


def _chosen(tuned: Tuned, levels: Mapping[str, str]) -> Layer:
    """What was chosen for the arm of a variant, as a layer."""
    section, _, key = tuned.setting.partition(".")
    return "tuning", {section: {key: tuned.chosen[levels[tuned.arms]]}}


def _trials(
    part: Part,
    part_name: str,
    dataset: DatasetName,
    tier: Tier,
    grid: Sequence[float],
    extra: list[Layer],
    problems: Problems,
) -> list[Variant]:
    """The arms with every value of a grid, as variants of a part whose axes are these two."""
    tuning, here = part.tuning, f"parts.{part_name}"
    assert tuning is not None
    section, _, key = tuning.setting.partition(".")
    values = {f"{value:g}": Overrides.model_validate({section: {key: value}}) for value in grid}
    axes = {tuning.arms: part.axes[tuning.arms], tuning.setting: values}
    stage = part.model_copy(update={"axes": axes, "without": (), "measures": ()})
    own = part.datasets[dataset].tiers[tier].tuning or TierTuning()
    layers: list[Layer] = [
        (f"{here}.tuning", {"data": tuning.data, "train": tuning.train}),
        (f"{here}.datasets.{dataset}.tiers.{tier}.tuning", {"data": own.data, "train": own.train}),
    ]
    return _variants(stage, part_name, dataset, tier, [*extra, *layers], problems)


def _check_tuning(ablation: Ablation, part_name: str, part: Part, problems: Problems) -> None:
    """Trials that are possible, on images and seeds of their own, in every tier."""
    assert part.tuning is not None
    if part.tuning.arms not in part.axes:
        return
    here = f"parts.{part_name}"
    for dataset, on in part.datasets.items():
        for tier in on.tiers:
            place = f"{here}.datasets.{dataset}.tiers.{tier}"
            for trial in _trials(part, part_name, dataset, tier, part.tuning.grid, [], problems)[:1]:
                data = trial.settings.data
                if not isinstance(data, ImageSettings) or not data.tuning_images:
                    problems.add(
                        f"{place}.tuning", "data.tuning_images is not set: there is nothing to choose on"
                    )
            every = ablation.spending(tier, dataset).every_seed
            if used := set(ablation.tuning_seeds(tier, dataset)) & set(every):
                problems.add(f"{place}.tuning.seeds", f"{min(used)} is a seed of the comparison, too")


def _network(layers: list[Layer]) -> str | None:
    """The network that the layers name: by `network`, or by `architecture` and `size`; the topmost counts.

    With the latter two, one layer can say which architecture, and another how large (for the images of a
    data set, say): "mobilenet_v1" and "small" are the network "mobilenet_v1_small".
    """
    chosen: dict[str, Any] = {}
    for _, layer in layers:
        model = layer.get("model", {})
        if "network" in model:
            chosen = {"network": model["network"]}
        elif found := {key: model[key] for key in ("architecture", "size") if key in model}:
            chosen.pop("network", None)
            chosen |= found
    if "network" in chosen:
        return str(chosen["network"])
    return f"{chosen['architecture']}_{chosen['size']}" if len(chosen) == 2 else None


def _names_a_network(here: str, layers: list[Layer], problems: Problems) -> bool:
    """Whether the layers name a network that there is."""
    name = _network(layers)
    if name is None:
        halves = [key for key in ("architecture", "size") if _blame(f"model.{key}", layers)]
        if len(halves) == 1:
            other = {"architecture": "size", "size": "architecture"}[halves[0]]
            problems.add(f"{here} (model.{other})", f"missing beside model.{halves[0]}")
        else:
            problems.add(f"{here} (model.network)", "missing")
    elif name not in NETWORKS:
        keys = ("model.network", "model.architecture", "model.size")
        place = next((found for key in keys if (found := _blame(key, layers))), here)
        problems.add(place, f"{name!r} is not known", name, NETWORKS)
    return name in NETWORKS


def _sections(overrides: Overrides) -> dict[str, dict[str, Any]]:
    return {name: overrides.section(name) for name in SECTIONS}


def _merge(
    name: str, dataset: DatasetName, measures: Sequence[MeasureName], layers: list[Layer]
) -> RunSettings:
    """Lay the layers over each other, later ones on top, and validate the whole."""
    merged: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for _, layer in layers:
        for section in SECTIONS:
            _lay_over(merged[section], layer.get(section, {}))
    network = _network(layers) or ""
    chosen = ("architecture", "size", "family")  # say which network it is, and are no settings of it
    given = {key: value for key, value in merged["model"].items() if key not in chosen}
    merged["model"] = {**NETWORKS[network], **given, "network": network}
    merged["data"] = {**merged["data"], "dataset": dataset}
    whole = {"variant": name, "seed": 0, **merged, "measures": list(measures)}
    return RunSettings.model_validate_json(json.dumps(whole, default=str))


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Put the settings `above` in place of those `below`; a group of settings (`initial`) key by key."""
    for key, value in above.items():
        if key in GROUPS and isinstance(value, Mapping) and isinstance(below.get(key), Mapping):
            below[key] = {**below[key], **value}
        else:
            below[key] = value


def _blame(key: str, layers: list[Layer]) -> str | None:
    """Where the offending key was written: the topmost layer that holds it."""
    section, _, rest = key.partition(".")
    first = rest.split(".")[0]
    for place, layer in reversed(layers):
        if first in layer.get(section, {}):
            return _under(place, key)
    return None


def _under(place: str, key: str) -> str:
    return f"{place} {key}" if place == "--set" else f"{place}.{key}"


def _refuse_tags(layers: list[Layer], problems: Problems) -> None:
    """What tells networks and data apart follows from their names, and cannot be set to contradict them."""
    for place, layer in layers:
        if "family" in layer.get("model", {}):
            problems.add(_under(place, "model.family"), "unknown key; model.network says which it is")
        if "dataset" in layer.get("data", {}):
            problems.add(_under(place, "data.dataset"), "unknown key; `datasets` and --dataset choose it")


def _all_differ(variants: list[Variant], problems: Problems) -> None:
    """Two variants with the same settings would be one variant under two names."""
    seen: dict[tuple[str, str], str] = {}
    said = set()
    for variant in variants:
        settings = variant.settings.model_dump_json(exclude={"variant"})
        twin = seen.setdefault((variant.dataset, settings), variant.name)
        if twin != variant.name and variant.part not in said:
            said.add(variant.part)
            reason = f"the variants {twin!r} and {variant.name!r} have equal settings"
            problems.add(f"parts.{variant.part}.axes", reason)


def _split_overrides(
    ablation: Ablation, overrides: Mapping[str, Any], problems: Problems
) -> tuple[list[tuple[str | None, Layer]], list[str]]:
    """Sort what `--set` says into layers, each for one part or (None) for all."""
    chosen: list[tuple[str | None, Layer]] = []
    everywhere = {key: value for key, value in overrides.items() if key in SECTIONS}
    chosen.append((None, ("--set", everywhere)))
    for key, value in overrides.items():
        if key in SECTIONS:
            continue
        if key not in ablation.parts or not isinstance(value, Mapping):
            problems.add(f"--set {key}", "no such section", key, [*SECTIONS, *ablation.parts])
        elif unknown := [name for name in value if name not in SECTIONS]:
            problems.add(f"--set {key}.{unknown[0]}", "no such section", unknown[0], SECTIONS)
        elif bare := [name for name, settings in value.items() if not isinstance(settings, Mapping)]:
            problems.add(f"--set {key}.{bare[0]}", f"is a section; set a key of it, not {value[bare[0]]!r}")
        else:
            chosen.append((key, (f"--set {key}", value)))
    return chosen, list(overrides)


def _every_override_used(sections: list[str], variants: list[Variant], problems: Problems) -> None:
    parts = {variant.part for variant in variants}
    for section in sections:
        if section not in SECTIONS and section not in parts:
            problems.add(f"--set {section}", "this part does not run with the data sets chosen")
