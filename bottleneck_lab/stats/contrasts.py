"""Contrasts between variants, one per seed: the seed is what makes two runs a pair."""

from __future__ import annotations

import math
from collections.abc import Mapping

# Accuracies are counts over at most some millions of images, so this is far below their grain and far
# above the rounding of floats: (0.9 - 0.8) - (0.8 - 0.7) becomes 0 and not -1e-16.
_DECIMALS = 12


def paired_contrast(
    per_variant: Mapping[str, Mapping[int, float]], weights: Mapping[str, float]
) -> dict[int, float]:
    """The sum over variants of weight times accuracy, for each seed that every weighted variant has.

    `per_variant[variant][seed]` is an accuracy; the contrasts have its unit and come in the order of the
    seeds. Weights +1 and -1 make a difference, (+1, -1, -1, +1) an interaction of two knobs; a variant of
    weight 0 does not take part. What is common to the variants of one seed (data order, augmentation,
    initial weights) cancels.

    Raises ValueError if no weight differs from 0, or if a weighted variant is not in `per_variant` (one
    without any runs yet belongs there with no seeds).
    """
    weighted = {variant: weight for variant, weight in weights.items() if weight != 0}
    if not weighted:
        raise ValueError(f"a contrast needs a variant with a weight other than 0, got {dict(weights)}")
    for variant in weighted:
        if variant not in per_variant:
            raise ValueError(f"variant {variant!r} has a weight but is not among {sorted(per_variant)}")
    seeds = set.intersection(*(set(per_variant[variant]) for variant in weighted))
    return {
        seed: round(
            math.fsum(weight * per_variant[name][seed] for name, weight in weighted.items()), _DECIMALS
        )
        for seed in sorted(seeds)
    }
