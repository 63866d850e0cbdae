"""Two results folders side by side: what was set differently, and which numbers differ beyond noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from bottleneck_lab.config import Unchecked
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.results.folders import result_folders
from bottleneck_lab.records.results.plan import PlannedSettings, PlannedVariant
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.findings.claims import measure_known_as
from bottleneck_lab.report.findings.judged import with_intervals_as_judged
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import holm, mean_interval, t_test, welch
from bottleneck_lab.stats.families.judgement import SEEDS_FOR_A_VERDICT

ALPHA = 0.05
PER_RUN = ("trained_together", "host")  # no reason for other numbers

Values = tuple[object, object]  # of A and of B; None where there is none


@dataclass(frozen=True)
class Compared:
    """The held-out accuracies, or a measure, of one variant in both folders: do they differ beyond noise?

    Args:
        variant: its name.
        dataset: on which it was trained.
        measure: `accuracy`, or the name of a measure.
        label: what that is, in words.
        share: whether it is 0 to 1; a measure may have a unit of its own.
        means: over seeds; None without a finished run.
        n_seeds: how many finished runs there are.
        method: `paired` by seed, where the settings are the same and so are at least two seeds; else `welch`;
            `none` where a folder has no finished run.
        n_pairs: seeds that both have, of a variant with the same settings.
        n_identical: of these, how many runs have the same accuracy and are right about the same examples; how
            many have the same value of a measure.
        difference: of the means compared, B minus A.
        low: lower end of its 95 % interval; None for too few seeds.
        high: upper end of the same.
        p_value: of no difference; None with fewer than three seeds.
        p_holm: the same after Holm's correction over all comparisons of the command.
        differs: whether `p_holm` is below 5 %.
    """

    variant: str
    dataset: str
    measure: str
    label: str
    share: bool
    means: tuple[float | None, float | None]
    n_seeds: tuple[int, int]
    method: Literal["paired", "welch", "none"]
    n_pairs: int
    n_identical: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None = None
    differs: bool = False


@dataclass(frozen=True)
class ClaimPair:
    """One claim in both folders; `changed` where their verdicts are not the same."""

    id: str
    dataset: str
    share: bool
    estimates: tuple[float | None, float | None]
    intervals: tuple[tuple[float | None, float | None], tuple[float | None, float | None]]
    verdicts: tuple[str, str]
    changed: bool


@dataclass(frozen=True)
class Comparison:
    """One ablation and tier that both folders have.

    Args:
        name: of the folder below both, as `NAME/TIER`.
        only_in_a: variants, each as `VARIANT on DATASET`, that B does not have.
        only_in_b: those that A does not have.
        shared: settings that differ in the same way for all variants, by key.
        settings: what differs besides, by variant.
        overrides: of the two commands, where they differ.
        seeds: planned ones, by variant, where they differ.
        environment: versions, commits, devices: the values of all finished runs, by key, where they differ.
        checksums: of data files, likewise.
        strays: how many files each folder has that were left out.
        accuracies: a row a variant that both have.
        measures: a row a variant and measure that both have.
        claims: those that both have.
    """

    name: str
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    shared: dict[str, Values]
    settings: dict[str, dict[str, Values]]
    overrides: tuple[Unchecked, Unchecked] | None
    seeds: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    environment: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    checksums: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    strays: tuple[int, int]
    accuracies: tuple[Compared, ...]
    measures: tuple[Compared, ...]
    claims: tuple[ClaimPair, ...]


@dataclass(frozen=True)
class SideBySide:
    """Everything that both folders have, and the names of what only one of them has."""

    comparisons: tuple[Comparison, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]


def compare(a: Path, b: Path) -> SideBySide:
    """Compare two folders of one ablation and tier, or all that two folders of these have in common.

    Accuracies and measures are compared over seeds: in pairs where a variant has the same settings and seeds
    in both, else as independent samples (Welch); Holm's correction is over all of these in all comparisons.

    Raises:
        LabError: a folder that holds no results, or two that have nothing in common.
    """
    first, second = _tiers(a), _tiers(b)
    names = [name for name in first if name in second]
    if not names:
        raise LabError(
            f"{a} and {b} have no ablation and tier in common ({', '.join(first)}; {', '.join(second)}); "
            "name the two folders themselves, as results/NAME/TIER or figures/NAME"
        )
    found = [_comparison(name, collect(first[name]), collect(second[name])) for name in names]
    return SideBySide(
        comparisons=_corrected(found),
        only_in_a=tuple(name for name in first if name not in second),
        only_in_b=tuple(name for name in second if name not in first),
    )


def _tiers(folder: Path) -> dict[str, Path]:
    """The results folders in a folder by name; one that is such a folder itself has no name."""
    every = result_folders(folder)
    if every == [folder]:
        return {"": folder}
    found = {path.relative_to(folder).as_posix(): path for path in every}
    if not found:
        raise LabError(
            f"{folder}: holds no results; give results/NAME/TIER, or the folder above such folders"
        )
    return dict(sorted(found.items()))


def _corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    rows = [row for one in comparisons for row in (*one.accuracies, *one.measures)]
    adjusted = iter(holm([row.p_value for row in rows]))

    def judged(rows: Sequence[Compared]) -> tuple[Compared, ...]:
        found = ((row, next(adjusted)) for row in rows)
        return tuple(replace(row, p_holm=p, differs=p is not None and p < ALPHA) for row, p in found)

    return tuple(
        replace(one, accuracies=judged(one.accuracies), measures=judged(one.measures)) for one in comparisons
    )


def _comparison(name: str, a: Results, b: Results) -> Comparison:
    variants = [{(v.name, v.dataset): v for v in results.plan.variants} for results in (a, b)]
    both = [key for key in variants[0] if key in variants[1]]
    differing = {key: _differing(*(_flat(of[key].settings) for of in variants)) for key in both}
    shared = {
        setting: values
        for setting, values in (differing[both[0]] if both else {}).items()
        if len(both) > 1 and all(differing[key].get(setting) == values for key in both)
    }
    own = {key: {s: v for s, v in differing[key].items() if s not in shared} for key in both}
    seeds = {key: (tuple(variants[0][key].runs), tuple(variants[1][key].runs)) for key in both}
    overrides = a.plan.overrides, b.plan.overrides
    return Comparison(
        name=name or f"{a.plan.ablation.name}/{a.plan.tier}",
        only_in_a=tuple(_titled(key) for key in variants[0] if key not in variants[1]),
        only_in_b=tuple(_titled(key) for key in variants[1] if key not in variants[0]),
        shared=shared,
        settings={_titled(key): values for key, values in own.items() if values},
        overrides=None if overrides[0] == overrides[1] else overrides,
        seeds={_titled(key): found for key, found in seeds.items() if found[0] != found[1]},
        environment=_differing_sets(_environment(a), _environment(b)),
        checksums=_differing_sets(_checksums(a), _checksums(b)),
        strays=(len(a.strays), len(b.strays)),
        accuracies=tuple(_compared(key, "accuracy", a, b, same=not differing[key]) for key in both),
        measures=tuple(
            _compared(key, measure, a, b, same=not differing[key])
            for key in both
            for measure in _measures_of(a, variants[0][key])
            if measure in _measures_of(b, variants[1][key])
        ),
        claims=tuple(_claims(a, b)),
    )


def _titled(key: tuple[str, str]) -> str:
    return " on ".join(key)


def _flat(settings: PlannedSettings) -> Unchecked:
    return {
        f"{section}.{key}": value
        for section, values in settings.sections().items()
        for key, value in values.items()
    }


def _differing(a: Unchecked, b: Unchecked) -> dict[str, Values]:
    keys = dict.fromkeys([*a, *b])
    return {key: (a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key)}


def _differing_sets(
    a: Mapping[str, set[str]], b: Mapping[str, set[str]]
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    keys = dict.fromkeys([*a, *b])
    found = {key: (a.get(key, set()), b.get(key, set())) for key in keys}
    return {key: (tuple(sorted(x)), tuple(sorted(y))) for key, (x, y) in found.items() if x != y}


def _environment(results: Results) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for run in _done(results):
        for key, value in results.environment(run).items():
            if key not in (*PER_RUN, "checksums", "included") and value is not None:
                found.setdefault(key, set()).add(str(value))
    return found


def _checksums(results: Results) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for run in _done(results):
        environment = results.environment(run)
        for section in ("checksums", "included"):
            files = environment.get(section)
            for name, digest in files.items() if isinstance(files, dict) else ():
                found.setdefault(str(name), set()).add(str(digest))
    return found


def _done(results: Results) -> Iterable[Run]:
    return (run for run in results.runs if run.status == "done")


def _measures_of(results: Results, variant: PlannedVariant) -> list[str]:
    return results.plan.ablation.parts[variant.part].measures


def _compared(key: tuple[str, str], measure: str, a: Results, b: Results, same: bool) -> Compared:
    known = measure_known_as(measure)
    runs = [{run.seed: run for run in results.of(*key)} for results in (a, b)]
    values = [
        {seed: value for seed, run in of.items() if (value := run.value_of(measure)) is not None}
        for of in runs
    ]
    pairs = [seed for seed in values[0] if seed in values[1]] if same else []
    row = Compared(
        variant=key[0],
        dataset=key[1],
        measure=measure,
        label=known.label,
        share=known.share,
        means=(_mean(values[0].values()), _mean(values[1].values())),
        n_seeds=(len(values[0]), len(values[1])),
        method="none",
        n_pairs=len(pairs),
        n_identical=sum(
            _identical(a, runs[0][seed], b, runs[1][seed])
            if measure == "accuracy"
            else values[0][seed] == values[1][seed]
            for seed in pairs
        ),
        difference=None,
        low=None,
        high=None,
        p_value=None,
    )
    if not values[0] or not values[1]:
        return row
    if len(pairs) >= min(2, *row.n_seeds):
        differences = [round(values[1][seed] - values[0][seed], 12) for seed in pairs]
        interval, p_value = mean_interval(differences), t_test(differences)
        enough = len(pairs) >= SEEDS_FOR_A_VERDICT
        row = replace(row, method="paired")
    else:
        interval, p_value = welch(values[0].values(), values[1].values())
        enough = min(row.n_seeds) >= SEEDS_FOR_A_VERDICT
        row = replace(row, method="welch")
    return replace(
        row,
        difference=interval.estimate,
        low=interval.low,
        high=interval.high,
        p_value=p_value if enough else None,
    )


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return mean_interval(listed).estimate if listed else None


def _identical(a: Results, of_a: Run, b: Results, of_b: Run) -> bool:
    first, second = a.correct(of_a), b.correct(of_b)
    return (
        of_a.accuracy == of_b.accuracy
        and first is not None
        and second is not None
        and np.array_equal(first, second)
    )


def _claims(a: Results, b: Results) -> Iterable[ClaimPair]:
    judged = (with_intervals_as_judged(summarise(results).claims) for results in (a, b))
    found = [{(claim.id, claim.dataset): claim for claim in claims} for claims in judged]
    for key, first in found[0].items():
        if (second := found[1].get(key)) is not None:
            yield ClaimPair(
                id=key[0],
                dataset=key[1],
                share=first.share,
                estimates=(first.estimate, second.estimate),
                intervals=(
                    (first.ci_low, first.ci_high),
                    (second.ci_low, second.ci_high),
                ),
                verdicts=(first.verdict, second.verdict),
                changed=first.verdict != second.verdict,
            )
