import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottleneck_lab.stats import accuracy_interval, mean_interval

several_values = st.lists(st.floats(-1, 1), min_size=2, max_size=8)


def test_students_sleep_data_has_the_interval_that_r_documents(student_sleep):
    interval = mean_interval(student_sleep)
    assert interval.estimate == pytest.approx(1.58)
    assert interval.low == pytest.approx(0.7001142, abs=5e-8)
    assert interval.high == pytest.approx(2.4598858, abs=5e-8)


def test_half_width_of_two_values_is_half_their_distance_times_the_printed_t_of_12_706():
    interval = mean_interval([0.90, 0.92])
    assert interval.high - interval.estimate == pytest.approx(0.01 * 12.706, rel=1e-4)


def test_a_wider_level_uses_the_printed_t_of_3_250_for_nine_degrees_of_freedom(student_sleep):
    interval = mean_interval(student_sleep, level=0.99)
    assert interval.high - interval.estimate == pytest.approx(
        3.250 * np.std(student_sleep, ddof=1) / np.sqrt(10), rel=1e-4
    )


@pytest.mark.parametrize("n", [3, 5, 10])
def test_interval_covers_the_true_mean_in_95_of_100_experiments(n):
    experiments = np.random.default_rng(n).normal(0.7, 0.02, (4000, n))
    intervals = [mean_interval(experiment) for experiment in experiments]
    assert 0.93 < np.mean([i.low <= 0.7 <= i.high for i in intervals]) < 0.97


def test_one_seed_gives_an_estimate_without_ends():
    interval = mean_interval([0.9])
    assert (interval.estimate, interval.low, interval.high) == (0.9, None, None)
    assert accuracy_interval([0.9]) == interval


def test_equal_values_have_an_interval_of_no_width():
    interval = mean_interval([0.1, 0.1, 0.1])
    assert (interval.estimate, interval.low, interval.high) == (0.1, 0.1, 0.1)


def test_accuracy_interval_is_cut_to_the_fractions_that_exist():
    assert mean_interval([0.99, 1.0]).high > 1
    assert accuracy_interval([0.99, 1.0]).high == 1
    assert accuracy_interval([0.01, 0.0]).low == 0


def test_accuracy_interval_away_from_the_ends_is_the_t_interval():
    assert accuracy_interval([0.5, 0.51, 0.53]) == mean_interval([0.5, 0.51, 0.53])


@settings(deadline=None)
@given(several_values)
def test_interval_contains_the_mean_and_is_symmetric_about_it(values):
    interval = mean_interval(values)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.estimate == pytest.approx(np.mean(values), abs=1e-12)
    assert interval.high - interval.estimate == pytest.approx(interval.estimate - interval.low, abs=1e-12)


@settings(deadline=None)
@given(several_values, st.floats(-5, 5), st.floats(0.1, 10))
def test_interval_shifts_and_scales_with_the_values(values, shift, scale):
    interval = mean_interval(values)
    moved = mean_interval([scale * value + shift for value in values])
    assert moved.low == pytest.approx(scale * interval.low + shift, abs=1e-9)
    assert moved.high == pytest.approx(scale * interval.high + shift, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "level", "complaint"),
    [([], 0.95, "no values"), ([0.1, float("nan")], 0.95, "finite, got nan"), ([0.1, 0.2], 95, "got 95")],
)
def test_what_has_no_interval_is_named(values, level, complaint):
    with pytest.raises(ValueError, match=complaint):
        mean_interval(values, level)


def test_an_accuracy_in_percent_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\], got 91.5"):
        accuracy_interval([91.5, 92.0])
