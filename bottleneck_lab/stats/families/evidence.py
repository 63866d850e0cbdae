"""What a claim rests on at a look: its contrasts, the tests of its two hypotheses, and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from bottleneck_lab.stats.families.betting import Bounds, betting_interval, betting_p
from bottleneck_lab.stats.families.judgement import Kind
from bottleneck_lab.stats.families.planning import detectable_effect
from bottleneck_lab.stats.intervals import Interval, mean_interval
from bottleneck_lab.stats.sample import Sample, describe
from bottleneck_lab.stats.significance import check_margin, p_of_mean_above, p_of_mean_below

_POWER_80 = 0.8416  # the normal quantile of a power of 80 %


@dataclass(frozen=True)
class Claimed:
    """A claim in a family, and its evidence. Raises ValueError for another kind or margin.

    Args:
        values: the contrast of each planned seed, in their order, as far as they are known; None where a pair
            was lost for good.
        kind: "difference" claims that the mean contrast is > 0, "equivalence" that it is within ± margin.
        margin: the smallest contrast that matters, written before the results; positive.
        weight: its part of the family's alpha, beside the weights of the others.
        bounds: the least and greatest contrast that there can be, where nothing else is to be assumed of
            their distribution; None to take them for normal.
    """

    values: tuple[float | None, ...]
    kind: Kind
    margin: float
    weight: float = 1.0
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"a claim is one of {get_args(Kind)}, got {self.kind!r}")
        check_margin(self.margin)


@dataclass(frozen=True)
class Look:
    """A planned look: after how many seeds, and which share of alpha it may spend."""

    seeds: int
    share: float


@dataclass(frozen=True)
class Test:
    """A claim at a look at which all of its contrasts are known."""

    claim: Claimed
    values: tuple[float, ...]
    look: Look
    times: float = 1.0  # how often to count each of the values; for bets only

    @property
    def share(self) -> float:
        """Of alpha; bets hold at all looks together."""
        return 1.0 if self.claim.bounds else self.look.share

    @cached_property
    def p_no_difference(self) -> float:
        """Against no difference, or none beyond the margin of an equivalence claim; over the look's share."""
        margin = self.claim.margin if self.claim.kind == "equivalence" else 0.0
        above, below = self._p_above(margin), self._p_below(-margin)
        return min(1.0, 2 * min(above, below)) / self.share

    @cached_property
    def p_difference(self) -> float:
        """Against a difference that matters; over the look's share."""
        return max(self._p_above(-self.claim.margin), self._p_below(self.claim.margin)) / self.share

    def _p_above(self, bound: float) -> float:
        if self.claim.bounds is None:
            return p_of_mean_above(self.sample, bound)
        return betting_p(self.values, self.claim.bounds, bound, self.times)

    def _p_below(self, bound: float) -> float:
        if self.claim.bounds is None:
            return p_of_mean_below(self.sample, bound)
        low, high = self.claim.bounds
        return betting_p([-value for value in self.values], (-high, -low), -bound, self.times)

    @cached_property
    def sample(self) -> Sample:
        """Their number, mean and spread."""
        found = describe(self.values)
        assert found is not None
        return found

    def interval(self, level: float) -> Interval:
        """The interval of that level that goes with the test."""
        if self.claim.bounds is None:
            return mean_interval(self.values, level)
        return betting_interval(self.values, self.claim.bounds, level)

    def detectable(self, alpha: float) -> float | None:
        """The contrast that so many seeds with this spread find with 80 % power; about so, for bets."""
        sample = self.sample
        if self.claim.bounds is None:
            return detectable_effect(sample.sd, sample.n, alpha=alpha)
        interval = self.interval(1 - alpha)
        assert interval.low is not None
        assert interval.high is not None
        return (interval.high - interval.low) / 2 + _POWER_80 * sample.sd / math.sqrt(sample.n)


def far_from_normal(values: Sequence[float]) -> bool:
    """Whether contrasts are so far from normal that Student's interval may mislead: Shapiro-Wilk, p < 1 %.

    Too few values (under eight) or equal ones cannot tell. Source: Shapiro & Wilk 1965, Biometrika 52.
    """
    if len(values) < 8 or min(values) == max(values):
        return False
    import scipy  # whose parts come when they are used

    return float(scipy.stats.shapiro(list(values)).pvalue) < 0.01
