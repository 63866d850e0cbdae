"""How far the planned looks on a data set have come: which claims are decided, and which runs are called for.

All of it follows from the plan and the results of the runs, so every command that looks into a folder, and
every way to get there, finds the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bottleneck_lab.config import Design
from bottleneck_lab.config.ablations.design import JudgedClaim
from bottleneck_lab.records.folder import FINAL
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.stats import Claimed, Judgement, Look, judge_family, paired_contrast, planned_looks

Runs = Mapping[str, Sequence[Run]]
"""The planned runs of each variant, in the order of the plan's seeds."""


@dataclass(frozen=True)
class Course:
    """Where a design stands.

    Args:
        design: how the claims are judged.
        look: the number of the look that the runs are called for, from 1; after the last, that one.
        is_over: whether no run is called for any more.
        seeds: how many of its planned seeds each variant has been called for.
        judgements: of each claim.
        lost: the claims that have lost a pair for good, and so will have no verdict.
    """

    design: Design
    look: int
    is_over: bool
    seeds: Mapping[str, int]
    judgements: Mapping[str, Judgement]
    lost: frozenset[str]


def course_of(design: Design, runs: Runs) -> Course:
    """Where a design stands, given its runs as far as they are.

    At the first look every variant is called for; later, those that an open claim needs, once all runs of the
    looks before are final. A run that failed is not: it holds up the data set's looks until it is mended.
    """
    looks = planned_looks(design.looks)
    seeds = dict.fromkeys(runs, looks[0].seeds)
    values = {name: _values(claim, runs) for name, claim in design.claims.items()}
    number = 1
    while True:
        judged = _judged(design, values, looks[:number])
        open_claims = [name for name, found in judged.items() if found.verdict == "inconclusive"]
        lost = frozenset(
            name for name in open_claims if _has_lost(design.claims[name], runs, looks[number - 1].seeds)
        )
        under_way = any(
            run.status not in FINAL for name, called in seeds.items() for run in runs[name][:called]
        )
        wanting = [design.claims[name] for name in open_claims if name not in lost]
        if under_way or number == len(looks) or not wanting:
            return Course(design, number, not under_way, seeds, judged, lost)
        number += 1
        for claim in wanting:
            for variant in claim.contrast:
                seeds[variant] = looks[number - 1].seeds


def _judged(
    design: Design, values: Mapping[str, tuple[float | None, ...]], looks: Sequence[Look]
) -> dict[str, Judgement]:
    """The judgement of every claim, in the order of the design."""
    found: dict[str, Judgement] = {}
    for names in design.families().values():
        family = [_claimed(design.claims[name], values[name]) for name in names]
        found |= zip(names, judge_family(family, looks, design.alpha), strict=True)
    return {name: found[name] for name in design.claims}


def _claimed(claim: JudgedClaim, values: tuple[float | None, ...]) -> Claimed:
    return Claimed(values, claim.kind, claim.margin, claim.weight, claim.bounds)


def _values(claim: JudgedClaim, runs: Runs) -> tuple[float | None, ...]:
    """The contrast of each planned seed; None where a side of it is missing."""
    per_variant = {
        variant: {
            place: value
            for place, run in enumerate(runs[variant])
            if (value := run.value_of(claim.measure)) is not None
        }
        for variant in claim.contrast
    }
    pairs = paired_contrast(per_variant, claim.contrast)
    return tuple(pairs.get(place) for place in range(max(len(runs[variant]) for variant in claim.contrast)))


def _has_lost(claim: JudgedClaim, runs: Runs, seeds: int) -> bool:
    """Whether a run that a claim needs has ended for good without what the claim is about."""
    return any(
        run.status in FINAL and run.value_of(claim.measure) is None
        for variant in claim.contrast
        for run in runs[variant][:seeds]
    )
