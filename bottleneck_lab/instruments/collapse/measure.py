"""The experiment of Fig. 1 as a measurement: many random embeddings of one manifold, and what each loses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn, without types

from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse.result import MEASURES, Band, Collapse, CollapseResult
from bottleneck_lab.manifold.activations import Activation, FloatArray, activation_named
from bottleneck_lab.manifold.decoders import (
    affine_error,
    moments,
    moments_of_chunks,
    pseudo_inverse_errors,
)
from bottleneck_lab.manifold.distances import (
    NearestCodes,
    Neighbourhoods,
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
from bottleneck_lab.manifold.embedding import draw_embeddings, pre_activations
from bottleneck_lab.manifold.invertibility import (
    collapsed_deviation_in_theory,
    collapsed_in_theory,
    recovery,
)
from bottleneck_lab.manifold.shapes import as_points
from bottleneck_lab.seeds import stream

PAPER_DIMS = (2, 3, 5, 15, 30)  # the panels of Fig. 1
LARGEST_DIM = 2048


def default_dims(data_dim: int, embedding: str) -> list[int]:
    """Numbers of channels for points of so many dimensions, where none are asked for."""
    if embedding == "paper":
        return [2, 3]
    most = max(data_dim, min(6 * data_dim, LARGEST_DIM))
    return [dim for dim in PAPER_DIMS if dim >= data_dim] or [data_dim, most]


_SAMPLE = 400  # points are compared with each other on a random half of them, and on this many at most
_DRAWN = 1000
_NEIGHBOURHOOD_TRIALS = 40
_CHUNK = 2**18  # numbers per array: bounds the memory, and fits a cache


def measure_collapse(
    points: ArrayLike,
    dims: Sequence[int] = PAPER_DIMS,
    *,
    embedding: str = "gaussian",
    bias: bool = False,
    activation: str | Activation = "relu",
    trials: int = 400,
    seed: int = 0,
    progress: Callable[[int], object] = lambda trials: None,
) -> CollapseResult:
    """Embed points (N, n) by `trials` random T into each of `dims` channels, activate, measure what is lost.

    `embedding`: `gaussian`, `uniform`, `orthonormal`, or `paper` (the T of Fig. 1 for dims 2 and 3, one trial
    each). `activation`: one, or a name that `activation_named` knows. T and b are on the scale of
    `embedding.calibrated`. `progress` is called with the number of matrices just finished.

    Collapse, rank and the linear decoders are exact over all points. Points are compared with each other on a
    random half of them, at most 400: thinning gives evenly spaced points the randomness that TwoNN supposes.
    Trustworthiness and continuity are taken for the first 40 matrices. Matrices and points go through all
    cores in chunks, so that memory does not grow with trials, nor, beyond the points themselves, with points.

    Raises LabError for points that `as_points` refuses or that are nearly all the same, an unknown name, no
    dims, a dim below n or above 2,048, fewer than one trial, or a negative seed.
    """
    points = as_points(points)
    dims = list(dict.fromkeys(dims))
    if not dims:
        raise LabError("no dims: give at least one number of channels")
    if max(dims) > LARGEST_DIM:
        raise LabError(f"dim {max(dims)}: too many channels to measure; the most are {LARGEST_DIM}")
    if trials < 1:
        raise LabError(f"{trials} trials: at least one is needed")
    if seed < 0:
        raise LabError(f"seed {seed}: a seed cannot be negative")

    def draw(dim: int, trials: range) -> tuple[FloatArray, FloatArray]:
        return draw_embeddings(embedding, dim, points, trials, seed, bias)

    for dim in dims:
        draw(dim, range(1))  # what cannot be drawn is said now, and not after the dims before it
    rng = np.random.default_rng(stream(seed, "sample"))
    size = min(len(points) // 2, _SAMPLE)
    sample = points[np.sort(rng.choice(len(points), size, replace=False))]
    nearest = nearest_codes(sample)
    if len(nearest.nearest) == 1:
        raise LabError("the points: nearly all are in one place, and there is nothing to compare")
    drawn = _evenly(points, _DRAWN)
    chosen = activation_named(activation) if isinstance(activation, str) else activation
    study = _Study(
        points=points,
        drawn=drawn,
        sample=sample,
        nearest=nearest,
        neighbourhoods=neighbourhoods(sample),
        activation=chosen,
        angles=None if embedding == "paper" else _angles(drawn, bias),
        draw=draw,
    )
    variances = principal_variances(moments(points, points).code_covariance)
    return CollapseResult(
        points=len(points),
        activation=chosen.name,
        drawn=drawn,
        of_input={
            "neighbour_error": float(nearest_neighbour_error(sample, nearest)),
            "effective_rank": float(effective_rank(variances)),
            "participation_ratio": float(participation_ratio(variances)),
            "two_nn_dimension": Band.of(np.array([two_nn_dimension(nearest)])).median,
        },
        collapses=tuple(study.collapse(dim, 1 if embedding == "paper" else trials, progress) for dim in dims),
    )


@dataclass(frozen=True)
class _Study:
    """All that stays the same from one matrix to the next."""

    points: FloatArray
    drawn: FloatArray
    sample: FloatArray
    nearest: NearestCodes
    neighbourhoods: Neighbourhoods
    activation: Activation
    angles: tuple[FloatArray, FloatArray] | None
    draw: Callable[[int, range], tuple[FloatArray, FloatArray]]

    def collapse(self, dim: int, trials: int, progress: Callable[[int], object]) -> Collapse:
        parts = []
        # One block per thread: BLAS threads inside these would only fight over the same cores.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            of_blocks = pool.map(partial(self._measure, dim), self._blocks(dim, trials))
            of_neighbours = pool.map(
                partial(self._neighbours, dim), range(min(trials, _NEIGHBOURHOOD_TRIALS))
            )
            for part in of_blocks:
                parts.append(part)
                progress(len(part["collapsed"]))
        measured = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        measured["trustworthiness"], measured["continuity"] = np.array(list(of_neighbours)).reshape(-1, 2).T
        collapsed = measured["collapsed"]
        theory, theory_se = self._theory(dim, trials)
        by_error = np.argsort(measured["pinv_scaled_error"], kind="stable")
        return Collapse(
            dim=dim,
            trials=trials,
            collapsed=float(collapsed.mean()),
            collapsed_se=float(collapsed.std(ddof=1) / np.sqrt(trials)) if trials > 1 else None,
            collapsed_theory=theory,
            collapsed_theory_se=theory_se,
            lossy_matrices=float((collapsed > 0).mean()),
            jacobian_rank=float(measured["jacobian_rank"].mean()),
            merged_pairs=float(measured["merged_pairs"].mean()),
            bands={name: Band.of(measured[name]) for name in MEASURES},
            output=self._output(dim, int(by_error[(trials - 1) // 2])),
        )

    def _measure(self, dim: int, trials: range) -> dict[str, FloatArray]:
        matrices, biases = self.draw(dim, trials)
        nearest = nearest_codes(self._sample_codes(matrices, biases))
        return {
            **self._over_all(matrices, biases),
            "merged_pairs": merged_pairs(self.nearest, nearest),
            "neighbour_error": nearest_neighbour_error(self.sample, nearest),
            "two_nn_dimension": two_nn_dimension(nearest),
        }

    def _neighbours(self, dim: int, trial: int) -> tuple[float, float]:
        """Trustworthiness and continuity of one matrix."""
        codes = neighbourhoods(self._sample_codes(*self.draw(dim, range(trial, trial + 1)))[0])
        return trustworthiness(self.neighbourhoods, codes), continuity(self.neighbourhoods, codes)

    def _sample_codes(self, matrices: FloatArray, biases: FloatArray) -> FloatArray:
        codes = self.activation.apply(pre_activations(self.sample, matrices, biases))
        return np.ascontiguousarray(codes)  # distances go through all channels of a point

    def _over_all(self, matrices: FloatArray, biases: FloatArray) -> dict[str, FloatArray]:
        """The measures that take one pass over all the points."""
        chunks, per_chunk = [], self._points_per_chunk(matrices.shape[1])
        unique, rank = np.zeros(len(matrices)), np.zeros(len(matrices))
        for start in range(0, len(self.points), per_chunk):
            points = self.points[start : start + per_chunk]
            z = pre_activations(points, matrices, biases)
            of_chunk = recovery(matrices, z, self.activation)
            unique += of_chunk.unique.sum(axis=-1)
            rank += of_chunk.rank.sum(axis=-1)
            chunks.append(moments(points, self.activation.apply(z)))
        of_all = moments_of_chunks(chunks)
        variances = principal_variances(of_all.code_covariance)
        pinv_error, pinv_scaled_error = pseudo_inverse_errors(of_all, matrices, biases)
        return {
            "collapsed": 1 - unique / len(self.points),
            "jacobian_rank": rank / len(self.points),
            "pinv_error": pinv_error,
            "pinv_scaled_error": pinv_scaled_error,
            "affine_error": affine_error(of_all),
            "effective_rank": effective_rank(variances),
            "participation_ratio": participation_ratio(variances),
        }

    def _theory(self, dim: int, trials: int) -> tuple[float | None, float | None]:
        flat = self.activation.flat_below, self.activation.flat_above
        if np.isinf(flat).all():
            return 0.0, None
        if flat[0] != 0:
            return None, None
        data_dim = self.points.shape[1]
        theory = collapsed_in_theory(dim, data_dim)
        if self.angles is None or np.isfinite(self.activation.flat_above):
            return theory, None
        return theory, collapsed_deviation_in_theory(dim, data_dim, *self.angles) / trials**0.5

    def _output(self, dim: int, trial: int) -> FloatArray:
        matrices, biases = self.draw(dim, range(trial, trial + 1))
        codes = self.activation.apply(pre_activations(self.drawn, matrices, biases))
        return np.asarray((codes[0] - biases[0]) @ np.linalg.pinv(matrices[0]).T)

    def _points_per_chunk(self, dim: int) -> int:
        return min(len(self.points), max(1, _CHUNK // dim))

    def _blocks(self, dim: int, trials: int) -> list[range]:
        """Blocks of trials whose arrays, (block, points of a chunk, dim), (block, dim, dim), fit `_CHUNK`."""
        per_matrix = dim * max(dim, self._points_per_chunk(dim), len(self.sample))
        size = min(max(1, _CHUNK // per_matrix), 50)  # and enough of them to keep all cores busy
        return [range(start, min(start + size, trials)) for start in range(0, trials, size)]


def _evenly(points: FloatArray, most: int) -> FloatArray:
    """At most so many of the points, evenly chosen, in their order."""
    chosen = np.linspace(0, len(points) - 1, min(len(points), most)).round().astype(np.intp)
    return np.asarray(points[chosen])


def _angles(points: FloatArray, bias: bool) -> tuple[FloatArray, FloatArray]:
    """Angles between points as a random T and b see them, and how many pairs are at each.

    A Gaussian T with a standard normal b is a Gaussian matrix that acts on (x, 1), x at mean square 1.
    """
    scale = np.sqrt((points**2).sum(axis=1).mean())
    seen = np.column_stack([points / scale, np.full(len(points), float(bias))])
    lengths = np.linalg.norm(seen, axis=1)
    units = (seen[lengths > 0] / lengths[lengths > 0, None]).astype(np.float32)
    tenths = (np.arccos((units @ units.T).clip(-1, 1)) * (1800 / np.pi)).astype(np.intp).clip(max=1799)
    pairs = np.bincount(tenths.ravel(), minlength=1800)  # of a degree
    return (np.arange(1800) + 0.5) * np.pi / 1800, pairs.astype(np.float64)
