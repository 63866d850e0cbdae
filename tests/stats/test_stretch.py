import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.config import load
from bottleneck_lab.stats.best_of import expected_best
from bottleneck_lab.stats.stretch import length_to_reach, ratio_interval, time_stretch

LENGTHS = (3, 6, 12, 24, 48, 96)


def power_law(lengths, factor=1.0):
    """Losses that fall with the logarithm of the length, of a training that is slower by `factor`."""
    return [3.0 - 0.4 * math.log2(length / factor) for length in lengths]


@given(st.floats(1.05, 1.95), st.integers(1, 5))
def test_a_training_that_is_slower_by_a_factor_has_that_time_stretch(factor, seeds):
    noise = np.linspace(0, 0.1, seeds)[:, None]  # the same for both of a pair
    found = time_stretch(LENGTHS, power_law(LENGTHS) + noise, power_law(LENGTHS, factor) + noise)
    shortest, *others = found.at
    assert shortest.estimate == shortest.most == 1  # nothing shorter was trained
    assert all(at.estimate == pytest.approx(factor) for at in others)
    if seeds > 1:
        ratio, low, high = found.ratio(5, 1)
        assert ratio == pytest.approx(1)
        assert low <= 1 + 1e-9
        assert high >= 1 - 1e-9


def test_what_a_training_reaches_between_two_lengths_is_linear_in_their_logarithm():
    assert length_to_reach((4, 16), (2.0, 1.0), 1.5) == pytest.approx(8)
    assert length_to_reach((4, 16), (2.0, 1.0), 2.0) == 4
    assert length_to_reach((4, 16), (2.0, 1.0), 1.0) == 16


def test_what_no_length_reaches_is_told_as_a_bound():
    assert length_to_reach((4, 16), (2.0, 1.0), 0.9) == math.inf
    assert length_to_reach((4, 16), (2.0, 1.0), 2.1) == 0
    [at_4, at_16] = time_stretch((4, 16), [[2.0, 1.0]], [[2.1, 0.9]]).at
    assert at_4.estimate == at_4.most == 1
    assert at_16.estimate == at_16.least == 1
    assert time_stretch((4, 16), [[2.0, 1.0]], [[2.1, 1.5]]).ratio(1, 0) is None


def test_a_loss_that_rises_again_counts_where_it_is_first_reached():
    assert length_to_reach((1, 2, 4), (2.0, 1.0, 1.5), 1.0) == 2


def test_the_interval_covers_pairs_of_seeds_and_is_the_same_again():
    generator = np.random.default_rng(0)
    fast = np.array(power_law(LENGTHS)) + generator.normal(0, 0.02, (8, 6))
    slow = np.array(power_law(LENGTHS, 1.5)) + generator.normal(0, 0.02, (8, 6))
    one, again = time_stretch(LENGTHS, fast, slow), time_stretch(LENGTHS, fast, slow)
    assert one.at == again.at
    for at in one.at[1:]:
        assert at.low < 1.5 < at.high
        assert at.high - at.low < 0.3


def test_the_papers_curves_are_stretched_by_what_was_read_off_them():
    """Fig. 6a: ReLU6 at 3, 4, 5, 6, 7 million steps equals linear at 2.28, 3.02, 3.43, 3.78, 3.50."""
    curves = load("linear_vs_relu").parts["images"].paper.curves.top1
    linear, relu6 = ([100 - top1 for _, top1 in curves[f"{name}, shortcut"]] for name in ("linear", "relu6"))
    times = [time for time, _ in curves["linear, shortcut"]]
    at = dict(zip(times, time_stretch(times, [linear], [relu6]).at, strict=True))
    for time, other in {3.0: 2.28, 4.0: 3.02, 5.0: 3.43, 6.0: 3.78, 7.0: 3.50}.items():
        assert at[time].estimate == pytest.approx(time / other, abs=0.01)


def test_a_ratio_of_means_has_an_interval_only_where_its_divisor_keeps_its_sign():
    assert ratio_interval([1.0, 1.0], [2.0, 2.0]) == (0.5, 0.5, 0.5)
    assert ratio_interval([1.0], [4.0]) == (0.25, None, None)
    assert ratio_interval([1.0, 1.0], [3.0, -1.0])[1:] == (None, None)


@pytest.mark.parametrize("lengths", [(0, 1), (2, 2), (2, 1)])
def test_lengths_that_do_not_increase_are_refused(lengths):
    with pytest.raises(ValueError, match="increase"):
        time_stretch(lengths, [[2.0, 1.0]], [[2.0, 1.0]])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.data())
def test_the_expected_best_is_the_mean_of_the_maximum_over_all_subsets(scores, data):
    trials = data.draw(st.integers(1, len(scores)))
    slowly = statistics.mean(max(subset) for subset in itertools.combinations(scores, trials))
    assert expected_best(scores, trials) == pytest.approx(slowly)


def test_more_trials_than_scores_are_refused():
    with pytest.raises(ValueError, match="3 of 2"):
        expected_best([0.1, 0.2], 3)
