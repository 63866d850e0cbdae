"""Intervals that show the verdicts they stand beside, and what it takes to decide an open claim."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy import special

from bottleneck_lab.stats.families.judgement import seeds_to_decide
from bottleneck_lab.stats.intervals import t_quantile

ALPHA = 0.05
Claims = Sequence[dict[str, Any]]


def with_intervals_as_judged(claims: Claims) -> list[dict[str, Any]]:
    """The claims of a summary, each with the interval of the level at which it was judged.

    Claims with a design have it. The others were judged together, by Holm's correction, while their intervals
    in a summary are the plain 95 %: such an interval may exclude 0 beside `inconclusive`. Here each is the
    one that its test corresponds to, and that of an open claim shows no verdict, as in `stats.families`. An
    open one also gets `to_decide`, as those with a design have.

    What has no p (too few seeds, a missing pair) is left as it is; what has no spread counts, and keeps its
    interval.
    """
    tested = {place: sample for place, claim in enumerate(claims) if (sample := _sample(claim))}
    second = {place: _second_p(claims[place], *each) for place, each in tested.items()}
    parts = _parts({place: claims[place]["p_value"] for place in tested})
    of_kind: dict[str, list[int]] = {}
    for place in tested:
        of_kind.setdefault(claims[place]["kind"], []).append(place)
    second_parts: dict[int, float] = {}
    for places in of_kind.values():
        second_parts |= _parts({place: second[place] for place in places})
    found: list[dict[str, Any]] = []
    for place, claim in enumerate(claims):
        if place not in tested:
            found.append(claim)
            continue
        spread, n = tested[place]
        if spread == 0:
            found.append(claim)
            continue
        alpha = _alpha(claim, parts[place], second_parts[place])
        half = t_quantile(1 - alpha / 2, n - 1) * spread
        estimate = claim["estimate"]
        ends = {"ci_low": estimate - half, "ci_high": estimate + half, "level": 1 - alpha}
        if claim["verdict"] == "inconclusive":
            sd, size = spread * math.sqrt(n), len(of_kind[claim["kind"]])
            ends["to_decide"] = seeds_to_decide(
                claim["kind"], estimate, sd, claim["margin"], len(tested), size, ALPHA
            )
        found.append({**claim, **ends})
    return found


def _sample(claim: Mapping[str, Any]) -> tuple[float, int] | None:
    """The standard error and the number of seeds behind a claim; None where its interval stays as it is."""
    if "level" in claim or claim["p_value"] is None or claim["ci_low"] is None:
        return None
    n = claim["n_seeds"]
    error = (claim["ci_high"] - claim["ci_low"]) / 2 / t_quantile(0.975, n - 1)
    return error, n


def _second_p(claim: Mapping[str, Any], error: float, n: int) -> float:
    """The p of the verdict that a claim does not hope for, as `stats.judge` has it."""
    if error == 0:
        beyond = abs(claim["estimate"]) - claim["margin"]
        return float(beyond >= 0 if claim["kind"] == "difference" else beyond <= 0)
    beyond = (abs(claim["estimate"]) - claim["margin"]) / error
    if claim["kind"] == "difference":
        return float(special.stdtr(n - 1, beyond))
    return min(1.0, 2 * float(special.stdtr(n - 1, -beyond)))


def _parts(p_values: Mapping[int, float]) -> dict[int, float]:
    """The part of alpha at which Holm's procedure came to each of these hypotheses."""
    parts, left, rejecting = {}, len(p_values), True
    for place in sorted(p_values, key=lambda place: (p_values[place], place)):
        parts[place] = ALPHA / left
        rejecting = rejecting and p_values[place] * left < ALPHA
        left -= rejecting
    return parts


def _alpha(claim: Mapping[str, Any], main: float, second: float) -> float:
    """1 less the level of the interval that shows a claim's verdict; of an open one, that shows none."""
    equivalence = claim["kind"] == "equivalence"
    no_difference, difference = (second, 2 * main) if equivalence else (main, 2 * second)
    if claim["verdict"] == "inconclusive":
        return min(no_difference, difference)
    return (
        difference
        if (claim["verdict"] == "equivalent") or (equivalence and claim["verdict"] == "supported")
        else no_difference
    )
