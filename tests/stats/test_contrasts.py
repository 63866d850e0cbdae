import pytest

from bottleneck_lab.stats import paired_contrast

ACCURACIES = {
    "linear": {0: 0.91, 1: 0.93, 2: 0.92},
    "relu": {2: 0.90, 0: 0.90, 3: 0.95},
    "linear_wide": {0: 0.95, 2: 0.96},
    "relu_wide": {0: 0.95, 1: 0.90, 2: 0.95},
}


def test_a_difference_pairs_the_seeds_that_both_variants_have():
    assert paired_contrast(ACCURACIES, {"linear": 1, "relu": -1}) == {0: 0.01, 2: 0.02}


def test_an_interaction_is_the_difference_of_two_differences():
    weights = {"linear": 1, "relu": -1, "linear_wide": -1, "relu_wide": 1}
    assert paired_contrast(ACCURACIES, weights) == {0: 0.01, 2: 0.01}


def test_fractional_weights_compare_one_variant_with_the_mean_of_two():
    weights = {"linear": 1, "linear_wide": -0.5, "relu_wide": -0.5}
    assert paired_contrast(ACCURACIES, weights) == {0: -0.04, 2: pytest.approx(-0.035)}


def test_an_interaction_of_nothing_is_exactly_0_although_floats_round():
    accuracies = {"a": {0: 0.9}, "b": {0: 0.8}, "c": {0: 0.8}, "d": {0: 0.7}}
    assert (0.9 - 0.8) - (0.8 - 0.7) != 0
    assert paired_contrast(accuracies, {"a": 1, "b": -1, "c": -1, "d": 1}) == {0: 0}


def test_seeds_come_in_order():
    assert list(paired_contrast(ACCURACIES, {"relu": 1})) == [0, 2, 3]


def test_a_variant_of_weight_0_does_not_take_seeds_away():
    assert list(paired_contrast(ACCURACIES, {"relu_wide": 1, "linear_wide": 0})) == [0, 1, 2]


def test_a_variant_without_runs_yet_leaves_no_seed():
    assert paired_contrast({**ACCURACIES, "relu6": {}}, {"linear": 1, "relu6": -1}) == {}


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match="'rleu' has a weight but is not among"):
        paired_contrast(ACCURACIES, {"linear": 1, "rleu": -1})


def test_a_contrast_of_no_variants_is_refused():
    with pytest.raises(ValueError, match="weight other than 0"):
        paired_contrast(ACCURACIES, {"linear": 0})
