"""Intervals that show the verdicts they stand beside, and what it takes to decide an open claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from scipy import special

from bottleneck_lab.records.results.summary import ClaimFinding
from bottleneck_lab.stats.families.judgement import seeds_to_decide
from bottleneck_lab.stats.intervals import t_quantile

ALPHA = 0.05


class _Sample(NamedTuple):
    """What a claim's test rests on: the mean contrast, its standard error, the number of seeds, and the p."""

    estimate: float
    error: float
    n: int
    p: float


def with_intervals_as_judged(claims: Sequence[ClaimFinding]) -> list[ClaimFinding]:
    """The claims of a summary, each with the interval of the level at which it was judged.

    Claims with a design have it. The others were judged together, by Holm's correction, while their intervals
    in a summary are the plain 95 %: such an interval may exclude 0 beside `inconclusive`. Here each is the
    one that its test corresponds to, and that of an open claim shows no verdict, as in `stats.families`. An
    open one also gets `to_decide`, as those with a design have.

    What has no p (too few seeds, a missing pair) is left as it is; what has no spread counts, and keeps its
    interval.
    """
    tested = {place: sample for place, claim in enumerate(claims) if (sample := _sample(claim))}
    second = {place: _second_p(claims[place], each) for place, each in tested.items()}
    parts = _parts({place: each.p for place, each in tested.items()})
    of_kind: dict[str, list[int]] = {}
    for place in tested:
        of_kind.setdefault(claims[place].kind, []).append(place)
    second_parts: dict[int, float] = {}
    for places in of_kind.values():
        second_parts |= _parts({place: second[place] for place in places})
    found = list(claims)
    for place, (estimate, error, n, _) in tested.items():
        if error == 0:
            continue
        claim, more = claims[place], None
        alpha = _alpha(claim, parts[place], second_parts[place])
        half = t_quantile(1 - alpha / 2, n - 1) * error
        if claim.verdict == "inconclusive":
            sd, size = error * math.sqrt(n), len(of_kind[claim.kind])
            more = seeds_to_decide(claim.kind, estimate, sd, claim.margin, len(tested), size, ALPHA)
        found[place] = replace(
            claim, ci_low=estimate - half, ci_high=estimate + half, level=1 - alpha, to_decide=more
        )
    return found


def _sample(claim: ClaimFinding) -> _Sample | None:
    """What is behind a claim; None where its interval stays as it is."""
    if claim.level is not None or claim.p_value is None:
        return None
    if claim.estimate is None or claim.ci_low is None or claim.ci_high is None:
        return None
    n = claim.n_seeds
    error = (claim.ci_high - claim.ci_low) / 2 / t_quantile(0.975, n - 1)
    return _Sample(claim.estimate, error, n, claim.p_value)


def _second_p(claim: ClaimFinding, sample: _Sample) -> float:
    """The p of the verdict that a claim does not hope for, as `stats.judge` has it."""
    beyond = abs(sample.estimate) - claim.margin
    if sample.error == 0:
        return float(beyond >= 0 if claim.kind == "difference" else beyond <= 0)
    t = beyond / sample.error
    if claim.kind == "difference":
        return float(special.stdtr(sample.n - 1, t))
    return min(1.0, 2 * float(special.stdtr(sample.n - 1, -t)))


def _parts(p_values: Mapping[int, float]) -> dict[int, float]:
    """The part of alpha at which Holm's procedure came to each of these hypotheses."""
    parts, left, rejecting = {}, len(p_values), True
    for place in sorted(p_values, key=lambda place: (p_values[place], place)):
        parts[place] = ALPHA / left
        rejecting = rejecting and p_values[place] * left < ALPHA
        left -= rejecting
    return parts


def _alpha(claim: ClaimFinding, main: float, second: float) -> float:
    """1 less the level of the interval that shows a claim's verdict; of an open one, that shows none."""
    equivalence = claim.kind == "equivalence"
    no_difference, difference = (second, 2 * main) if equivalence else (main, 2 * second)
    if claim.verdict == "inconclusive":
        return min(no_difference, difference)
    return (
        difference
        if (claim.verdict == "equivalent") or (equivalence and claim.verdict == "supported")
        else no_difference
    )
