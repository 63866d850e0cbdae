"""Variants out of the layers of an experiment file, laid over each other; what is impossible has its key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bottleneck_lab.config.ablations.parts import GROUPS, SECTIONS, Overrides, Part, Tier, Variant
from bottleneck_lab.config.ablations.tuning import TierTuning, Tuned
from bottleneck_lab.config.base import DatasetName, MeasureName, Unchecked
from bottleneck_lab.config.networks.inverted import NETWORKS
from bottleneck_lab.config.problems import Problems, sentence
from bottleneck_lab.config.settings import RunSettings

if TYPE_CHECKING:
    from bottleneck_lab.config.ablations.ablation import Ablation


Layer = tuple[str, Mapping[str, Mapping[str, Any]]]


def variants_of_part(
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


def trials_of_part(
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
    return variants_of_part(stage, part_name, dataset, tier, [*extra, *layers], problems)


def _network(layers: list[Layer]) -> str | None:
    """The network that the layers name: by `network`, or by `architecture` and `size`; the topmost counts.

    With the latter two, one layer can say which architecture, and another how large (for the images of a
    data set, say): "mobilenet_v1" and "small" are the network "mobilenet_v1_small".
    """
    chosen: Unchecked = {}
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


def _sections(overrides: Overrides) -> dict[str, Unchecked]:
    return {name: overrides.section(name) for name in SECTIONS}


def _merge(
    name: str, dataset: DatasetName, measures: Sequence[MeasureName], layers: list[Layer]
) -> RunSettings:
    """Lay the layers over each other, later ones on top, and validate the whole."""
    merged: dict[str, Unchecked] = {section: {} for section in SECTIONS}
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


def _lay_over(below: Unchecked, above: Mapping[str, Any]) -> None:
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


def all_differ(variants: list[Variant], problems: Problems) -> None:
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


def split_overrides(
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


def every_override_used(sections: list[str], variants: list[Variant], problems: Problems) -> None:
    """Add to `problems` the sections of overrides that no variant has a use for."""
    parts = {variant.part for variant in variants}
    for section in sections:
        if section not in SECTIONS and section not in parts:
            problems.add(f"--set {section}", "this part does not run with the data sets chosen")
