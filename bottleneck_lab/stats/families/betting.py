"""Tests and intervals for the mean of bounded values, whatever their distribution: bets against the mean.

Whoever bets against "the mean is at most m" multiplies his wealth by 1 + u (x - m) / (m - low) at each value
x, for a share u of what he has. If the statement is true, no way to bet makes wealth grow on average, so the
chance that it ever reaches 1 / alpha is at most alpha (Ville 1939): one may look after every value.
Source: Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86, Sec. 4; mixed over u as in Orabona & Jun 2024,
IEEE Trans. Inf. Theory 70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy  # whose parts come when they are used: some take longer than a report
from numpy.typing import NDArray
from scipy import special

from bottleneck_lab.stats.intervals import Interval
from bottleneck_lab.stats.sample import finite

Bounds = tuple[float, float]
"""The least and the greatest value that there can be."""

_STAKES = 64  # that wealth is shared out over
_EXACT = 1e-12  # to which the ends of an interval are found, of the bounds' distance


def betting_p(values: Sequence[float], bounds: Bounds, above: float, times: float = 1.0) -> float:
    """The p in favour of "the mean is above `above`" for values within `bounds`: one over the wealth gained.

    It does not depend on the order of the values, nor on how often they were looked at. `times` counts every
    value so many times: what the p would be if as many more came out the same.

    Raises ValueError for a value that is not finite or out of bounds, and for bounds that are no interval.
    """
    places = _places(values, bounds)
    low, high = bounds
    at = (above - low) / (high - low)
    if at >= 1:
        return 1.0
    if at < 0:
        return 0.0 if len(places) else 1.0
    return _p_above(places, at, times)


def betting_interval(values: Sequence[float], bounds: Bounds, level: float = 0.95) -> Interval:
    """The mean of values within `bounds` with its betting interval: all means that `betting_p` leaves open.

    It holds the true mean with a chance of at least `level`, whatever the distribution, also at all looks
    together. No values have the bounds for ends.

    Raises ValueError as `betting_p` does, for no values, and for a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    places = _places(values, bounds)
    if not len(places):
        raise ValueError("there are no values to take the mean of")
    low, high = bounds
    each = (1 - level) / 2
    below, above = _lower_end(places, each), 1 - _lower_end(1 - places, each)
    estimate = math.fsum(values) / len(places)
    return Interval(estimate, low + below * (high - low), low + above * (high - low))


def _places(values: Sequence[float], bounds: Bounds) -> NDArray[np.float64]:
    """Where values lie between their bounds, 0 to 1."""
    low, high = bounds
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"bounds are two numbers, the smaller one first, got {low} and {high}")
    found = np.array(finite(values))
    if ((found < low) | (found > high)).any():
        raise ValueError(f"values lie between {low} and {high}, got {found.min()} to {found.max()}")
    return (found - low) / (high - low)


def _lower_end(places: NDArray[np.float64], alpha: float) -> float:
    """The largest mean that values between 0 and 1 speak against being below."""
    mean = float(places.mean())
    if _p_above(places, _EXACT, 1.0) >= alpha:
        return 0.0
    wanted = math.log(alpha)
    return float(
        scipy.optimize.brentq(lambda at: _log_p(places, at, 1.0) - wanted, _EXACT, mean, xtol=_EXACT)
    )


def _p_above(places: NDArray[np.float64], mean: float, times: float) -> float:
    if mean == 0:
        return 0.0 if places.any() else 1.0
    return min(1.0, math.exp(_log_p(places, mean, times)))


def _log_p(places: NDArray[np.float64], mean: float, times: float) -> float:
    """Minus the logarithm of the wealth gained by bets against a mean of at most `mean` > 0."""
    stakes, logarithms = _stakes()
    gains = np.log1p(stakes[:, None] * (places / mean - 1)).sum(axis=1)
    return -float(special.logsumexp(times * gains + logarithms))


@cache
def _stakes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of wealth to bet, and the logarithm of how much of it is put on each.

    They are the nodes and weights of Beta(1, 1/2): any positive weights that sum to 1 keep the promise, and
    these favour high stakes, which is where effects much smaller than the bounds are found soonest.
    """
    nodes, weights = special.roots_jacobi(_STAKES, -0.5, 0.0)
    return (nodes + 1) / 2, np.log(weights / weights.sum())
