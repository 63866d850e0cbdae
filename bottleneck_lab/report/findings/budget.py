"""Two arms along the length of training: their gap, the time stretch between them, and what rules say."""

from __future__ import annotations

import math

import numpy as np

from bottleneck_lab.config.ablations.budget import BudgetRules
from bottleneck_lab.config.ablations.paper import Paper
from bottleneck_lab.records.results.summary import (
    BudgetFinding,
    Ends,
    LengthFinding,
    PaperStretch,
    RulesFinding,
)
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import numbers
from bottleneck_lab.stats import Interval, mean_interval
from bottleneck_lab.stats.stretch import Stretch, Stretches, ratio_interval, time_stretch

Arms = dict[str, dict[float, dict[int, Run]]]  # finished runs by arm, epochs and seed


def budgets_of(results: Results) -> list[BudgetFinding]:
    """What there is to say of every data set whose part has a `budget`; none for the others.

    Each has its `dataset`, the arms `fast` and `slow`, and `lengths`: `epochs`, the mean paired `gap` in
    accuracy with its interval `ends`, over `n_seeds`, and the time `stretch` over the seeds that have every
    length (None where none has). `paper` is the stretch by the paper's own curves, where the part has them;
    `rules` says what those of the file come to, None before every run of both arms is done.
    """
    found = (_budget(results, dataset) for dataset in results.plan.datasets)
    return [budget for budget in found if budget is not None]


def _budget(results: Results, dataset: str) -> BudgetFinding | None:
    part = results.plan.part_on(dataset)
    if (budget := part.budget) is None:
        return None
    fast, slow = budget.fast, budget.slow
    runs: Arms = {fast: {}, slow: {}}
    epochs_of: dict[str, float] = {}
    is_complete = True
    for variant in results.plan.on(dataset):
        epochs = variant.settings.train["epochs"]
        if (arm := variant.levels[budget.arms]) in runs:
            epochs_of[variant.levels[budget.axis]] = epochs
            is_complete &= all(run.status == "done" for run in results.planned(variant.name, dataset))
            runs[arm][epochs] = {run.seed: run for run in results.of(variant.name, dataset)}
    lengths = sorted(set(runs[fast]) & set(runs[slow]))
    gaps = {length: _gap(runs[fast][length], runs[slow][length]) for length in lengths}
    stretches = _stretches(runs, fast, slow, lengths)
    rows = []
    for place, length in enumerate(lengths):
        interval = mean_interval(list(gaps[length].values())) if gaps[length] else None
        rows.append(
            LengthFinding(
                epochs=length,
                n_seeds=len(gaps[length]),
                gap=interval.estimate if interval else None,
                ends=_interval_ends(interval),
                stretch=stretches.at[place] if stretches else None,
            )
        )
    rules = budget.rules
    places = (
        {key: lengths.index(epochs_of[getattr(rules, key)]) for key in ("early", "before", "late")}
        if rules
        else {}
    )
    return BudgetFinding(
        dataset=dataset,
        fast=fast,
        slow=slow,
        lengths=rows,
        paper=_of_paper(part.paper),
        rules=_by_rules(rules, places, lengths, gaps, stretches) if rules and is_complete else None,
    )


def _interval_ends(interval: Interval | None) -> Ends | None:
    if interval is None or interval.low is None or interval.high is None:
        return None
    return Ends(ci_low=interval.low, ci_high=interval.high)


def _gap(fast: dict[int, Run], slow: dict[int, Run]) -> dict[int, float]:
    """By how much the fast arm is more accurate, for each seed that both have."""
    pairs = {seed: (fast[seed].accuracy, slow[seed].accuracy) for seed in fast if seed in slow}
    return {seed: a - b for seed, (a, b) in pairs.items() if a is not None and b is not None}


def _stretches(runs: Arms, fast: str, slow: str, lengths: list[float]) -> Stretches | None:
    every = [set(runs[arm][length]) for arm in (fast, slow) for length in lengths]
    seeds = sorted(set.intersection(*every)) if every else []
    losses = {arm: _losses(runs[arm], seeds, lengths) for arm in (fast, slow)}
    if not seeds or np.isnan([losses[fast], losses[slow]]).any():
        return None
    return time_stretch(lengths, losses[fast], losses[slow])


def _losses(runs: dict[float, dict[int, Run]], seeds: list[int], lengths: list[float]) -> list[list[float]]:
    """Final held-out losses `[seeds][lengths]`; NaN for one that was not a number."""
    rows = [[runs[length][seed].loss for length in lengths] for seed in seeds]
    return [[math.nan if loss is None else loss for loss in row] for row in rows]


def _of_paper(paper: Paper | None) -> PaperStretch | None:
    """The stretch between the reference and the other curve of the paper, by their errors."""
    if paper is None or paper.curves is None or len(curves := paper.curves.top1) != 2:
        return None
    reference = paper.curves.reference
    [other] = set(curves) - {reference}
    times = [time for time, _ in curves[reference]]
    if times != [time for time, _ in curves[other]]:
        return None
    errors = [[100 - top1 for _, top1 in curves[name]] for name in (reference, other)]
    at = time_stretch(times, [errors[0]], [errors[1]]).at
    told = [(time, s.estimate) for time, s in zip(times, at, strict=True) if s.least < s.estimate < s.most]
    return PaperStretch(unit=paper.curves.unit, data=paper.data, stretch=told)


def _by_rules(
    rules: BudgetRules,
    places: dict[str, int],
    lengths: list[float],
    gaps: dict[float, dict[int, float]],
    stretches: Stretches | None,
) -> RulesFinding | None:
    """What the rules of `config.ablations.budget.BudgetRules` come to, in sentences, and the verdict."""
    early, before, late = (gaps[lengths[places[key]]] for key in ("early", "before", "late"))
    shared = sorted(set(early) & set(before) & set(late))
    if not shared or sum(early[seed] for seed in shared) == 0:  # which is no gap to have a share of
        return None
    ratio, low, high = ratio_interval([late[s] for s in shared], [early[s] for s in shared])
    steady = None if stretches is None else stretches.ratio(places["late"], places["early"])
    least, most = rules.steady
    is_speed = (
        ratio <= rules.halved
        and high is not None
        and high < 1
        and steady is not None
        and least <= steady[0] <= most
    )
    end = mean_interval([late[s] for s in shared]).low
    change = sum(before[s] - late[s] for s in shared) / len(shared)
    is_lasting = end is not None and end >= rules.stays and change < rules.still
    names = {key: f"{lengths[place]:g}" for key, place in places.items()}
    said = [
        f"The gap after {names['late']} epochs is {ratio:.2f} times that after {names['early']}"
        f"{_ends(low, high)}; speed asks for at most {rules.halved:g}, and an interval below 1.",
        (
            "How the time stretch has changed between the two cannot be told"
            if steady is None
            else f"The time stretch has changed {steady[0]:.2f}-fold between the two{_ends(*steady[1:])}"
        )
        + f"; speed asks for {least:g} to {most:g}.",
        f"From {names['before']} to {names['late']} epochs the gap shrinks by {numbers.points(change)} "
        f"points, and its interval then begins at {numbers.points(end)}; a loss that stays asks for less "
        f"than {numbers.points(rules.still, sign=False)}, and at least "
        f"{numbers.points(rules.stays, sign=False)}.",
    ]
    held = [name for name, holds in (("speed", is_speed), ("a loss stays", is_lasting)) if holds]
    verdict = f"By the rules written before: {' and '.join(held) if held else 'open'}."
    return RulesFinding(speed=is_speed, stays=is_lasting, said=said, verdict=verdict)


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"


def stretch_text(stretch: Stretch | None) -> str:
    """A time stretch: 1.52, or ≥ 2.00 where it is a bound."""
    return numbers.DASH if stretch is None else _within(stretch, stretch.estimate)


def _within(stretch: Stretch, value: float) -> str:
    bound = "≥ " if value >= stretch.most else "≤ " if value <= stretch.least else ""
    return f"{bound}{value:.2f}"


def stretch_ends(stretch: Stretch | None) -> str:
    """The interval of a time stretch."""
    if stretch is None or stretch.low is None or stretch.high is None:
        return numbers.DASH
    return f"[{_within(stretch, stretch.low)}, {_within(stretch, stretch.high)}]"
