import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bottleneck_lab.stats import detectable_effect, mean_interval, seeds_needed, t_test


def test_dalgaards_paired_example_needs_twenty_pairs():
    # Dalgaard 2008, Introductory Statistics with R, sec. 8.3: delta 10, sd 10 sqrt(2), power 0.85: n = 19.97.
    sd = 10 * np.sqrt(2)
    assert detectable_effect(sd, 20, power=0.85) < 10 < detectable_effect(sd, 19, power=0.85)
    assert detectable_effect(sd, 20, power=0.85) == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize(("effect_in_sd", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cohens_small_medium_and_large_effects_need_the_known_numbers_of_pairs(effect_in_sd, pairs):
    assert detectable_effect(1, pairs) <= effect_in_sd < detectable_effect(1, pairs - 1)


def test_r_gives_the_same_power():
    # power.t.test(n = 10, delta = 0.5, sd = 0.3088401, type = "paired") prints power = 0.9947832.
    assert detectable_effect(0.3088401, 10, power=0.9947832) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_power_at_the_detectable_effect_is_80_percent_by_integration(n, alpha):
    effect = detectable_effect(0.01, n, alpha=alpha) / 0.01 * np.sqrt(n)
    critical = stats.t.ppf(1 - alpha / 2, n - 1)

    def power_given_the_spread(u):
        spread = np.sqrt(stats.chi2.ppf(u, n - 1) / (n - 1))
        return stats.norm.cdf(effect - critical * spread)

    assert integrate.quad(power_given_the_spread, 0, 1)[0] == pytest.approx(0.8, abs=1e-6)


def test_a_t_test_finds_the_detectable_effect_in_80_of_100_experiments():
    effect = detectable_effect(0.01, 5)
    experiments = np.random.default_rng(0).normal(effect, 0.01, (4000, 5))
    assert np.mean([t_test(e) < 0.05 for e in experiments]) == pytest.approx(0.8, abs=0.02)


@settings(deadline=None)
@given(st.floats(1e-4, 1), st.integers(2, 50))
def test_more_seeds_detect_less_and_twice_the_spread_twice_as_much(sd, n):
    assert detectable_effect(sd, n + 1) < detectable_effect(sd, n)
    assert detectable_effect(2 * sd, n) == pytest.approx(2 * detectable_effect(sd, n))


def test_one_seed_detects_nothing_and_no_spread_everything():
    assert detectable_effect(0.01, 1) is None
    assert detectable_effect(0.0, 5) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"sd": -1, "n": 5}, "not negative, got -1"),
        ({"sd": float("nan"), "n": 5}, "got nan"),
        ({"sd": 1, "n": 5, "power": 0.04}, "power 0.04"),
        ({"sd": 1, "n": 5, "power": 1}, "power 1"),
        ({"sd": 1, "n": 5, "alpha": 0}, "alpha 0"),
    ],
)
def test_impossible_plans_are_named(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        detectable_effect(**arguments)


@settings(deadline=None)
@given(st.floats(0.1, 8))
def test_seeds_needed_is_what_trying_one_number_after_the_other_finds(sd_in_half_widths):
    n = 2
    while stats.t.ppf(0.975, n - 1) * sd_in_half_widths / np.sqrt(n) > 1:
        n += 1
    assert seeds_needed(sd_in_half_widths, 1) == n


def test_halving_an_interval_of_three_seeds_takes_two_more():
    # Printed t: 4.303 / sqrt(3) = 2.484, halved 1.242; 3.182 / sqrt(4) = 1.591, 2.776 / sqrt(5) = 1.241.
    values = [0.90, 0.91, 0.92]
    half_width = mean_interval(values).high - 0.91
    assert seeds_needed(0.01, half_width / 2) == 5


def test_a_needle_in_a_haystack_takes_as_many_seeds_as_the_normal_distribution_says():
    assert seeds_needed(1.0, 1e-9) == pytest.approx(1.959964**2 * 1e18)


def test_no_spread_needs_the_two_seeds_that_show_it():
    assert seeds_needed(0.0, 0.01) == 2


@pytest.mark.parametrize(("sd", "half_width"), [(-1, 1), (1, 0), (1, -1), (float("inf"), 1)])
def test_impossible_precision_is_refused(sd, half_width):
    with pytest.raises(ValueError, match=r"got -1|got 0|got inf"):
        seeds_needed(sd, half_width)
