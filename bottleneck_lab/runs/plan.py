"""What a command is going to do: data sets, variants, seeds. Written down before anything is trained."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from bottleneck_lab import extend
from bottleneck_lab.config import (
    Ablation,
    DatasetName,
    Design,
    RunSettings,
    Tier,
    Unchecked,
    Variant,
    design_of,
)
from bottleneck_lab.config.ablations.tuning import Tuned
from bottleneck_lab.config.data import DataSettings
from bottleneck_lab.data import cifar
from bottleneck_lab.data.checksums import check_repeatable, checksums
from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.covariates import covariates_of
from bottleneck_lab.models import cost_of
from bottleneck_lab.records import files
from bottleneck_lab.records.names import PLAN

FETCH_SECONDS = 10.0  # how long an unasked-for download may take before the fallback is used


@dataclass(frozen=True)
class Data:
    """The data sets of a command: their names, where their files are, and what the user must know of them."""

    names: tuple[DatasetName, ...]
    folders: dict[str, Path] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


Fetch = Callable[[cifar.CifarLayout, float | None], Path]


def choose_data(
    ablation: Ablation, asked: Sequence[DatasetName], data_dir: Path | None, tier: Tier, fetch: Fetch
) -> Data:
    """Decide which data sets to run on, and find (or `fetch`) and verify their files.

    Those `asked` for are used, or the command fails. Otherwise every part uses its first data set; where its
    files are neither at hand nor fetched within `FETCH_SECONDS` (the smoke tier does not try), the first one
    that needs no files takes its place, and a notice says so.

    Raises:
        LabError: a data set that was asked for is not to be had or not part of the ablation; damaged files.
    """
    for name in asked:
        if ablation.part_of(name) is None:
            there = ", ".join(ablation.datasets())
            raise LabError(f"--dataset {name}: {ablation.name} cannot run on it; it runs on: {there}")
    names: list[DatasetName] = []
    folders: dict[str, Path] = {}
    notices: list[str] = []
    wanted = list(asked) or [next(iter(part.datasets)) for part in ablation.parts.values()]
    for name in dict.fromkeys(wanted):
        layout = cifar.LAYOUTS.get(name)
        if layout is None:
            names.append(name)
            continue
        folder = cifar.find_named(layout, data_dir)
        if folder is None:
            try:
                folder = _fetched(layout, fetch, tier, bool(asked))
            except LabError:
                fallback = _fallback(ablation, name)
                if asked or fallback is None:
                    raise
                names.append(fallback)
                instead = TITLES.get(fallback, fallback)
                notices.append(
                    f"{layout.title} was not found, so the images are {instead}: this says nothing "
                    f"about {layout.title}. To get it: bottleneck-lab data fetch {name}{_named_place()}"
                )
                continue
        cifar.verify(layout, folder)
        folders[name] = folder
        names.append(name)
    return Data(tuple(names), folders, tuple(notices))


TITLES: dict[DatasetName, str] = {
    "spiral": "spirals",
    "digits": "scikit-learn's 8 x 8 digits",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
}


def _named_place() -> str:
    """A hint for those who have named a place that does not hold the images."""
    place = os.environ.get("BOTTLENECK_LAB_DATA")
    return f" (BOTTLENECK_LAB_DATA={place} does not hold it)" if place else ""


def _fetched(layout: cifar.CifarLayout, fetch: Fetch, tier: Tier, asked: bool) -> Path:
    if asked:
        return fetch(layout, None)
    if tier == "smoke":
        raise LabError("the smoke tier downloads nothing that was not asked for")
    return fetch(layout, FETCH_SECONDS)


def _fallback(ablation: Ablation, name: DatasetName) -> DatasetName | None:
    part = ablation.parts[ablation.part_of(name) or ""]
    return next((other for other in part.datasets if other not in cifar.LAYOUTS), None)


@dataclass(frozen=True)
class Plan:
    """One command's runs.

    Args:
        ablation: the question.
        tier: how much is spent.
        data: the data sets, in order.
        variants: on all data sets.
        seeds: for each data set.
        designs: how the claims on each data set are judged; None for results that were planned when that was
            by the rules of `stats.judge`. It can name data sets of earlier plans in the same folder.
        overrides: what `--set` changed in the settings.
        checksums: what every run's data must turn out to be, wherever it is trained.
        tuned: what was chosen for the arms before.
    """

    ablation: Ablation
    tier: Tier
    data: Data
    variants: tuple[Variant, ...]
    seeds: Mapping[DatasetName, tuple[int, ...]]
    designs: Mapping[DatasetName, Design | None]
    overrides: Unchecked
    checksums: Mapping[DataSettings, dict[str, str]] = field(default_factory=dict)
    tuned: tuple[Tuned, ...] = ()

    def runs(self) -> list[RunSettings]:
        """Every run that there can be, variant by variant."""
        return [variant.with_seed(seed) for variant in self.variants for seed in self.seeds[variant.dataset]]

    def contents(self) -> dict[str, object]:
        """What `plan.json` holds: all that a report needs besides the runs."""
        variants: list[dict[str, object]] = []
        for variant in self.variants:
            cost = dataclasses.asdict(cost_of(variant.settings))
            del cost["uncounted"]  # which a notice tells of
            runs = {str(seed): variant.with_seed(seed).id for seed in self.seeds[variant.dataset]}
            description = json.loads(variant.model_dump_json())
            if self.ablation.parts[variant.part].predictions:
                found = covariates_of(variant.settings)
                description["covariates"] = found and dataclasses.asdict(found)
            data = {"checksums": self.checksums.get(variant.settings.data, {})}
            variants.append({**description, **cost, **data, "runs": runs})
        tuning = [{"hash": tuned.hash, **json.loads(tuned.model_dump_json())} for tuned in self.tuned]
        designs = {
            name: None if design is None else json.loads(design.model_dump_json())
            for name, design in self.designs.items()
        }
        return {
            "ablation": json.loads(self.ablation.model_dump_json(exclude={"file"})),
            "tier": self.tier,
            "datasets": list(self.data.names),
            "notices": list(self.data.notices),
            "overrides": self.overrides,
            **({"designs": designs} if any(designs.values()) else {}),
            "variants": variants,
            **({"tuning": tuning} if tuning else {}),
        }

    def write(self, results: Path) -> None:
        """Leave `plan.json` in the results folder."""
        files.write_json(results / PLAN, self.contents())


def _look_into(settings: DataSettings, folder: Path | None) -> dict[str, str]:
    """The checksums of a data set; one that was added is tried, so that a mistake is found in time."""
    if settings.dataset in extend.DATASETS.added:
        check_repeatable(settings)
    return checksums(settings, folder)


def _uncounted(variants: Sequence[Variant]) -> Iterator[str]:
    """A notice for every network that multiplies more than could be counted."""
    for variant in variants:
        if operators := cost_of(variant.settings).uncounted:
            yield (
                f"the MAdds of {variant.name} ({variant.dataset}) are too few: they lack what "
                f"{' and '.join(operators)} multiply, for which there is no rule"
            )


def make_plan(
    ablation: Ablation,
    tier: Tier,
    data: Data,
    seeds: Sequence[int] | None,
    overrides: Unchecked,
    tuned: Sequence[Tuned] = (),
) -> Plan:
    """All runs of an ablation on `data`; `seeds` replaces every tier's own number of seeds, and its looks.

    Raises:
        LabError: seeds that a setting was chosen with; settings that `overrides` makes impossible; an added
            data set that returns nonsense, or something else each time.
    """
    used = {trial.seed for each in tuned for trial in each.trials} & set(seeds or ())
    if used:
        raise LabError(
            f"--seeds: settings are chosen with the seed {min(used)}, which must not judge them, too"
        )
    variants = tuple(ablation.variants(tier, data.names, overrides, tuned))
    data = dataclasses.replace(data, notices=(*data.notices, *_uncounted(variants)))
    found = {
        settings: _look_into(settings, data.folders.get(settings.dataset))
        for settings in dict.fromkeys(variant.settings.data for variant in variants)
    }
    numbers: dict[DatasetName, tuple[int, ...]] = {}
    designs: dict[DatasetName, Design | None] = {}
    for name in data.names:
        spent = ablation.spending(tier, name)
        numbers[name] = tuple(seeds or spent.every_seed)
        part = ablation.part_of(name) or ""
        sequential = spent.looks is not None and not seeds
        looks = spent.looks if spent.looks and sequential else (len(numbers[name]),)
        designs[name] = design_of(part, ablation.parts[part], looks, sequential)
    return Plan(ablation, tier, data, variants, numbers, designs, overrides, found, tuple(tuned))


def keep_to(before: object, plan: Plan, results: Path) -> Plan:
    """The plan, with the rules by which results in the same folder were planned before.

    Args:
        before: the content of the folder's `plan.json`; anything else than a plan counts as none.
        plan: the one that is to take its place.
        results: the folder.

    Raises:
        LabError: fixed seeds would become planned looks, or the other way round, or the looks or claims of
            planned looks would change: either voids what its verdicts promise.
    """
    earlier = _designs(before)
    designs: dict[DatasetName, Design | None] = {**earlier, **plan.designs}
    for name, design in plan.designs.items():
        if name not in earlier or design is None:
            continue
        was = earlier[name]
        if design.sequential or (was is not None and was.sequential):
            if design != was:
                raise LabError(_refusal(results, name, was, design))
        elif was is None:
            designs[name] = None
    return dataclasses.replace(plan, designs=designs)


def _designs(before: object) -> dict[str, Design | None]:
    """How the claims on each data set of an earlier plan are judged."""
    if not isinstance(before, dict):
        return {}
    found: dict[str, Design | None] = dict.fromkeys(map(str, before.get("datasets", [])))
    for name, design in before.get("designs", {}).items():
        with contextlib.suppress(ValidationError):
            found[name] = None if design is None else Design.model_validate_json(json.dumps(design))
    return found


def _refusal(results: Path, dataset: str, was: Design | None, now: Design) -> str:
    before, after = _named(was), _named(now)
    if before == after:
        before, after = f"{before} and other claims, margins or weights", "those of today"
    return (
        f"{results}: {dataset} was planned with {before}, and this is {after}; a plan that changes when "
        "results are there voids its verdicts: choose another --out"
    )


def _named(design: Design | None) -> str:
    if design is None or not design.sequential:
        return "fixed seeds"
    return f"looks after {', '.join(map(str, design.looks))} seeds"
