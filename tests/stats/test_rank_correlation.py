import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bottleneck_lab.stats.rank_correlation import rank_correlation


def test_it_is_spearmans_of_the_means_over_seeds():
    generator = np.random.default_rng(0)
    predicted, measured = generator.standard_normal(9), generator.standard_normal((9, 3))
    found = rank_correlation(predicted, measured)
    assert found.estimate == pytest.approx(stats.spearmanr(predicted, measured.mean(1)).statistic)


@given(st.lists(st.floats(-9, 9).map(lambda x: round(x, 2)), min_size=5, max_size=12, unique=True))
def test_what_is_ordered_as_predicted_has_1_whatever_the_scale(predicted):
    measured = np.exp(np.array(predicted))[:, None] * np.ones((1, 4))
    assert rank_correlation(predicted, measured, resamples=50).estimate == pytest.approx(1)
    assert rank_correlation(predicted, -measured, resamples=50).estimate == pytest.approx(-1)


def test_its_interval_holds_the_truth_about_as_often_as_it_says():
    """Of normal predictions and losses of correlation r it is 6/pi asin(r/2)."""
    generator = np.random.default_rng(1)
    truth = 6 / np.pi * np.arcsin(0.7 / 2)
    held = 0
    for trial in range(100):
        x, e = generator.standard_normal((2, 40))
        y = (0.7 * x + np.sqrt(1 - 0.7**2) * e)[:, None] + 0.01 * generator.standard_normal((40, 5))
        found = rank_correlation(x, y, resamples=200, seed=trial)
        held += found.low <= truth <= found.high
    assert held >= 85


def test_it_is_the_same_each_time():
    x, y = np.arange(6), np.random.default_rng(2).standard_normal((6, 3))
    assert rank_correlation(x, y) == rank_correlation(x, y)


def test_too_little_to_order_has_none():
    assert rank_correlation([1, 2, 3], np.ones((3, 2))) is None
    assert rank_correlation([1, 1, 1, 1], np.arange(8).reshape(4, 2)) is None
    assert rank_correlation([1, 2, 3, 4], [[1], [2], [3], [4]]).low is None
    with pytest.raises(ValueError, match="predictions"):
        rank_correlation([1, 2], np.ones((3, 2)))
