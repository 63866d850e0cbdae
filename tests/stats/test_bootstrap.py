import tracemalloc

import numpy as np
import pytest

from bottleneck_lab.stats import bootstrap_examples


def answers(n_examples, accuracy_a, accuracy_b, seed=0):
    """Correctness of two networks that find the same examples hard, as networks do."""
    hardness = np.random.default_rng(seed).random(n_examples)
    noise = np.random.default_rng(seed + 10**6).normal(0, 0.05, n_examples)
    return hardness < accuracy_a, np.clip(hardness + noise, 0, 1) < accuracy_b


def test_interval_has_the_normal_width_where_examples_are_many():
    a, b = answers(10_000, 0.92, 0.90)
    interval = bootstrap_examples(a, b, resamples=4000)
    difference = a.astype(float) - b
    standard_error = difference.std() / np.sqrt(10_000)
    assert interval.estimate == pytest.approx(difference.mean())
    assert interval.low == pytest.approx(difference.mean() - 1.96 * standard_error, abs=0.1 * standard_error)
    assert interval.high == pytest.approx(difference.mean() + 1.96 * standard_error, abs=0.1 * standard_error)


def test_it_is_the_bootstrap_that_draws_examples_one_by_one():
    a, b = answers(200, 0.9, 0.8)
    generator = np.random.default_rng(1)
    drawn = generator.integers(0, 200, (4000, 200))
    slow = np.quantile((a.astype(float) - b)[drawn].mean(axis=1), [0.025, 0.975])
    fast = bootstrap_examples(a, b, resamples=4000)
    assert [fast.low, fast.high] == pytest.approx(slow, abs=0.006)


def test_pairing_makes_the_interval_narrower_than_two_independent_networks_would_have():
    a, b = answers(2000, 0.9, 0.88)
    paired = bootstrap_examples(a, b)
    unpaired = bootstrap_examples(a, np.roll(b, 1))
    assert paired.high - paired.low < 0.8 * (unpaired.high - unpaired.low)


def test_interval_covers_the_true_difference_in_95_of_100_held_out_sets():
    truth = np.mean([np.subtract(*map(np.mean, answers(100_000, 0.9, 0.85, seed))) for seed in range(20)])
    intervals = [bootstrap_examples(*answers(300, 0.9, 0.85, seed), resamples=1000) for seed in range(1000)]
    assert 0.93 < np.mean([i.low <= truth <= i.high for i in intervals]) < 0.97


def test_correctness_averaged_over_seeds_is_accepted():
    a = np.random.default_rng(0).integers(0, 6, 500) / 5
    interval = bootstrap_examples(a, np.zeros(500))
    assert interval.low < a.mean() < interval.high


def test_memory_stays_bounded_where_every_difference_is_another():
    values = np.random.default_rng(0).random(20_000)
    tracemalloc.start()
    bootstrap_examples(values, np.zeros(20_000), resamples=400)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20 < 400 * 20_000 * 8  # bytes


def test_networks_that_answer_alike_differ_by_exactly_nothing():
    a, _ = answers(100, 0.9, 0.9)
    interval = bootstrap_examples(a, a)
    assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


def test_exchanging_the_networks_turns_the_interval_around():
    a, b = answers(1000, 0.9, 0.85)
    there, back = bootstrap_examples(a, b, resamples=4000), bootstrap_examples(b, a, resamples=4000)
    assert back.estimate == -there.estimate
    assert back.low == pytest.approx(-there.high, abs=0.002)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    a, b = answers(1000, 0.9, 0.85)
    assert bootstrap_examples(a, b, seed=3) == bootstrap_examples(a, b, seed=3)
    assert bootstrap_examples(a, b, seed=3) != bootstrap_examples(a, b, seed=4)


def test_one_example_has_no_interval():
    interval = bootstrap_examples([1], [0])
    assert (interval.estimate, interval.low, interval.high) == (1, None, None)


@pytest.mark.parametrize(
    ("a", "b", "complaint"),
    [
        ([1, 0], [1, 0, 1], "got 2 and 3"),
        ([], [], "got shape"),
        ([[1, 0]], [[1, 0]], "got shape"),
        ([2, 0], [1, 0], "outside"),
        ([float("nan"), 0], [1, 0], "outside"),
    ],
)
def test_arrays_that_are_no_correctness_are_refused(a, b, complaint):
    with pytest.raises(ValueError, match=complaint):
        bootstrap_examples(a, b)


def test_no_resamples_are_refused():
    with pytest.raises(ValueError, match="at least one resample, got 0"):
        bootstrap_examples([1, 0], [0, 0], resamples=0)
