from __future__ import annotations

import math

import numpy as np
import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.embedding import (
    EMBEDDINGS,
    calibrated,
    draw_embeddings,
    paper_matrix,
    pre_activations,
    random_matrix,
)
from bottleneck_lab.manifold.shapes import spiral

RANDOM = [kind for kind in EMBEDDINGS if kind != "paper"]


def test_the_papers_rows_point_where_the_figure_says():
    angles = np.rad2deg(np.arctan2(*paper_matrix(2).T[::-1])) % 360
    assert angles == pytest.approx([204.706, 95.436])
    angles = np.rad2deg(np.arctan2(*paper_matrix(3).T[::-1]))
    assert angles == pytest.approx([117.4, 73.6, -18.9], abs=0.06)


def test_orthonormal_columns_are_orthonormal():
    matrix = random_matrix("orthonormal", 7, 3, np.random.default_rng(0))
    assert matrix.T @ matrix == pytest.approx(np.eye(3))


@pytest.mark.parametrize(
    ("kind", "variance"), [("gaussian", 1.0), ("uniform", 1 / 3), ("orthonormal", 1 / 4)]
)
def test_entries_have_the_variance_of_their_law(kind, variance):
    rng = np.random.default_rng(0)
    entries = np.array([random_matrix(kind, 4, 2, rng) for _ in range(5000)])
    assert entries.var() == pytest.approx(variance, rel=0.03)
    assert abs(entries.mean()) < 0.02


@pytest.mark.parametrize("kind", RANDOM)
def test_rows_are_as_often_positive_as_negative_independently_of_each_other(kind):
    # What Theorem 1 asks of the law of T; then every sign pattern of Tx has probability 2^-m.
    rng = np.random.default_rng(1)
    signs = np.array([random_matrix(kind, 3, 2, rng) @ [0.3, -1.0] > 0 for _ in range(8000)])
    counts = np.bincount(signs @ [1, 2, 4], minlength=8)
    assert (np.abs(counts - 1000) < 4.5 * math.sqrt(1000 * 7 / 8)).all()


def test_calibration_gives_pre_activations_a_mean_square_of_one():
    points = spiral(300)
    matrices = calibrated(np.random.default_rng(0).standard_normal((5, 4, 2)), points)
    z = pre_activations(points, matrices, np.zeros((5, 4)))
    assert (z**2).mean(axis=(1, 2)) == pytest.approx(np.ones(5))


def test_pre_activations_are_tx_plus_b():
    rng = np.random.default_rng(0)
    points, matrices, biases = rng.random((6, 2)), rng.random((3, 4, 2)), rng.random((3, 4))
    z = pre_activations(points, matrices, biases)
    expected = [[[matrices[k, c] @ x + biases[k, c] for c in range(4)] for x in points] for k in range(3)]
    assert z == pytest.approx(np.array(expected))


@pytest.mark.parametrize("kind", RANDOM)
def test_a_trial_is_the_same_whichever_others_are_drawn(kind):
    points = spiral(100)
    matrices, biases = draw_embeddings(kind, 5, points, range(10), seed=3, bias=True)
    alone, its_bias = draw_embeddings(kind, 5, points, [7], seed=3, bias=True)
    assert np.array_equal(matrices[7], alone[0])
    assert np.array_equal(biases[7], its_bias[0])
    assert not np.array_equal(matrices[7], matrices[6])
    assert not np.array_equal(matrices, draw_embeddings(kind, 5, points, range(10), seed=4)[0])


def test_a_bias_does_not_change_the_matrix():
    plain, zero = draw_embeddings("gaussian", 5, spiral(100), range(3), seed=0)
    with_bias, bias = draw_embeddings("gaussian", 5, spiral(100), range(3), seed=0, bias=True)
    assert np.array_equal(plain, with_bias)
    assert (zero == 0).all()
    assert (bias != 0).all()


@pytest.mark.parametrize(
    ("kind", "dim", "bias", "reason"),
    [
        ("gaussian", 1, False, "T needs at least as many channels"),
        ("cauchy", 3, False, "no such embedding; there are gaussian"),
        ("paper", 5, False, "known for dims 2 and 3 only"),
        ("paper", 2, True, "has no bias"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(kind, dim, bias, reason):
    with pytest.raises(LabError, match=reason):
        draw_embeddings(kind, dim, spiral(100), [0], seed=0, bias=bias)
