from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bottleneck_lab.manifold.activations import ACTIVATIONS
from bottleneck_lab.manifold.decoders import (
    affine_error,
    moments,
    moments_of_chunks,
    pseudo_inverse_errors,
)
from bottleneck_lab.manifold.embedding import paper_matrix, pre_activations
from bottleneck_lab.manifold.shapes import gaussian, spiral

RELU, LEAKY = ACTIVATIONS["relu"], ACTIVATIONS["leaky_relu"]
seeds = st.integers(0, 2**32 - 1)


def through(points, matrices, biases=None, activation=RELU):
    biases = np.zeros(matrices.shape[:-1]) if biases is None else biases
    return moments(points, activation.apply(pre_activations(points, matrices, biases))), biases


def relative(answers, points):
    return np.sqrt(((answers - points) ** 2).sum() / ((points - points.mean(axis=0)) ** 2).sum())


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(0, 4))
def test_each_linear_error_is_that_of_the_decoder_written_out(seed, n, more):
    rng = np.random.default_rng(seed)
    points, matrices = rng.standard_normal((50, n)) + 1, rng.standard_normal((3, n + more, n))
    biases = rng.standard_normal((3, n + more))
    of, _ = through(points, matrices, biases)
    raw, scaled = pseudo_inverse_errors(of, matrices, biases)
    affine = affine_error(of)
    for k in range(3):
        codes = np.maximum(points @ matrices[k].T + biases[k], 0)
        answers = (codes - biases[k]) @ np.linalg.pinv(matrices[k]).T
        best_scale = np.linalg.lstsq(answers.reshape(-1, 1), points.reshape(-1), rcond=None)[0][0]
        design = np.column_stack([codes, np.ones(50)])
        best_affine = design @ np.linalg.lstsq(design, points, rcond=None)[0]
        assert raw[k] == pytest.approx(relative(answers, points), rel=1e-6, abs=1e-6)
        assert scaled[k] == pytest.approx(relative(best_scale * answers, points), rel=1e-6, abs=1e-6)
        assert affine[k] == pytest.approx(relative(best_affine, points), rel=1e-5, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(seeds, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_moments_of_chunks_are_those_of_all_points(seed, sizes):
    rng = np.random.default_rng(seed)
    points, codes = rng.standard_normal((sum(sizes), 2)) + 100, rng.standard_normal((3, sum(sizes), 4)) - 50
    edges = np.cumsum([0, *sizes])
    chunks = [moments(points[a:b], codes[:, a:b]) for a, b in pairwise(edges)]
    together, whole = moments_of_chunks(chunks), moments(points, codes)
    assert together.count == whole.count
    for name in ("point_mean", "code_mean", "point_covariance", "between", "code_covariance"):
        assert getattr(together, name) == pytest.approx(getattr(whole, name), abs=1e-9)


def test_moments_are_means_and_biased_covariances():
    rng = np.random.default_rng(0)
    points, codes = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    of = moments(points, codes)
    joint = np.cov(np.column_stack([points, codes]).T, ddof=0)
    assert of.point_covariance == pytest.approx(joint[:2, :2])
    assert of.between == pytest.approx(joint[:2, 2:])
    assert of.code_covariance == pytest.approx(joint[2:, 2:])


@settings(max_examples=50, deadline=None)
@given(arrays(float, (30, 2), elements=st.floats(-10, 10)).filter(lambda points: np.ptp(points) > 0.1), seeds)
def test_the_raw_pseudo_inverse_of_relu_is_never_better_than_one_half_on_symmetric_points(points, seed):
    # f(x) - f(-x) = x, so the errors at x and -x differ by x and cannot both be below |x| / 2.
    symmetric = np.concatenate([points, -points])
    matrices = np.random.default_rng(seed).standard_normal((4, 6, 2))
    of, biases = through(symmetric, matrices)
    raw, _ = pseudo_inverse_errors(of, matrices, biases)
    assert (raw >= 0.5 - 1e-9).all()


def test_each_row_with_its_opposite_is_decoded_to_exactly_half():
    # ReLU(x) - ReLU(-x) = x, and the pseudo-inverse of [I; -I] takes half of that.
    matrices = np.concatenate([np.eye(2), -np.eye(2)])[None]
    of, biases = through(spiral(1000), matrices)
    raw, scaled = pseudo_inverse_errors(of, matrices, biases)
    half = 0.5 * np.sqrt((spiral(1000) ** 2).sum() / ((spiral(1000) - spiral(1000).mean(axis=0)) ** 2).sum())
    assert raw == pytest.approx([half])
    assert scaled == pytest.approx([0.0], abs=1e-7)
    assert affine_error(of) == pytest.approx([0.0], abs=1e-6)


def test_with_many_channels_the_pseudo_inverse_tends_to_half_of_x():
    points = gaussian(300, np.random.default_rng(0))
    points = np.concatenate([points, -points])
    matrices = np.random.default_rng(1).standard_normal((5, 20_000, 2))
    biases = np.zeros((5, 20_000))
    codes = RELU.apply(pre_activations(points, matrices, biases))
    for k in range(5):
        answers = codes[k] @ np.linalg.pinv(matrices[k]).T
        # each answer is a mean over channels: its error falls like one over the root of their number
        assert np.abs(answers - points / 2).max() < 0.1


def test_the_papers_two_channels_reach_as_far_as_its_panel():
    # Largest radius in the panels Output/dim=2 and 3: 63.7 and 63.3.
    for dim, reach in ((2, 63.7), (3, 63.3)):
        matrix = paper_matrix(dim)
        answers = np.maximum(spiral(1000) @ matrix.T, 0) @ np.linalg.pinv(matrix).T
        assert np.linalg.norm(answers, axis=1).max() == pytest.approx(reach, abs=0.05)


def test_a_code_that_is_a_linear_map_of_x_is_decoded_without_error():
    points = gaussian(100, np.random.default_rng(0))
    matrices = np.random.default_rng(1).standard_normal((4, 5, 2))
    biases = np.full((4, 5), 100.0)  # so large that no channel is ever off
    of, _ = through(points, matrices, biases)
    raw, scaled = pseudo_inverse_errors(of, matrices, biases)
    for error in (raw, scaled, affine_error(of)):
        assert error == pytest.approx(np.zeros(4), abs=1e-6)


def test_dead_channels_leave_only_the_mean_to_answer():
    points = gaussian(100, np.random.default_rng(0))
    of, _ = through(points, np.random.default_rng(1).standard_normal((3, 4, 2)), np.full((3, 4), -100.0))
    assert affine_error(of) == pytest.approx(np.ones(3))


def test_the_affine_decoder_is_at_least_as_good_as_the_scaled_pseudo_inverse():
    points, matrices = spiral(200), np.random.default_rng(0).standard_normal((50, 4, 2))
    for activation in (RELU, LEAKY):
        of, biases = through(points, matrices, activation=activation)
        raw, scaled = pseudo_inverse_errors(of, matrices, biases)
        assert (affine_error(of) <= scaled + 1e-9).all()
        assert (scaled <= raw + 1e-9).all()
