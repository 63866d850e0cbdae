import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bottleneck_lab.stats import mean_band, mean_interval, welch

some = st.lists(st.floats(0, 1), min_size=2, max_size=20)


@given(some, some)
def test_welch_agrees_with_scipy(a, b):
    assume(min(np.std(a), np.std(b)) > 1e-3)  # with less, scipy warns of lost digits
    interval, p_value = welch(a, b)
    slow = stats.ttest_ind(b, a, equal_var=False)
    ends = slow.confidence_interval(0.95)
    assert p_value == pytest.approx(slow.pvalue, abs=1e-9)
    assert (interval.low, interval.high) == pytest.approx((ends.low, ends.high), rel=1e-6, abs=1e-9)


def test_without_spread_means_are_equal_or_not():
    assert welch([0.1] * 3, [0.1] * 4)[1] == 1.0
    assert welch([0.1] * 3, [0.2] * 3)[1] == 0.0


def test_one_value_has_no_interval():
    interval, p_value = welch([0.5], [0.75, 0.5])
    assert (interval.estimate, interval.low, interval.high, p_value) == (0.125, None, None, None)


@pytest.mark.parametrize(("a", "b", "level"), [([], [1.0], 0.95), ([1.0], [], 0.95), ([1.0], [1.0], 1.0)])
def test_what_makes_no_sense_is_refused(a, b, level):
    with pytest.raises(ValueError, match=r"values|level"):
        welch(a, b, level)


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=9), min_size=1, max_size=5))
def test_bands_are_the_intervals_of_every_group(groups):
    intervals = [mean_interval(group) for group in groups]
    found = mean_band(groups).T
    assert found == pytest.approx(np.array([(i.estimate, i.low, i.high) for i in intervals]), abs=1e-12)


def test_a_band_of_equal_values_has_no_width():
    mean, low, high = mean_band([[0.1] * 7])
    assert mean == low == high == 0.1
