from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import ACTIVATIONS
from bottleneck_lab.manifold.embedding import draw_embeddings, paper_matrix, pre_activations
from bottleneck_lab.manifold.invertibility import (
    active_rank,
    bounds_of_mobilenet_blocks,
    collapse_bounds,
    collapsed_in_theory,
    recovery,
)
from bottleneck_lab.manifold.shapes import circle, gaussian

RELU, RELU6, LEAKY = ACTIVATIONS["relu"], ACTIVATIONS["relu6"], ACTIVATIONS["leaky_relu"]


def without_bias(points, matrices):
    return pre_activations(points, matrices, np.zeros(matrices.shape[:-1]))


def only_solution(matrix, point, activation):
    """By definition: maximise and minimise every coordinate over all x with the output of `point`."""
    z = matrix @ point
    active = activation.informative(z)
    low, high = z <= activation.flat_below, z >= activation.flat_above
    bounds = np.concatenate(
        [np.full(low.sum(), activation.flat_below), np.full(high.sum(), -activation.flat_above)]
    )
    rows = np.concatenate([matrix[low], -matrix[high]])
    for sign in (1, -1):
        for axis in np.eye(len(point)):
            found = linprog(
                sign * axis,
                A_ub=rows if len(rows) else None,
                b_ub=bounds if len(rows) else None,
                A_eq=matrix[active] if active.any() else None,
                b_eq=z[active] if active.any() else None,
                bounds=(None, None),
            )
            if found.status == 3 or abs(found.fun - sign * axis @ point) > 1e-6:
                return False
    return True


small_integers = st.integers(-3, 3).map(float)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 5), st.sampled_from([RELU, RELU6, LEAKY]))
def test_recovery_is_uniqueness_of_the_solution_even_where_channels_stand_on_a_kink(data, n, m, activation):
    matrix = data.draw(arrays(float, (m, n), elements=small_integers))
    points = data.draw(arrays(float, (3, n), elements=small_integers))
    unique = recovery(matrix, without_bias(points, matrix), activation).unique
    assert unique.tolist() == [only_solution(matrix, point, activation) for point in points]


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 6))
def test_active_rank_is_the_rank_of_the_active_rows(data, n, m):
    matrices = data.draw(arrays(float, (2, m, n), elements=small_integers))
    active = data.draw(arrays(bool, (2, 4, m)))
    rows = [[matrices[k][active[k, i]] for i in range(4)] for k in range(2)]
    expected = [[np.linalg.matrix_rank(each) if len(each) else 0 for each in some] for some in rows]
    assert active_rank(matrices, active).tolist() == expected


def test_active_rank_of_many_channels_is_the_rank_of_the_active_rows():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((40, 6))
    matrix[20:] = rng.standard_normal((20, 4)) @ rng.standard_normal((4, 6))  # rank 4 on the second half
    active = rng.random((200, 40)) < 0.1
    active[:100, :20] = False
    expected = [np.linalg.matrix_rank(matrix[pattern]) if pattern.any() else 0 for pattern in active]
    assert active_rank(matrix, active).tolist() == expected
    assert 4 in expected
    assert 6 in expected


def test_the_origin_is_recoverable_as_often_as_wendel_says():
    # J. G. Wendel 1962: m random directions in n dimensions lie in one half-space with probability
    # 2^(1-m) sum of C(m-1, k), k < n; only if they do not is 0 the only x with ReLU(Tx) = 0.
    origin, trials = np.zeros((1, 2)), 4000
    for m in (3, 5, 8):
        matrices = np.random.default_rng(m).standard_normal((trials, m, 2))
        unique = recovery(matrices, without_bias(origin, matrices), RELU).unique.mean()
        expected = 1 - sum(math.comb(m - 1, k) for k in range(2)) / 2 ** (m - 1)
        assert abs(unique - expected) < 4 * math.sqrt(expected * (1 - expected) / trials)


def test_opposite_rows_keep_the_origin_although_no_channel_is_active():
    # The lemma as printed says that at least n channels must be active; B = [1; -1], x = 0 shows when not.
    found = recovery(np.array([[1.0], [-1.0]]), np.zeros((1, 2)), RELU)
    assert found.unique.tolist() == [True]
    assert found.rank.tolist() == [0]


def test_relu6_also_forgets_above_six():
    found = recovery(np.eye(2), np.array([[5.0, 5.0], [7.0, 5.0], [6.0, 5.0]]), RELU6)
    assert found.unique.tolist() == [True, False, False]
    assert found.rank.tolist() == [2, 1, 1]


def test_leaky_relu_never_forgets():
    matrices = np.random.default_rng(0).standard_normal((50, 2, 2))
    assert recovery(matrices, without_bias(circle(100), matrices), LEAKY).unique.all()


def test_the_papers_two_channels_keep_a_fifth_of_directions_and_send_a_fifth_to_the_origin():
    # Kept sector 114.706 to 185.436 degrees: 70.73 of 360, as many to the origin, the rest on two rays.
    matrix = paper_matrix(2)
    found = recovery(matrix, without_bias(circle(36_000), matrix), RELU)
    kept = (185.436 - 114.706) / 360
    assert found.unique.mean() == pytest.approx(kept, abs=1e-4)
    assert np.bincount(found.rank) / 36_000 == pytest.approx([kept, 1 - 2 * kept, kept], abs=1e-4)


def test_the_papers_three_channels_lose_exactly_half_of_the_directions():
    matrix = paper_matrix(3)
    z = without_bias(circle(36_000), matrix)
    active = np.bincount((z > 0).sum(axis=-1)) / 36_000
    assert active == pytest.approx([0.121, 0.379, 0.379, 0.121], abs=1e-3)
    assert recovery(matrix, z, RELU).unique.mean() == pytest.approx(0.5, abs=1e-4)


def test_any_three_channels_in_general_position_lose_exactly_half_of_a_symmetric_plane():
    # active(x) + active(-x) = 3, so one of x and -x has two active channels and the other has not.
    matrices = np.random.default_rng(0).standard_normal((30, 3, 2))
    unique = recovery(matrices, without_bias(circle(1000), matrices), RELU).unique
    assert unique.mean(axis=-1).tolist() == [0.5] * 30


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "orthonormal"])
@pytest.mark.parametrize("bias", [False, True])
def test_relu_collapses_the_share_that_theorem_1_gives_for_every_symmetric_law(kind, bias):
    points = gaussian(200, np.random.default_rng(1))
    for m in (2, 3, 5):
        matrices, biases = draw_embeddings(kind, m, points, range(600), seed=2, bias=bias)
        lost = 1 - recovery(matrices, pre_activations(points, matrices, biases), RELU).unique.mean(axis=-1)
        error = lost.std() / math.sqrt(len(lost))
        assert abs(lost.mean() - collapsed_in_theory(m, 2)) < 4 * error + 1e-12


def test_theorem_1_in_three_dimensions():
    points = np.random.default_rng(3).standard_normal((100, 3))
    matrices, biases = draw_embeddings("gaussian", 6, points, range(600), seed=3)
    lost = 1 - recovery(matrices, pre_activations(points, matrices, biases), RELU).unique.mean(axis=-1)
    # 1 - P(Bin(6, 1/2) >= 3) = (1 + 6 + 15) / 64
    assert abs(lost.mean() - 22 / 64) < 4 * lost.std() / math.sqrt(len(lost))


def test_relu_in_two_dimensions_collapses_three_quarters_of_the_plane():
    collapsed = [collapsed_in_theory(m, 2) for m in (2, 3, 5, 15, 30)]
    assert collapsed == [0.75, 0.5, 0.1875, 16 / 2**15, 31 / 2**30]


@given(st.integers(1, 60), st.integers(0, 60))
def test_theorem_1_is_the_papers_sum(n, more):
    m = n + more
    kept = sum(Fraction(math.comb(m, k), 2**m) for k in range(m - n + 1))
    assert collapsed_in_theory(m, n) == float(1 - kept)


def test_the_last_bound_is_false_for_every_mobilenet_block():
    collapsed = ["2.0e-12", "1.5e-17", "1.1e-22", "4.7e-43", "2.3e-63", "6.2e-104"]
    claimed = ["3.6e-15", "2.1e-22", "1.3e-29", "1.6e-58", "2.0e-87", "3.2e-145"]
    blocks = bounds_of_mobilenet_blocks()
    assert [(block.data_dim, block.channels) for block in blocks] == [
        (16, 96), (24, 144), (32, 192), (64, 384), (96, 576), (160, 960)
    ]  # fmt: skip
    assert [f"{2**block.collapsed:.1e}" for block in blocks] == collapsed
    assert [f"{2**block.half:.1e}" for block in blocks] == claimed
    assert not any(block.last_bound_holds for block in blocks)
    assert all(block.power > 0 for block in blocks)  # more than everything: it says nothing there
    assert f"{2 ** blocks[0].factorial:.1e}" == "3.0e-09"


@pytest.mark.parametrize(("n", "first"), [(2, 30), (16, 276), (160, 3834)])
def test_the_last_step_of_the_bounds_needs_many_more_channels_than_six_times(n, first):
    assert collapse_bounds(first, n).power <= collapse_bounds(first, n).half
    assert collapse_bounds(first - 1, n).power > collapse_bounds(first - 1, n).half


@given(st.integers(1, 100), st.integers(0, 400))
def test_the_first_two_bounds_always_hold(n, more):
    bounds = collapse_bounds(n + more, n)
    assert bounds.collapsed <= bounds.factorial + 1e-9
    assert bounds.factorial <= bounds.power


@pytest.mark.parametrize(("m", "n"), [(1, 2), (3, 0), (-1, -1)])
def test_theorem_1_refuses_fewer_channels_than_dimensions(m, n):
    with pytest.raises(LabError, match="1 <= n <= m"):
        collapsed_in_theory(m, n)
    with pytest.raises(LabError, match="1 <= n <= m"):
        collapse_bounds(m, n)
