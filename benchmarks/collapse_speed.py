"""How fast the collapse lab is beside an obvious loop over matrices, and how much memory a large run takes.

    python benchmarks/collapse_speed.py            # speed: 400 matrices x 1,000 points x 5 dims
    python benchmarks/collapse_speed.py --memory   # 10^6 points x 1,000 matrices, about two minutes

Trustworthiness and continuity, which take all pairs of points, are left out on both sides. Ours takes all
cores, as it does for users. The loop takes one matrix at a time, with the numpy or scipy call that comes to
mind for each measure, and one BLAS thread, which is its best; in each round it gets a few matrices of its
own, and the time is scaled up. The rank of the active rows, point by point, is most of it, and is shown
apart. Rounds alternate, so that what else the machine does meets both sides.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from bottleneck_lab.instruments.collapse import measure as collapse
from bottleneck_lab.manifold.embedding import draw_embeddings
from bottleneck_lab.manifold.shapes import gaussian, spiral

TRIALS, TIMED, ROUNDS = 400, 8, 7


def ranks_point_by_point(pre_activations: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.array([np.linalg.matrix_rank(matrix[z > 0]) if (z > 0).any() else 0 for z in pre_activations])


def one_matrix(points: np.ndarray, sample: np.ndarray, matrix: np.ndarray) -> dict[str, float]:
    """Every measure of one T with ReLU, the obvious way."""
    pre_activations = points @ matrix.T
    codes = np.maximum(pre_activations, 0)
    ranks = ranks_point_by_point(pre_activations, matrix)
    spread = ((points - points.mean(axis=0)) ** 2).sum()

    def error(answers: np.ndarray) -> float:
        return float(np.sqrt(((answers - points) ** 2).sum() / spread))

    answers = codes @ np.linalg.pinv(matrix).T
    design = np.column_stack([codes, np.ones(len(codes))])
    singular = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    shares = singular[singular > 0] / singular.sum()
    sampled = np.maximum(sample @ matrix.T, 0)
    distances = cdist(sampled, sampled)
    np.fill_diagonal(distances, np.inf)
    first, second = np.sort(distances, axis=1)[:, :2].T
    log_mu = np.sort(np.log(second[first > 0] / first[first > 0]))
    kept = int(0.9 * len(log_mu))
    quantile = -np.log1p(-np.arange(1, kept + 1) / len(log_mu))
    nearest = sample[distances.argmin(axis=1)]
    return {
        "collapsed": float((ranks < 2).mean()),
        "jacobian_rank": float(ranks.mean()),
        "pinv_error": error(answers),
        "pinv_scaled_error": error((answers * points).sum() / (answers**2).sum() * answers),
        "affine_error": error(design @ np.linalg.lstsq(design, points, rcond=None)[0]),
        "neighbour_error": float(np.sqrt(((nearest - sample) ** 2).sum() / spread)),
        "merged_pairs": float((distances == 0).mean()),
        "effective_rank": float(np.exp(-(shares * np.log(shares)).sum())),
        "participation_ratio": float((singular**2).sum() ** 2 / (singular**4).sum()),
        "two_nn_dimension": float(log_mu[:kept] @ quantile / (log_mu[:kept] @ log_mu[:kept])),
    }


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(values: np.ndarray, digits: int) -> str:
    """The median of all rounds, and the smallest and the largest."""
    return f"{np.median(values):.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def one_round(points: np.ndarray, trials: range) -> tuple[float, float, float]:
    """Seconds of ours, of the loop, and of the loop's ranks; the loop times `trials`, scaled up to all."""
    dims, sample = collapse.PAPER_DIMS, points[np.arange(len(points)) % 5 < 2]  # 400, as many as ours takes
    matrices = [t for dim in dims for t in draw_embeddings("gaussian", dim, points, trials, seed=0)[0]]
    ours = seconds(lambda: collapse.measure_collapse(points, dims, trials=TRIALS))
    with threadpool_limits(1, user_api="blas"):
        loop = seconds(lambda: [one_matrix(points, sample, t) for t in matrices])
        ranks = seconds(lambda: [ranks_point_by_point(points @ t.T, t) for t in matrices])
    return ours, loop * TRIALS / len(trials), ranks * TRIALS / len(trials)


def speed() -> None:
    points, dims = spiral(1000), collapse.PAPER_DIMS
    collapse._NEIGHBOURHOOD_TRIALS = 0  # leaves out trustworthiness and continuity
    collapse.measure_collapse(points, dims, trials=TIMED)  # the first call loads libraries
    rounds = [one_round(points, range(k * TIMED, (k + 1) * TIMED)) for k in range(ROUNDS)]
    ours, loop, ranks = np.array(rounds).T
    print(f"{TRIALS} matrices x {len(points):,} points x {len(dims)} dims, {ROUNDS} rounds, median (range):")
    print(f"ours {spread(ours, 2)} s; a loop over matrices {spread(loop, 1)} s ({TIMED} of {TRIALS} timed)")
    print(f"the loop takes {spread(loop / ours, 1)} times as long;")
    print(f"without its ranks point by point {spread((loop - ranks) / ours, 1)} times as long")


def memory() -> None:
    points = gaussian(10**6, np.random.default_rng(0))
    start = time.perf_counter()
    found = collapse.measure_collapse(points, [5], trials=1000).collapses[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"{len(points):,} points x 1,000 matrices into 5 channels: {time.perf_counter() - start:.0f} s")
    print(f"peak memory {peak:.0f} MiB; collapsed {found.collapsed:.4f}, Theorem 1 {found.collapsed_theory}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    memory() if parser.parse_args().memory else speed()
