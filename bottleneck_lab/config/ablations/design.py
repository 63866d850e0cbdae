"""The rules by which claims are judged: every plan has its own, so that they stay as they were."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import Field

from bottleneck_lab.config.ablations.parts import HEADLINE_WEIGHT, Claim, Part
from bottleneck_lab.config.base import Settings

_DECIMALS = 12  # as contrasts are rounded


class JudgedClaim(Settings):
    """What a claim is about, and its part in its family.

    Args:
        contrast: a weight for each variant.
        measure: what the contrast is of.
        kind: `difference` or `equivalence`.
        margin: the contrast below which a difference does not matter.
        family: the claims that it shares alpha with.
        weight: its part of alpha, beside those of the others.
        bounds: the least and greatest contrast, where no more is assumed; None to take contrasts for normal.
    """

    contrast: dict[str, float]
    measure: str
    kind: Literal["difference", "equivalence"]
    margin: float
    family: str
    weight: float
    bounds: tuple[float, float] | None


class Design(Settings):
    """How the claims on a data set are judged.

    Args:
        looks: after how many seeds of a variant; the last is how many it can get.
        sequential: whether the looks were planned; if not, the design is one of fixed seeds, and has one.
        alpha: the chance of any wrong verdict that each family may have.
        claims: by their ids.
    """

    looks: tuple[int, ...]
    sequential: bool
    alpha: float = Field(0.05, gt=0, lt=0.5)
    claims: dict[str, JudgedClaim]

    def families(self) -> dict[str, list[str]]:
        """The ids of the claims of each family."""
        found: dict[str, list[str]] = {}
        for name, claim in self.claims.items():
            found.setdefault(claim.family, []).append(name)
        return found


def design_of(part_name: str, part: Part, looks: Sequence[int], sequential: bool) -> Design:
    """The design of a part's claims on one of its data sets."""
    claims = {claim.id: _judged(part_name, part, claim) for claim in part.claims}
    return Design(looks=tuple(looks), sequential=sequential, claims=claims)


def _judged(part_name: str, part: Part, claim: Claim) -> JudgedClaim:
    weight = claim.weight or (HEADLINE_WEIGHT if claim.headline else 1.0)
    bounded = part.contrasts == "bounded" and claim.measure == "accuracy"
    return JudgedClaim(
        contrast=claim.contrast,
        measure=claim.measure,
        kind=claim.kind,
        margin=claim.margin,
        family=claim.family or part_name,
        weight=weight,
        bounds=_bounds(claim.contrast.values()) if bounded else None,
    )


def _bounds(weights: Collection[float]) -> tuple[float, float]:
    """What a contrast of accuracies, 0 to 1, lies between."""
    low = math.fsum(min(0.0, weight) for weight in weights)
    high = math.fsum(max(0.0, weight) for weight in weights)
    return round(low, _DECIMALS), round(high, _DECIMALS)
