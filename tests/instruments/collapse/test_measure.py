from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse import measure as module
from bottleneck_lab.instruments.collapse.measure import measure_collapse
from bottleneck_lab.instruments.collapse.result import MEASURES
from bottleneck_lab.manifold.activations import ACTIVATIONS
from bottleneck_lab.manifold.distances import nearest_codes, two_nn_dimension
from bottleneck_lab.manifold.embedding import draw_embeddings
from bottleneck_lab.manifold.invertibility import collapsed_deviation_in_theory, collapsed_in_theory
from bottleneck_lab.manifold.shapes import gaussian, make_shape, spiral


@pytest.fixture(scope="module")
def figure_1():
    return measure_collapse(spiral(1000))


def by_dim(result):
    return {collapse.dim: collapse for collapse in result.collapses}


def test_figure_1_collapses_what_theorem_1_says_to_sampling_error(figure_1):
    for dim, theory in ((2, 0.75), (3, 0.5), (5, 0.1875), (15, 4.9e-4), (30, 2.9e-8)):
        found = by_dim(figure_1)[dim]
        assert found.collapsed_theory == pytest.approx(theory, rel=0.01)
        at_the_origin = 1 / 1000  # one point in 1,000, of which the theorem says nothing
        assert abs(found.collapsed - theory) <= 4 * found.collapsed_theory_se + at_the_origin
        if dim >= 15:
            assert abs(found.collapsed - theory) <= 4 * found.collapsed_theory_se


def test_the_sampling_error_in_theory_is_that_of_two_independent_directions():
    # m = 2: the kept sector has the angle pi - a between rows at a, uniform on (0, pi): sd 1 / (4 sqrt 3).
    # m = 3: every T loses exactly half of a centrally symmetric set.
    angles = (np.arange(1000) + 0.5) * np.pi / 1000
    pairs = np.ones(1000)
    assert collapsed_deviation_in_theory(2, 2, angles, pairs) == pytest.approx(
        1 / (4 * math.sqrt(3)), rel=1e-5
    )
    assert collapsed_deviation_in_theory(3, 2, angles, pairs) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(("dim", "data_dim"), [(5, 2), (3, 3), (6, 3), (2, 1)])
def test_matrices_scatter_as_the_sampling_error_in_theory_says(dim, data_dim):
    points = np.random.default_rng(0).standard_normal((60, data_dim))
    found = measure_collapse(points, [dim], trials=1500).collapses[0]
    assert found.collapsed_se == pytest.approx(found.collapsed_theory_se, rel=0.1)


def test_with_a_bias_the_sampling_error_in_theory_still_holds():
    found = measure_collapse(gaussian(60, np.random.default_rng(0)), [4], trials=1500, bias=True).collapses[0]
    assert found.collapsed_se == pytest.approx(found.collapsed_theory_se, rel=0.1)
    assert abs(found.collapsed - collapsed_in_theory(4, 2)) < 4 * found.collapsed_theory_se


def test_the_mean_rank_is_that_of_a_binomial_count_cut_at_n(figure_1):
    for dim in (2, 3, 5):
        rank = sum(min(k, 2) * math.comb(dim, k) for k in range(dim + 1)) / 2**dim
        assert by_dim(figure_1)[dim].jacobian_rank == pytest.approx(rank, abs=0.03)


def test_the_pseudo_inverse_misleads(figure_1):
    # Nothing is lost in 30 channels, but the raw pseudo-inverse still answers x / 2.
    found = by_dim(figure_1)[30]
    assert found.collapsed == 0
    assert found.bands["pinv_error"].low >= 0.499
    assert found.bands["affine_error"].high < 0.05


def reference(points, matrix, bias, activation):
    """The measures of one matrix over all points, the obvious way."""
    codes = activation.apply(points @ matrix.T + bias)
    active = activation.informative(points @ matrix.T + bias)
    ranks = np.array([np.linalg.matrix_rank(matrix[row]) if row.any() else 0 for row in active])
    spread = ((points - points.mean(axis=0)) ** 2).sum()

    def error(answers):
        return np.sqrt(((answers - points) ** 2).sum() / spread)

    answers = (codes - bias) @ np.linalg.pinv(matrix).T
    scale = (answers * points).sum() / (answers**2).sum()
    design = np.column_stack([codes, np.ones(len(codes))])
    singular = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    shares = singular[singular > 1e-9] / singular.sum()
    return {
        "collapsed": (ranks < points.shape[1]).mean(),
        "jacobian_rank": ranks.mean(),
        "pinv_error": error(answers),
        "pinv_scaled_error": error(scale * answers),
        "affine_error": error(design @ np.linalg.lstsq(design, points, rcond=None)[0]),
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "participation_ratio": (singular**2).sum() ** 2 / (singular**4).sum(),
    }


@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu"])
@pytest.mark.parametrize("bias", [False, True])
def test_each_measure_is_that_of_a_loop_over_matrices(activation, bias):
    points = make_shape("gaussian", 80)
    result = measure_collapse(points, [4], activation=activation, bias=bias, trials=7)
    matrices, biases = draw_embeddings("gaussian", 4, points, range(7), seed=0, bias=bias)
    loop = [reference(points, t, b, ACTIVATIONS[activation]) for t, b in zip(matrices, biases, strict=True)]
    row = result.rows()[0]
    for name in loop[0]:
        values = np.array([one[name] for one in loop])
        if name in MEASURES:
            assert row[name] == pytest.approx(np.median(values), rel=1e-6)
            assert row[f"{name}_low"] == pytest.approx(np.quantile(values, 0.05), rel=1e-6)
            assert row[f"{name}_high"] == pytest.approx(np.quantile(values, 0.95), rel=1e-6)
        else:
            assert row[name] == pytest.approx(values.mean())
    collapsed = np.array([one["collapsed"] for one in loop])
    assert row["collapsed_se"] == pytest.approx(collapsed.std(ddof=1) / math.sqrt(7))
    assert row["lossy_matrices"] == (collapsed > 0).mean()


def test_the_measures_between_points_are_those_of_half_of_them(monkeypatch):
    points = make_shape("gaussian", 60)
    chosen = []
    original = module.neighbourhoods
    monkeypatch.setattr(module, "neighbourhoods", lambda sample: chosen.append(sample) or original(sample))
    row = measure_collapse(points, [2], trials=1).rows()[0]
    sample = chosen[0]
    assert len(sample) == 30
    assert all((points == x).all(axis=1).any() for x in sample)
    matrices, _ = draw_embeddings("gaussian", 2, points, [0], seed=0)
    codes = np.maximum(sample @ matrices[0].T, 0)
    equal = [np.array_equal(a, b) for a, b in combinations(codes, 2)]
    assert row["merged_pairs"] == pytest.approx(np.mean(equal))
    assert row["two_nn_dimension"] == pytest.approx(two_nn_dimension(nearest_codes(codes)))
    if not any(equal):
        assert row["trustworthiness"] == pytest.approx(sklearn_trustworthiness(sample, codes, n_neighbors=5))


def test_chunks_change_nothing(monkeypatch):
    points = make_shape("gaussian", 300)
    whole = measure_collapse(points, [2, 5], trials=30, bias=True).rows()
    monkeypatch.setattr(module, "_CHUNK", 500)
    pieces = measure_collapse(points, [2, 5], trials=30, bias=True).rows()
    for one, other in zip(whole, pieces, strict=True):
        assert one == pytest.approx(other, rel=1e-7, abs=1e-7)  # roots of variances that are rounding


def test_a_dim_and_a_trial_do_not_depend_on_the_others():
    points = spiral(100)
    assert (
        measure_collapse(points, [2, 5], trials=5).rows()[1]
        == measure_collapse(points, [5], trials=5).rows()[0]
    )


def test_the_scale_of_the_points_does_not_matter():
    points = make_shape("gaussian", 100)
    for activation in ("relu", "relu6"):
        small, large = (
            measure_collapse(scale * points, [3], trials=10, activation=activation, bias=True).rows()[0]
            for scale in (1, 1e6)
        )
        for name, value in small.items():
            assert value == large[name] if value is None else value == pytest.approx(large[name], rel=1e-6)


def test_leaky_relu_collapses_nothing_and_has_nothing_to_collapse_in_theory():
    found = measure_collapse(spiral(200), [2], trials=20, activation="leaky_relu").collapses[0]
    assert (found.collapsed, found.collapsed_theory, found.lossy_matrices) == (0, 0, 0)
    assert found.jacobian_rank == 2
    assert found.merged_pairs == 0


def test_relu6_collapses_at_least_what_relu_does():
    points = make_shape("gaussian", 200)
    relu, relu6 = (
        measure_collapse(points, [3], trials=50, activation=name, bias=True).collapses[0]
        for name in ("relu", "relu6")
    )
    assert relu6.collapsed >= relu.collapsed
    assert relu6.collapsed_theory == relu.collapsed_theory
    assert relu6.collapsed_theory_se is None


def test_the_papers_preset_is_one_matrix_and_its_panel():
    result = measure_collapse(spiral(1000), [2, 3], embedding="paper")
    for found, reach in zip(result.collapses, (63.7, 63.3), strict=True):
        assert found.trials == 1
        assert found.collapsed_se is None
        assert found.collapsed_theory_se is None
        assert np.linalg.norm(found.output, axis=1).max() == pytest.approx(reach, abs=0.05)


def test_a_typical_output_is_that_of_the_matrix_with_the_median_error():
    points = spiral(200)
    found = measure_collapse(points, [3], trials=9).collapses[0]
    scale = (found.output * points).sum() / (found.output**2).sum()
    error = ((scale * found.output - points) ** 2).sum() / ((points - points.mean(axis=0)) ** 2).sum()
    assert math.sqrt(error) == pytest.approx(found.bands["pinv_scaled_error"].median)


def test_a_matrix_that_kills_every_channel_is_measured_all_the_same():
    points = np.random.default_rng(0).random((40, 2)) + 10
    found = measure_collapse(points, [2], trials=60).collapses[0]  # a quarter of T is negative on all of them
    assert 0.05 < found.merged_pairs < 0.5
    assert all(band.median is not None for band in found.bands.values())


def test_points_without_three_distinct_codes_have_no_dimension():
    two_places = np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0)
    result = measure_collapse(two_places, [2], trials=5)
    assert result.of_input["two_nn_dimension"] is None
    assert result.rows()[0]["two_nn_dimension"] is None


def test_one_dimensional_points_become_a_ray():
    result = measure_collapse(np.linspace(-1, 1, 100)[:, None], [1, 2], trials=300)
    assert by_dim(result)[1].collapsed == pytest.approx(0.5)
    assert by_dim(result)[2].collapsed == pytest.approx(0.25, abs=0.1)


def test_progress_counts_every_matrix():
    seen = []
    measure_collapse(spiral(100), [2, 3], trials=60, progress=seen.append)
    assert sum(seen) == 120


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dims": [5, 1]}, "the data have 2 dimensions"),
        ({"dims": []}, "no dims"),
        ({"dims": [2, 10**9]}, "too many channels"),
        ({"trials": 0}, "at least one"),
        ({"seed": -1}, "cannot be negative"),
        ({"embedding": "cauchy"}, "no such embedding"),
        ({"activation": "swish"}, "is not known"),
        ({"points": np.full((50, 2), np.nan)}, "NaN"),
        ({"points": np.eye(1000, 2)[::-1] * [[1.0, 0.0]]}, "nearly all are in one place"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_work(changes, reason):
    with pytest.raises(LabError, match=reason):
        measure_collapse(**{"points": spiral(100), "dims": [2], **changes})
