from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bottleneck_lab.manifold.invertibility import BOTTLENECK_WIDTHS
from bottleneck_lab.manifold.patterns import PixelCounts, count_pixels
from bottleneck_lab.manifold.positives import PAPER

STATES = list(PAPER)


def image_of(pixels):
    """Pixels (P, m) as one image [1, m, P, 1], in double precision."""
    return torch.from_numpy(np.asarray(pixels, dtype=np.float64)).T[None, :, :, None]


def counts_of(matrix, points, activation="relu", bias=0.0):
    matrix = np.asarray(matrix, dtype=np.float64)
    return count_pixels(image_of(np.asarray(points) @ matrix.T + bias), activation, matrix)


def slowly(matrix, pixels, low, high):
    """The counts as their definitions read, pixel by pixel and channel by channel."""
    channels, dimensions = matrix.shape
    histogram = [0] * (channels + 1)
    clipped_low = clipped_high = clipped = lost_at_zero = lost = 0
    for z in pixels:
        histogram[sum(z[i] > 0 for i in range(channels))] += 1
        clipped_low += sum(z[i] <= low for i in range(channels))
        clipped_high += sum(z[i] >= high for i in range(channels))
        not_low = [matrix[i] for i in range(channels) if z[i] > low]
        neither = [matrix[i] for i in range(channels) if low < z[i] < high]
        clipped += len(neither) < channels
        lost_at_zero += rank(not_low) < dimensions
        lost += rank(neither) < dimensions
    return PixelCounts(
        dimensions, np.array(histogram), clipped_low, clipped_high, clipped, lost_at_zero, lost
    )


def rank(rows):
    return np.linalg.matrix_rank(np.array(rows)) if rows else 0


def same(one, other):
    return {**asdict(one), "positive": one.positive.tolist()} == {
        **asdict(other),
        "positive": other.positive.tolist(),
    }


KINKS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0), "leaky_relu": (-math.inf, math.inf)}


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 6), st.sampled_from(list(KINKS)))
def test_the_counts_are_those_of_a_loop_over_pixels_and_channels(data, n, m, activation):
    # Small integers: rows are often zero or dependent, and channels often stand on a kink.
    matrix = data.draw(arrays(float, (m, n), elements=st.integers(-2, 2).map(float)))
    points = data.draw(arrays(float, (5, n), elements=st.integers(-3, 3).map(float)))
    z = points @ matrix.T
    assert same(counts_of(matrix, points, activation), slowly(matrix, z, *KINKS[activation]))


@pytest.mark.parametrize("activation", KINKS)
def test_the_counts_of_many_channels_are_those_of_a_loop(activation):
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((24, 6))
    matrix[12:] = rng.standard_normal((12, 4)) @ rng.standard_normal((4, 6))  # rank 4 on one half
    matrix[3] = 0.0
    points, bias = rng.standard_normal((300, 6)), rng.standard_normal(24) - 1.0
    expected = slowly(matrix, points @ matrix.T + bias, *KINKS[activation])
    assert same(counts_of(matrix, points, activation, bias), expected)
    if activation != "leaky_relu":
        assert 0 < expected.below_threshold < expected.lost < 300


def test_batches_add_up_to_all_pixels_at_once():
    rng = np.random.default_rng(1)
    matrix, points = rng.standard_normal((10, 4)), rng.standard_normal((90, 4))
    parts = [counts_of(matrix, part, "relu6") for part in np.split(points, [7, 50])]
    assert same(parts[0] + parts[1] + parts[2], counts_of(matrix, points, "relu6"))


def test_the_statistics_are_those_of_the_counts_themselves():
    z = np.random.default_rng(2).standard_normal((500, 12)) + np.linspace(-1, 1, 12)
    found, counts = count_pixels(image_of(z), "relu").positives, (z > 0).sum(axis=1)
    assert (found.channels, found.minimum, found.maximum) == (12, counts.min(), counts.max())
    assert found.mean == pytest.approx(counts.mean(), rel=1e-15)
    assert found.deviation == pytest.approx(counts.std(), rel=1e-12)


def test_sums_stay_exact_beyond_64_bits():
    huge = np.array([0, 2**60, 2**60, 0])  # squares times pixels: 2^123
    found = PixelCounts(3, huge, 0, 0, 0, 0, 0).positives
    assert (found.minimum, found.mean, found.maximum, found.deviation) == (1, 1.5, 2, 0.5)


def test_a_random_expansion_has_half_of_its_channels_positive_on_average():
    rng, m = np.random.default_rng(3), 96
    points = rng.standard_normal((50, 16))
    found = [counts_of(rng.standard_normal((m, 16)), points).positives for _ in range(200)]
    means = [of.mean for of in found]
    assert np.mean(means) == pytest.approx(m / 2, abs=4 * np.std(means) / math.sqrt(200))
    # Over points and matrices together a count is binomial: variance within plus variance of means is m/4.
    variance = np.mean([of.deviation**2 + (of.mean - m / 2) ** 2 for of in found])
    assert variance == pytest.approx(m / 4, rel=0.05)


def test_opposite_copies_of_the_identity_have_exactly_n_positive_channels_and_lose_nothing():
    points = np.random.default_rng(4).standard_normal((200, 5))
    found = counts_of(np.concatenate([np.eye(5), -np.eye(5)]), points)
    assert (found.positives.minimum, found.positives.mean, found.positives.maximum) == (5, 5.0, 5)
    assert found.positives.deviation == 0.0
    assert found.lost == 0


def test_equal_copies_of_the_identity_have_n_positive_channels_that_do_not_suffice():
    # Three copies of two channels: a point with one positive coordinate has 3 >= n rows, all the same one.
    angles = np.radians(np.arange(0.5, 360))
    points = np.column_stack([np.cos(angles), np.sin(angles)])
    found = counts_of(np.concatenate([np.eye(2)] * 3), points)
    assert found.positive.tolist() == [90, 0, 0, 180, 0, 0, 90]
    assert found.below_threshold == 90
    assert found.lost == 270


def test_relu6_loses_what_lies_above_six_as_well():
    both_signs = np.concatenate([np.eye(2), -np.eye(2)])
    found = counts_of(both_signs, [[1.0, 2.0], [1.0, 7.0], [-6.0, 2.0], [-7.0, 7.0]], "relu6")
    assert (found.lost_at_zero, found.lost) == (0, 3)
    assert (found.clipped_low, found.clipped_high) == (8, 4)


def test_a_channel_that_batch_norm_has_switched_off_is_positive_but_tells_nothing():
    found = counts_of([[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0]], bias=np.array([0.0, 1.0]))
    assert found.positive.tolist() == [0, 0, 1]
    assert found.lost == 1
    switched_off = counts_of(
        [[1.0, 0.0], [0.0, 1.0], [1e-30, -1e-30]], [[1.0, -1.0]], bias=np.array([0, 0, 1.0])
    )
    assert (switched_off.below_threshold, switched_off.lost) == (0, 1)  # fmt: skip


def test_channels_of_rank_below_n_lose_every_pixel_however_many_are_positive():
    line = np.outer(np.arange(1.0, 41.0), [1.0, 2.0])
    found = counts_of(line, [[1.0, 1.0], [2.0, 3.0]])
    assert found.positives.minimum == 40
    assert found.lost == 2


def test_without_a_matrix_one_clipped_channel_is_enough_to_lose_a_pixel():
    z = [[1.0, 2.0, 3.0], [1.0, -2.0, 3.0], [1.0, 2.0, 6.0], [-1.0, -2.0, 7.0]]
    found = count_pixels(image_of(z), "relu6")
    assert (found.threshold, found.pixels) == (3, 4)
    assert (found.clipped_low, found.clipped_high, found.clipped) == (3, 2, 3)
    assert (found.lost_at_zero, found.lost) == (2, 3)


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "silu"])
def test_activations_without_flat_stretches_clip_nothing(activation):
    found = count_pixels(torch.randn(3, 4, 5, 5), activation)
    assert (found.clipped_low, found.clipped_high, found.clipped, found.lost) == (0, 0, 0, 0)


def test_a_standard_normal_channel_is_clipped_half_the_time_at_zero_and_never_at_six():
    z = torch.randn(100, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    found = count_pixels(z, "relu6")
    assert found.share_of_channels(found.clipped_low) == pytest.approx(0.5, abs=0.005)
    assert found.share_of_channels(found.clipped_high) < 1e-5
    assert found.share_of_pixels(found.clipped) == pytest.approx(1 - 2**-8, abs=0.002)


# ------------------------------------------------------------------------------------------ the paper's table


@pytest.mark.parametrize("state", STATES)
def test_the_papers_layers_are_the_sixteen_blocks_of_mobilenet_v2_with_expansion_six(state):
    repeats = (1, 2, 3, 4, 3, 3)
    widths = [n for n, times in zip(BOTTLENECK_WIDTHS, repeats, strict=True) for _ in range(times)]
    assert [layer.threshold for layer in PAPER[state]] == widths
    assert all(layer.channels == 6 * layer.threshold for layer in PAPER[state])


@pytest.mark.parametrize("state", STATES)
def test_the_papers_numbers_are_in_order(state):
    for layer in PAPER[state]:
        assert 0 < layer.minimum < layer.mean - layer.deviation
        assert layer.mean + layer.deviation < layer.maximum < layer.channels


def test_the_papers_averages_stay_near_one_half_and_its_bands_grow_with_training():
    shares = {state: [of.mean / of.channels for of in PAPER[state]] for state in STATES}
    bands = {state: [of.deviation / of.channels for of in PAPER[state]] for state in STATES}
    for state, low, high in (("unnormalised", 0.457, 0.530), ("trained", 0.477, 0.512)):
        assert (min(shares[state]), max(shares[state])) == pytest.approx((low, high), abs=1e-3)
    assert all(after > before for before, after in zip(bands["unnormalised"], bands["trained"], strict=True))


def test_in_the_papers_trained_network_three_layers_have_pixels_below_the_threshold():
    below = [k for k, layer in enumerate(PAPER["trained"]) if layer.minimum < layer.threshold]
    assert below == [5, 12, 15]
    assert all(layer.minimum > layer.threshold for layer in PAPER["unnormalised"])


def test_the_papers_initial_network_is_not_centred():
    # Random weights without centring: (mean - m/2)^2 plus the variance is m/4 on average.
    def of_binomial(layers):
        return np.mean([((k.mean - k.channels / 2) ** 2 + k.deviation**2) / (k.channels / 4) for k in layers])

    assert of_binomial(PAPER["unnormalised"]) == pytest.approx(1, abs=0.1)
    assert of_binomial(PAPER["trained"]) > 10
