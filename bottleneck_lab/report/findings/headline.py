"""Which claims answer the question of an ablation, if one has room for no more."""

from __future__ import annotations

from collections.abc import Sequence

from bottleneck_lab.records.results.plan import PlanRecord
from bottleneck_lab.records.results.summary import ClaimFinding


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
