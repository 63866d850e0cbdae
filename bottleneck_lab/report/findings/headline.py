"""Which claims answer the question of an ablation, and which variants, if one has room for no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bottleneck_lab.config.ablations.parts import Claim
from bottleneck_lab.records.results.plan import PlanRecord
from bottleneck_lab.records.results.summary import ClaimFinding
from bottleneck_lab.report.reading.results import Results


def headline_claims(plan: PlanRecord, claims: Sequence[ClaimFinding]) -> list[ClaimFinding]:
    """Those that the experiment file marks with `headline`, or else the first; whatever their verdicts are.

    Of several data sets it is the first one of images, where one of them has claims: points are a toy.

    Args:
        plan: of the results.
        claims: those of its summary.
    """
    parts = plan.ablation.parts.values()
    marked = {claim.id for part in parts for claim in part.claims if claim.headline}
    for dataset in sorted(plan.datasets, key=plan.draws_points):
        of_dataset = [claim for claim in claims if claim.dataset == dataset]
        if of_dataset:
            return [claim for claim in of_dataset if claim.id in marked] or of_dataset[:1]
    return []


def pairs_of(
    results: Results, dataset: str, claims: Sequence[ClaimFinding | Claim]
) -> Iterator[tuple[str, str, list[int]]]:
    """The variants of each claim on accuracy that is about two, and the seeds that both have finished."""
    for claim in claims:
        if len(claim.contrast) != 2 or claim.measure != "accuracy":
            continue
        first, second = sorted(claim.contrast, key=lambda name: -claim.contrast[name])
        seeds = {name: {run.seed for run in results.of(name, dataset)} for name in (first, second)}
        if shared := sorted(seeds[first] & seeds[second]):
            yield first, second, shared
