from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import manifold

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.decoders import moments
from bottleneck_lab.manifold.distances import (
    continuity,
    effective_rank,
    merged_pairs,
    nearest_codes,
    nearest_neighbour_error,
    neighbourhoods,
    participation_ratio,
    principal_variances,
    trustworthiness,
    two_nn_dimension,
)
from bottleneck_lab.manifold.shapes import circle, gaussian, grid, spiral

few_values = arrays(
    float, st.tuples(st.integers(3, 12), st.integers(1, 3)), elements=st.integers(0, 2).map(float)
)


def variances_of(codes):
    return principal_variances(moments(codes, codes).code_covariance)


# merged pairs and nearest neighbours


@settings(deadline=None)
@given(few_values)
def test_merged_pairs_are_the_pairs_with_equal_codes(codes):
    points = np.arange(len(codes), dtype=float)[:, None]
    pairs = list(combinations(codes, 2))
    merged = sum(np.array_equal(a, b) for a, b in pairs) / len(pairs)
    assert merged_pairs(nearest_codes(points), nearest_codes(codes)) == pytest.approx(merged)


def test_points_that_were_equal_from_the_start_are_not_merged_by_the_code():
    points = np.array([[0.0], [0.0], [1.0], [2.0]])  # five pairs of distinct points
    codes = np.array([[0.0], [0.0], [0.0], [2.0]])  # two of them merged
    assert merged_pairs(nearest_codes(points), nearest_codes(codes)) == pytest.approx(2 / 5)


def test_equal_up_to_rounding_is_equal():
    codes = np.array([[0.1 + 0.2], [0.3], [0.3 + 1e-9], [1.0]])
    assert nearest_codes(codes).equal_pairs == 1


def test_relu_merges_the_share_of_pairs_that_one_quadrant_in_m_channels_gives():
    # Two points at angle phi are both off in a random channel with probability (pi - phi) / (2 pi), in all m
    # independent ones with its m-th power; averaged over phi uniform on (0, pi): 2^-m / (m + 1).
    points = circle(2001)
    nearest = nearest_codes(points)
    for m in (2, 3):
        rng = np.random.default_rng(m)
        merged = [
            merged_pairs(nearest, nearest_codes(np.maximum(points @ rng.standard_normal((m, 2)).T, 0)))
            for _ in range(300)
        ]
        assert abs(np.mean(merged) - 2**-m / (m + 1)) < 4 * np.std(merged) / math.sqrt(300)


@settings(deadline=None)
@given(few_values, st.integers(0, 2**32 - 1))
def test_nearest_neighbour_error_is_that_of_looking_each_point_up(codes, seed):
    rng = np.random.default_rng(seed)
    codes = codes + rng.integers(0, 3, codes.shape) * math.pi  # some shared, some alone, few equal distances
    points = rng.standard_normal((len(codes), 2))
    answers = np.empty_like(points)
    for i in range(len(codes)):
        distances = np.linalg.norm(codes - codes[i], axis=1)
        distances[i] = np.inf
        nearest = np.isclose(distances, distances.min())
        groups = np.unique(codes[nearest].round(6), axis=0)
        assume(len(groups) == 1)  # which of two equally near codes is taken is not specified
        answers[i] = points[nearest].mean(axis=0)
    spread = ((points - points.mean(axis=0)) ** 2).sum()
    expected = np.sqrt(((answers - points) ** 2).sum() / spread)
    assert nearest_neighbour_error(points, nearest_codes(codes)) == pytest.approx(expected)


def test_one_code_for_all_leaves_the_mean_of_the_others_to_answer():
    points = gaussian(50, np.random.default_rng(0))
    # x - (mean of the others) = (x - mean) N / (N - 1)
    assert nearest_neighbour_error(points, nearest_codes(np.zeros((50, 3)))) == pytest.approx(50 / 49)
    assert math.isnan(two_nn_dimension(nearest_codes(np.zeros((50, 3)))))


def test_nearest_codes_of_two_are_each_other():
    nearest = nearest_codes(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]))
    assert nearest.sizes.tolist() in ([2, 1], [1, 2])
    assert nearest.nearest.tolist() == [1, 0]
    assert nearest.distances.tolist() == [[5.0, math.inf], [5.0, math.inf]]


@settings(deadline=None)
@given(
    arrays(
        float,
        st.tuples(st.integers(1, 4), st.integers(3, 12), st.integers(1, 3)),
        elements=st.integers(0, 3).map(float),
    ),
    st.integers(0, 2**32 - 1),
)
def test_sets_in_a_stack_are_compared_each_with_itself_alone(stack, seed):
    rng = np.random.default_rng(seed)
    stack = stack + rng.integers(0, 2, stack.shape) * math.pi + rng.integers(0, 2, (len(stack), 1, 1)) * 100
    points = rng.standard_normal((stack.shape[1], 2))
    before, together = nearest_codes(points), nearest_codes(stack)
    alone = [nearest_codes(codes) for codes in stack]
    assert np.array_equal(together.distances, np.concatenate([one.distances for one in alone]))
    assert together.equal_pairs.tolist() == [int(one.equal_pairs) for one in alone]
    for measure in (
        lambda codes: merged_pairs(before, codes),
        lambda codes: nearest_neighbour_error(points, codes),
        two_nn_dimension,
    ):
        each = np.array([measure(one) for one in alone])
        assert measure(together) == pytest.approx(each, nan_ok=True)


# dimension


def test_effective_rank_is_exp_of_the_entropy_of_the_centred_singular_values():
    codes = np.random.default_rng(0).standard_normal((60, 5)) * [1, 2, 3, 4, 5] + 100
    singular = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    shares = singular / singular.sum()
    assert effective_rank(variances_of(codes)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_participation_ratio_is_that_of_the_centred_covariance():
    codes = np.random.default_rng(0).standard_normal((60, 5)) * [1, 2, 3, 4, 5] + 100
    covariance = np.cov(codes.T)
    expected = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
    assert participation_ratio(variances_of(codes)) == pytest.approx(expected)


@given(st.integers(1, 20))
def test_codes_spread_equally_along_m_axes_have_rank_m(m):
    codes = np.concatenate([np.eye(m), -np.eye(m)]) + 7
    assert effective_rank(variances_of(codes)) == pytest.approx(m)
    assert participation_ratio(variances_of(codes)) == pytest.approx(m)


def test_variances_four_and_one_have_the_ranks_worked_out_by_hand():
    variances = np.array([[1.0, 4.0], [0.0, 3.0], [0.0, 0.0]])
    # singular values 1 and 2: shares 1/3 and 2/3; a line; one point
    assert effective_rank(variances) == pytest.approx([3 / 2 ** (2 / 3), 1.0, 0.0])
    assert participation_ratio(variances) == pytest.approx([25 / 17, 1.0, 0.0])


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_ranks_do_not_depend_on_scale_place_or_orientation(seed, scale):
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((40, 4)) * [1, 2, 3, 4]
    turned = scale * (codes @ np.linalg.qr(rng.standard_normal((4, 4)))[0] + 5)
    for rank in (effective_rank, participation_ratio):
        assert rank(variances_of(turned)) == pytest.approx(rank(variances_of(codes)))


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_two_nn_finds_the_dimension_of_uniform_points_in_a_larger_space(dimension):
    rng = np.random.default_rng(dimension)
    embedding = np.linalg.qr(rng.standard_normal((8, dimension)))[0]
    estimates = [
        two_nn_dimension(nearest_codes(rng.random((1000, dimension)) @ embedding.T)) for _ in range(10)
    ]
    # one estimate has a relative error of about 1 / sqrt(1000); edges cost some in five dimensions
    assert np.mean(estimates) == pytest.approx(dimension, rel=0.02 if dimension < 5 else 0.08)


def test_two_nn_is_the_slope_of_the_law_it_assumes():
    # Pairs of points far apart from one another, with r2 / r1 at the quantiles of 1 - mu^-d for d = 3.
    count = 300
    ratio = (1 - np.arange(1, count + 1) / (count + 1)) ** (-1 / 3)
    nearest = nearest_codes(np.arange(count, dtype=float)[:, None])
    nearest = type(nearest)(nearest.labels, np.column_stack([np.ones(count), ratio]), nearest.nearest)
    log_mu, rank = np.log(ratio[:270]), np.arange(1, 271)
    slope = np.polynomial.Polynomial.fit(log_mu, -np.log(1 - rank / count), [1], domain=[]).convert().coef[1]
    assert two_nn_dimension(nearest) == pytest.approx(slope)
    assert slope == pytest.approx(3, rel=0.02)


def test_two_nn_means_nothing_on_a_lattice():
    assert math.isnan(two_nn_dimension(nearest_codes(np.arange(32.0)[:, None])))


# neighbourhoods


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(17, 60))
def test_trustworthiness_without_ties_is_scikit_learns(seed, neighbours, count):
    rng = np.random.default_rng(seed)
    points, codes = rng.standard_normal((count, 3)), rng.standard_normal((count, 2))
    before, after = neighbourhoods(points, neighbours), neighbourhoods(codes, neighbours)
    expected = manifold.trustworthiness(points, codes, n_neighbors=neighbours)
    assert trustworthiness(before, after) == pytest.approx(expected)
    expected = manifold.trustworthiness(codes, points, n_neighbors=neighbours)
    assert continuity(before, after) == pytest.approx(expected)


def slow_trustworthiness(points, codes, k):
    """By definition, from exact squared distances of integer points; ties share what room is left."""
    n, loss = len(points), 0.0
    for i in range(n):
        of_points = [int(((points[i] - points[j]) ** 2).sum()) for j in range(n)]
        of_codes = [int(((codes[i] - codes[j]) ** 2).sum()) for j in range(n)]
        others = [j for j in range(n) if j != i]
        for j in others:
            closer = sum(of_codes[o] < of_codes[j] for o in others)
            tied = sum(of_codes[o] == of_codes[j] for o in others)
            share = min(1.0, max(0.0, (k - closer) / tied))
            rank = 1 + sum(of_points[o] < of_points[j] for o in others)
            loss += share * max(0, rank - k)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * loss


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_trustworthiness_with_ties_is_its_definition(seed, k):
    rng = np.random.default_rng(seed)
    points, codes = rng.integers(0, 5, (16, 2)), rng.integers(0, 3, (16, 2))
    before, after = neighbourhoods(points / 3, k), neighbourhoods(codes / 3, k)
    assert trustworthiness(before, after) == pytest.approx(slow_trustworthiness(points, codes, k))
    assert continuity(before, after) == pytest.approx(slow_trustworthiness(codes, points, k))


@pytest.mark.parametrize("points", [spiral(60), gaussian(60, np.random.default_rng(0)), grid(64)])
def test_an_isometry_keeps_every_neighbourhood(points):
    turned = points @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 3
    assert trustworthiness(neighbourhoods(points), neighbourhoods(turned)) == 1
    assert continuity(neighbourhoods(points), neighbourhoods(turned)) == 1


def test_one_code_for_all_is_as_trustworthy_as_chance_but_tears_nothing():
    n, k = 101, 5
    points = neighbourhoods(gaussian(n, np.random.default_rng(0)), k)
    nothing = neighbourhoods(np.zeros((n, 2)), k)
    chance = 1 - (n - k - 1) * (n - k) / ((n - 1) * (2 * n - 3 * k - 1))
    assert trustworthiness(points, nothing) == pytest.approx(chance)
    assert continuity(points, nothing) == 1


@pytest.mark.parametrize("neighbours", [0, 5, 6])
def test_neighbourhoods_must_be_smaller_than_half_of_the_points(neighbours):
    with pytest.raises(LabError, match="need at least"):
        neighbourhoods(gaussian(10, np.random.default_rng(0)), neighbours)
