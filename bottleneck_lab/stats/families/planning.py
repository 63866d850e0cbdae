"""What a number of seeds can show, and how many seeds it takes."""

from __future__ import annotations

import math
from functools import lru_cache

import scipy  # whose parts come when they are used: some take longer than a report
from scipy import special

from bottleneck_lab.stats.intervals import t_quantile

NORMAL = 1_000_000  # seeds from which on Student's t is taken for normal


def detectable_effect(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest true mean that a two-sided paired t test with `n` seeds finds with `power`.

    Found means p < alpha and an estimate of the right sign. `sd` is the standard deviation of the per-seed
    contrasts and gives the result its unit. None for n < 2, where no test exists; 0 for sd 0.

    Raises ValueError for a negative or infinite sd, and unless 0 < alpha < power < 1.
    Source: Cohen 1988, Statistical Power Analysis, ch. 2, with the exact noncentral t.
    """
    _check_sd(sd)
    if not 0 < alpha < power < 1:
        raise ValueError(f"a power lies between alpha and 1, got power {power} and alpha {alpha}")
    if n < 2:
        return None
    return sd * _detectable_in_sd(n, power, alpha)


def seeds_needed(sd: float, half_width: float, level: float = 0.95) -> int:
    """The smallest number of seeds (at least 2) that brings a mean's t interval down to ± `half_width`.

    `sd` is what the spread over seeds is expected to be, in the unit of `half_width`. To halve an interval
    ask for half of its half-width.

    Raises ValueError for a negative or infinite sd, a half-width that is not positive, and a level outside
    (0, 1).
    """
    _check_sd(sd)
    if not half_width > 0:
        raise ValueError(f"a half-width is positive, got {half_width}")
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    upper = (1 + level) / 2
    # Student's quantile is larger than the normal one, so no smaller number can do and few larger are tried:
    # none where the two are equal to six digits, and the next number would be no narrower in a float.
    n = max(2, math.ceil((float(special.ndtri(upper)) * sd / half_width) ** 2))
    while n < NORMAL and t_quantile(upper, n - 1) * sd / math.sqrt(n) > half_width:
        n += 1
    return n


def _check_sd(sd: float) -> None:
    if not 0 <= sd < math.inf:
        raise ValueError(f"a standard deviation is finite and not negative, got {sd}")


@lru_cache(maxsize=256)  # all claims of an ablation ask for the same one
def _detectable_in_sd(n: int, power: float, alpha: float) -> float:
    critical = t_quantile(1 - alpha / 2, n - 1)

    def excess_power(noncentrality: float) -> float:
        return float(scipy.stats.nct.sf(critical, n - 1, noncentrality)) - power

    enough = critical
    while excess_power(enough) < 0:
        enough *= 2
    return float(scipy.optimize.brentq(excess_power, 0.0, enough)) / math.sqrt(n)
