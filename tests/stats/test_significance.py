import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bottleneck_lab.stats import beyond_margin_test, equivalence_test, holm, mean_interval, t_test

contrasts = st.lists(st.integers(-1000, 1000).map(lambda count: count / 10000), min_size=2, max_size=8)
margins = st.floats(1e-3, 1)
p_values = st.lists(st.none() | st.floats(0, 1), max_size=8)


def test_students_sleep_data_has_the_p_that_r_documents(student_sleep):
    assert t_test(student_sleep) == pytest.approx(0.002833, abs=5e-7)


@settings(deadline=None)
@given(contrasts)
def test_t_test_is_scipys_one_sample_t_test(values):
    if len(set(values)) > 1:
        assert t_test(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9, abs=1e-15)


def test_with_two_values_t_is_cauchy_and_p_an_arctangent():
    # mean 2, standard error 1: t = 2 with one degree of freedom
    assert t_test([1, 3]) == pytest.approx(1 - 2 * math.atan(2) / math.pi)
    assert equivalence_test([1, 3], margin=5) == pytest.approx(0.5 - math.atan(3) / math.pi)
    assert beyond_margin_test([1, 3], margin=0.5) == pytest.approx(1 - 2 * math.atan(1.5) / math.pi)


def test_equal_contrasts_are_judged_without_dividing_by_their_spread():
    assert t_test([0.0, 0.0, 0.0]) == 1
    assert t_test([0.1, 0.1, 0.1]) == 0
    assert equivalence_test([0.1, 0.1, 0.1], margin=0.2) == 0
    assert equivalence_test([0.1, 0.1, 0.1], margin=0.1) == 1
    assert beyond_margin_test([-0.1, -0.1, -0.1], margin=0.05) == 0
    assert beyond_margin_test([0.1, 0.1, 0.1], margin=0.1) == 1


@pytest.mark.parametrize("values", [[], [0.1]])
def test_fewer_than_two_seeds_have_no_p(values):
    assert t_test(values) is None
    assert equivalence_test(values, 0.1) is None
    assert beyond_margin_test(values, 0.1) is None


@settings(deadline=None)
@given(contrasts, margins)
def test_equivalence_and_beyond_margin_are_built_from_scipys_one_sided_tests(values, margin):
    if len(set(values)) > 1:
        above_low = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
        below_high = stats.ttest_1samp(values, margin, alternative="less").pvalue
        above_high = stats.ttest_1samp(values, margin, alternative="greater").pvalue
        below_low = stats.ttest_1samp(values, -margin, alternative="less").pvalue
        assert equivalence_test(values, margin) == pytest.approx(max(above_low, below_high), abs=1e-12)
        assert beyond_margin_test(values, margin) == pytest.approx(
            min(1, 2 * min(above_high, below_low)), abs=1e-12
        )


def test_equivalence_at_5_percent_is_the_90_percent_interval_inside_the_margin(student_sleep):
    # Schuirmann 1987: the two procedures are one.
    far_end = mean_interval(student_sleep, level=0.90).high
    assert equivalence_test(student_sleep, far_end) == pytest.approx(0.05)


def test_beyond_the_margin_at_5_percent_is_the_95_percent_interval_outside_it(student_sleep):
    near_end = mean_interval(student_sleep).low
    assert beyond_margin_test(student_sleep, near_end) == pytest.approx(0.05)


def test_no_value_is_both_within_and_beyond_a_margin(student_sleep):
    assert equivalence_test(student_sleep, 0.5) > 0.5
    assert beyond_margin_test(student_sleep, 3.0) == 1


def test_a_true_mean_at_the_margin_passes_for_equivalent_in_at_most_5_of_100_experiments():
    experiments = np.random.default_rng(0).normal(0.01, 0.004, (4000, 5))
    assert np.mean([equivalence_test(e, 0.01) < 0.05 for e in experiments]) == pytest.approx(0.05, abs=0.0105)


def test_a_true_mean_at_the_margin_passes_for_beyond_it_in_at_most_5_of_100_experiments():
    experiments = np.random.default_rng(0).normal(0.01, 0.004, (4000, 5))
    assert np.mean([beyond_margin_test(e, 0.01) < 0.05 for e in experiments]) < 0.05
    # With next to no margin both sides count, and the factor 2 is needed in full.
    experiments = np.random.default_rng(0).normal(0, 0.004, (4000, 5))
    assert np.mean([beyond_margin_test(e, 1e-9) < 0.05 for e in experiments]) == pytest.approx(
        0.05, abs=0.0105
    )


@pytest.mark.parametrize("margin", [0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("test", [equivalence_test, beyond_margin_test])
def test_a_margin_is_positive(test, margin):
    with pytest.raises(ValueError, match=f"margin is positive and finite, got {margin}"):
        test([0.1, 0.2], margin)


def test_a_contrast_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="finite, got nan"):
        t_test([0.1, float("nan")])


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # the encyclopaedias' example, as R's p.adjust
        ([0.50, 0.003, 0.32, 0.054, 0.0003], [0.64, 0.012, 0.64, 0.162, 0.0015]),  # documentation of pingouin
    ],
)
def test_published_examples_of_holm(raw, adjusted):
    assert holm(raw) == pytest.approx(adjusted)


def test_a_claim_without_p_does_not_count_as_a_claim():
    assert holm([None, 0.01, None, 0.04]) == [None, pytest.approx(0.02), None, pytest.approx(0.04)]
    assert holm([]) == []


@settings(deadline=None)
@given(p_values)
def test_holm_rejects_what_its_step_down_rejects(values):
    present = [p for p in values if p is not None]
    adjusted = [p for p in holm(values) if p is not None]
    for alpha in (0.01, 0.05, 0.2):
        rejected: set[float] = set()
        for step, p in enumerate(sorted(present)):
            if (len(present) - step) * p > alpha:
                break
            rejected.add(p)
        assert {p for p, a in zip(present, adjusted, strict=True) if a <= alpha} == rejected


@settings(deadline=None)
@given(p_values)
def test_holm_keeps_order_and_lies_between_p_and_1(values):
    adjusted = holm(values)
    pairs = sorted((p, a) for p, a in zip(values, adjusted, strict=True) if p is not None)
    assert all(p <= a <= 1 for p, a in pairs)
    assert [a for _, a in pairs] == sorted(a for _, a in pairs)
    assert [a is None for a in adjusted] == [p is None for p in values]


@settings(deadline=None)
@given(p_values, st.randoms())
def test_holm_does_not_depend_on_the_order_of_claims(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    adjusted = holm(values)
    assert holm([values[place] for place in order]) == [adjusted[place] for place in order]


@pytest.mark.parametrize("p", [-0.01, 1.01, float("nan")])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=f"got {p}"):
        holm([0.5, p])
