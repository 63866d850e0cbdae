"""Two means whose values have no partners: Welch's t interval and test."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scipy import special

from bottleneck_lab.stats.intervals import Interval
from bottleneck_lab.stats.sample import describe, finite


def welch(a: Iterable[float], b: Iterable[float], level: float = 0.95) -> tuple[Interval, float | None]:
    """The mean of `b` minus that of `a` with its interval, and the two-sided p of "there is no difference".

    The values (one per seed, in any unit) are independent, of spreads that may differ. One value on either
    side gives no ends and no p. Without any spread the interval has no width, and p is 1 for equal means,
    else 0.

    Raises ValueError for no values on a side, for one that is not finite, and for a level outside (0, 1).
    Source: Welch 1947, Biometrika 34.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    first, second = finite(a), finite(b)
    if not first or not second:
        raise ValueError("there are no values to take the mean of")
    estimate = math.fsum(second) / len(second) - math.fsum(first) / len(first)
    of_a, of_b = describe(first), describe(second)
    if of_a is None or of_b is None:
        return Interval(estimate, None, None), None
    estimate = of_b.mean - of_a.mean
    squares = of_a.sd**2 / of_a.n, of_b.sd**2 / of_b.n
    error = math.sqrt(sum(squares))
    if error == 0:
        return Interval(estimate, estimate, estimate), 1.0 if estimate == 0 else 0.0
    shares = [square / sum(squares) for square in squares]
    freedom = 1 / (shares[0] ** 2 / (of_a.n - 1) + shares[1] ** 2 / (of_b.n - 1))
    half_width = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    p_value = min(1.0, 2 * float(special.stdtr(freedom, -abs(estimate) / error)))
    return Interval(estimate, estimate - half_width, estimate + half_width), p_value
