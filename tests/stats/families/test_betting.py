import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bottleneck_lab.stats import betting_interval, betting_p, mean_interval

WITHIN = (-1.0, 1.0)
contrasts = st.lists(st.floats(-1, 1), min_size=1, max_size=20)


def test_a_bettor_with_one_stake_has_the_product_of_his_gains():
    # All values at the upper bound: each stake u gains 1 + u, on average over Beta(1, 1/2) E (1 + u) = 5/3.
    assert betting_p([1.0], (-1.0, 1.0), above=0.0) == pytest.approx(3 / 5)
    # And E (1 + u)^2 = 1 + 2 (2/3) + 8/15.
    assert betting_p([1.0, 1.0], (-1.0, 1.0), above=0.0) == pytest.approx(1 / (1 + 4 / 3 + 8 / 15))


@given(mean=st.floats(0.02, 0.98), alpha=st.sampled_from([0.2, 0.05, 0.01, 0.001]))
def test_a_coin_whose_mean_is_not_above_is_called_so_with_a_chance_of_at_most_alpha(mean, alpha):
    heads = np.arange(21)
    p = np.array([betting_p([1.0] * k + [0.0] * (20 - k), (0.0, 1.0), above=mean) for k in heads])
    assert stats.binom.pmf(heads, 20, mean)[p <= alpha].sum() <= alpha + 1e-12


def test_the_chance_is_at_most_alpha_also_for_who_looks_after_every_value():
    mean, alpha, wrong = 0.1, 0.05, 0.0
    for path in itertools.product((0.0, 1.0), repeat=10):
        looks = [betting_p(path[:n], (0.0, 1.0), above=mean) for n in range(1, 11)]
        chance = math.prod(mean if value else 1 - mean for value in path)
        wrong += chance * (min(looks) <= alpha)
    assert 0 < wrong <= alpha


def test_a_rare_failure_is_within_the_interval_where_students_forgets_it():
    # One network in fifty does not leave chance, and costs half of everything: the mean contrast is -0.01.
    failures = np.arange(31)
    chance = stats.binom.pmf(failures, 30, 0.02)

    def holds(interval_of):
        ends = [interval_of(tuple([-0.5] * k + [0.0] * (30 - k))) for k in failures]
        return sum(c for c, i in zip(chance, ends, strict=True) if i.low <= -0.01 <= i.high)

    assert holds(lambda values: betting_interval(values, WITHIN)) > 0.95
    assert holds(mean_interval) < 0.5


@given(values=contrasts, level=st.sampled_from([0.9, 0.95, 0.999]))
def test_the_interval_is_what_the_bets_leave_open(values, level):
    interval = betting_interval(values, WITHIN, level)
    assert -1 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= 1
    alpha = (1 - level) / 2
    if interval.low > -1 + 1e-6:
        assert betting_p(values, WITHIN, above=interval.low - 1e-6) < alpha
        assert betting_p(values, WITHIN, above=interval.low + 1e-6) >= alpha * (1 - 1e-3)


@given(values=contrasts, bound=st.floats(-0.9, 0.9))
def test_order_does_not_matter_and_counting_twice_is_doubling(values, bound):
    p = betting_p(values, WITHIN, bound)
    assert betting_p(values[::-1], WITHIN, bound) == pytest.approx(p)
    assert betting_p(values, WITHIN, bound, times=2) == pytest.approx(betting_p(2 * values, WITHIN, bound))


@given(values=contrasts, low=st.floats(-0.99, 0.99), high=st.floats(-0.99, 0.99))
def test_the_higher_the_bound_the_weaker_the_evidence_to_be_above_it(values, low, high):
    low, high = sorted((low, high))
    assert betting_p(values, WITHIN, low) <= betting_p(values, WITHIN, high) * (1 + 1e-9)


def test_equal_values_keep_an_interval_since_others_may_come():
    interval = betting_interval([0.0] * 16, WITHIN)
    assert interval.low == -interval.high
    assert 0.1 < interval.high < 0.5


@pytest.mark.parametrize(
    ("values", "bounds", "complaint"),
    [
        ([0.5, 1.5], WITHIN, "lie between -1.0 and 1.0"),
        ([0.5, math.nan], WITHIN, "finite"),
        ([0.5], (1.0, 1.0), "the smaller one first"),
    ],
)
def test_values_out_of_their_bounds_are_refused(values, bounds, complaint):
    with pytest.raises(ValueError, match=complaint):
        betting_p(values, bounds, 0.0)
    with pytest.raises(ValueError, match=complaint):
        betting_interval(values, bounds)


def test_an_interval_needs_values_and_a_level():
    with pytest.raises(ValueError, match="no values"):
        betting_interval([], WITHIN)
    with pytest.raises(ValueError, match="level"):
        betting_interval([0.5], WITHIN, 1.0)
