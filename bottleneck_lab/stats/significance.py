"""Tests of one mean over seeds against 0 and against a margin, and Holm's correction for many of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scipy import special

from bottleneck_lab.stats.sample import Sample, describe


def check_margin(margin: float) -> None:
    """Raises ValueError for a margin that is not positive and finite."""
    if not (margin > 0 and math.isfinite(margin)):
        raise ValueError(f"a margin is positive and finite, got {margin}")


def t_test(values: Iterable[float]) -> float | None:
    """The two-sided p of "the mean is 0": one-sample t of per-seed contrasts, that is the paired t test.

    None for fewer than two values. Equal values have p 1 if they are 0, else p 0.

    Raises ValueError for a value that is not finite. Source: Student 1908, Biometrika 6.
    """
    sample = describe(values)
    if sample is None:
        return None
    return min(1.0, 2 * min(p_of_mean_above(sample, 0.0), p_of_mean_below(sample, 0.0)))


def equivalence_test(values: Iterable[float], margin: float) -> float | None:
    """The p of "the mean lies outside (-margin, margin)": the larger of two one-sided t tests (TOST).

    Below alpha exactly when the 1 - 2 alpha interval lies inside the margin. Values and margin share a
    unit. None for fewer than two values.

    Raises ValueError for a margin that is not positive and finite, and for a value that is not finite.
    Source: Schuirmann 1987, J. Pharmacokinet. Biopharm. 15.
    """
    check_margin(margin)
    sample = describe(values)
    if sample is None:
        return None
    return max(p_of_mean_above(sample, -margin), p_of_mean_below(sample, margin))


def beyond_margin_test(values: Iterable[float], margin: float) -> float | None:
    """The p of "the mean lies in [-margin, margin]": twice the smaller of two one-sided t tests.

    The two ask for a mean above margin and for one below -margin. Twice, because either would count; for a
    margin much wider than the standard error this is conservative by up to that factor. Values and margin
    share a unit. None for fewer than two values.

    Raises ValueError for a margin that is not positive and finite, and for a value that is not finite.
    """
    check_margin(margin)
    sample = describe(values)
    if sample is None:
        return None
    return min(1.0, 2 * min(p_of_mean_above(sample, margin), p_of_mean_below(sample, -margin)))


def holm(p_values: Sequence[float | None], weights: Sequence[float] | None = None) -> list[float | None]:
    """Holm's adjusted p-values, in the order given.

    The k-th smallest of m p-values is multiplied by m - k + 1, cut to 1, and raised to the adjusted one
    before it. With weights it is p / weight that they are sorted by and that is multiplied, by the sum of the
    weights of those that are not smaller. The chance that any true hypothesis gets one below alpha is then at
    most alpha, however the tests depend on each other. A None stays None and does not count.

    Raises ValueError for a p outside [0, 1], and for weights that are not positive, one for each p.
    Source: Holm 1979, Scand. J. Statist. 6, Sec. 2 and 4.
    """
    weights = [1.0] * len(p_values) if weights is None else weights
    if len(weights) != len(p_values) or not all(0 < weight < math.inf for weight in weights):
        raise ValueError(f"a weight is positive, and there is one for each p, got {list(weights)}")
    present = []
    for index, (p, weight) in enumerate(zip(p_values, weights, strict=True)):
        if p is None:
            continue
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value lies in [0, 1], got {p}")
        present.append((p / weight, index))
    present.sort()
    adjusted: list[float | None] = [None] * len(p_values)
    floor = 0.0
    for rank, (ratio, index) in enumerate(present):
        left = math.fsum(weights[other] for _, other in present[rank:])
        floor = max(floor, min(1.0, left * ratio))
        adjusted[index] = floor
    return adjusted


def p_of_mean_above(sample: Sample, bound: float) -> float:
    """The one-sided p in favour of mean > bound; without spread, 0 or 1."""
    if sample.sd == 0:
        return 0.0 if sample.mean > bound else 1.0
    t = (sample.mean - bound) * math.sqrt(sample.n) / sample.sd
    return float(special.stdtr(sample.n - 1, -t))


def p_of_mean_below(sample: Sample, bound: float) -> float:
    """The one-sided p in favour of mean < bound; without spread, 0 or 1."""
    return p_of_mean_above(Sample(sample.n, -sample.mean, sample.sd), -bound)
