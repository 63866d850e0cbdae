"""The best of a few trials, as a function of how many: what a comparison owes to the tuning it was given."""

from __future__ import annotations

import math
from collections.abc import Sequence


def expected_best(scores: Sequence[float], trials: int) -> float:
    """The expected highest score among `trials` of these, drawn without replacement.

    It is the unbiased estimator of Tang et al. 2020 (arXiv 2004.13705, Sec. 3): the mean of the maximum over
    all subsets of that size. Drawing with replacement, as Dodge et al. 2019 do, is biased downwards.

    Raises ValueError for no trials, or more than there are scores.
    """
    if not 1 <= trials <= len(scores):
        raise ValueError(f"{trials} of {len(scores)} scores cannot be drawn without replacement")
    ordered = sorted(scores)
    subsets = math.comb(len(ordered), trials)
    # The score at a place is the highest of a subset if the others of the subset lie before it.
    return math.fsum(
        math.comb(index, trials - 1) / subsets * score
        for index, score in enumerate(ordered)
        if index >= trials - 1
    )
