"""Which claims answer the question of an ablation, if one has room for no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def headline_claims(plan: Mapping[str, Any], claims: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that the experiment file marks with `headline`, or else the first; whatever their verdicts are.

    Of several data sets it is the first one of images, where one of them has claims: points are a toy.

    Args:
        plan: a `plan.json`.
        claims: those of its summary.
    """
    toy = {v["dataset"]: v["settings"]["model"]["family"] == "toy" for v in plan["variants"]}
    parts = plan["ablation"]["parts"].values()
    marked = {claim["id"] for part in parts for claim in part["claims"] if claim.get("headline")}
    for dataset in sorted(plan["datasets"], key=toy.__getitem__):
        of_dataset = [claim for claim in claims if claim["dataset"] == dataset]
        if of_dataset:
            return [claim for claim in of_dataset if claim["id"] in marked] or of_dataset[:1]
    return []
