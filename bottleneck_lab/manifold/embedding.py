"""Random embeddings x -> Tx + b of a manifold into more channels, and two that the paper's Fig. 1 shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.seeds import stream

EMBEDDINGS = ("gaussian", "uniform", "orthonormal", "paper")

# Read from the vector drawing of Fig. 1: dim = 2 is reproduced to 7e-6 (row lengths cancel there, so only
# the rows' angles are known), dim = 3 to 0.01 of 63 (up to a common factor, which cancels too).
_PAPER_ANGLES = np.deg2rad([204.706, 95.436])
_PAPER: dict[int, FloatArray] = {
    2: np.column_stack([np.cos(_PAPER_ANGLES), np.sin(_PAPER_ANGLES)]),
    3: np.array([[-0.1362, 0.2627], [0.0244, 0.0831], [0.0609, -0.0209]]),
}


def paper_matrix(dim: int) -> FloatArray:
    """The T of the paper's own panel Output/dim = 2 or 3, shape (dim, 2); raises LabError for other dims."""
    if dim not in _PAPER:
        raise LabError(f"dim {dim}: the paper's own T is known for dims 2 and 3 only")
    return np.array(_PAPER[dim])


def random_matrix(kind: str, dim: int, data_dim: int, rng: np.random.Generator) -> FloatArray:
    """One random T of shape (dim, data_dim).

    `gaussian` has independent standard normal entries, `uniform` entries independent and uniform between -1
    and 1, `orthonormal` columns that are orthonormal and otherwise as random as can be (Haar measure). None
    of the three changes in distribution when rows change sign, which is what Theorem 1 asks for. Raises
    LabError for another kind, or dim < data_dim.
    """
    if dim < data_dim:
        raise LabError(
            f"dim {dim}: the data have {data_dim} dimensions, and T needs at least as many channels"
        )
    if kind == "gaussian":
        return rng.standard_normal((dim, data_dim))
    if kind == "uniform":
        return rng.uniform(-1.0, 1.0, (dim, data_dim))
    if kind == "orthonormal":
        q, r = np.linalg.qr(rng.standard_normal((dim, data_dim)))
        return np.asarray(q * np.sign(np.diagonal(r)))  # Haar; the signs of q alone are a habit of LAPACK
    raise LabError(f"{kind}: no such embedding; there are {', '.join(EMBEDDINGS)}")


def calibrated(matrices: FloatArray, points: FloatArray) -> FloatArray:
    """Each T divided by a number, so that its Tx have mean square 1 over points and channels.

    Batch norm leaves pre-activations of this size. ReLU without a bias never notices; a bias of standard
    deviation 1 and the kink of ReLU6 at 6 get a meaning by it. `matrices` (..., m, n), `points` (N, n).
    """
    second_moment = points.T @ points / len(points)
    mean_square = np.einsum("...mi,ij,...mj->...", matrices, second_moment, matrices) / matrices.shape[-2]
    return np.asarray(matrices / np.sqrt(mean_square)[..., None, None])


def draw_embeddings(
    kind: str, dim: int, points: FloatArray, trials: Sequence[int], seed: int, bias: bool = False
) -> tuple[FloatArray, FloatArray]:
    """The calibrated T and b of the given trials: shapes (len(trials), dim, n) and (len(trials), dim).

    A trial's T depends on seed, kind, dim and the trial's number only, so that neither other trials, nor
    other dims, nor chunking change it. b is zero, or with `bias` standard normal beside pre-activations of
    mean square 1. `paper` gives the T of Fig. 1 for every trial and has no bias. Raises LabError where that
    T is not known.
    """
    data_dim = points.shape[1]
    if kind == "paper":
        if bias or data_dim != 2:
            raise LabError("the paper's own T takes points of two dimensions, and has no bias")
        matrices = np.stack([paper_matrix(dim) for _ in trials])
        return calibrated(matrices, points), np.zeros((len(trials), dim))
    generators = [np.random.default_rng(stream(seed, kind, dim, trial)) for trial in trials]
    matrices = np.stack([random_matrix(kind, dim, data_dim, rng) for rng in generators])
    biases = np.zeros((len(trials), dim))
    if bias:
        biases = np.stack([rng.standard_normal(dim) for rng in generators])
    return calibrated(matrices, points), biases


def pre_activations(points: FloatArray, matrices: FloatArray, biases: FloatArray) -> FloatArray:
    """Tx + b for every point and matrix: (N, n), (..., m, n) and (..., m) give (..., N, m).

    Laid out in memory with the points innermost, which makes everything per channel fast.
    """
    # As one product of flat matrices: a stack of narrow ones takes several times as long.
    z = (matrices.reshape(-1, matrices.shape[-1]) @ points.T).reshape(*matrices.shape[:-1], len(points))
    if biases.any():
        z += biases[..., None]
    return np.asarray(np.swapaxes(z, -1, -2))
