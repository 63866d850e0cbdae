"""How well x can be read back from its code f(Tx + b) by linear decoders; shapes as in `invertibility`.

Every error is a root mean square distance to x, divided by the root mean square distance of the points from
their mean: 0 is perfect, 1 is what answering the mean for everything gets. The errors follow from means and
covariances alone, which can be gathered chunk by chunk. The fourth decoder, the nearest neighbour, is in
`distances`, with what else compares points with each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from bottleneck_lab.manifold.activations import FloatArray

_NOISE = 1e-12  # variances below this share of the largest are rounding, not signal


@dataclass(frozen=True)
class Moments:
    """Means and covariances (about the mean, divided by N) of points (N, n) and their codes (..., N, m).

    `between` is the covariance of points with codes, (..., n, m). Moments of separate chunks of points add
    up: `+` gives those of all the points (Chan, Golub and LeVeque's pairwise update).
    """

    count: int
    point_mean: FloatArray
    code_mean: FloatArray
    point_covariance: FloatArray
    between: FloatArray
    code_covariance: FloatArray

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        mine, theirs = self.count / count, other.count / count
        point_step = other.point_mean - self.point_mean
        code_step = other.code_mean - self.code_mean
        apart = mine * theirs
        return Moments(
            count=count,
            point_mean=self.point_mean + theirs * point_step,
            code_mean=self.code_mean + theirs * code_step,
            point_covariance=mine * self.point_covariance
            + theirs * other.point_covariance
            + apart * point_step[:, None] * point_step,
            between=mine * self.between
            + theirs * other.between
            + apart * point_step[:, None] * code_step[..., None, :],
            code_covariance=mine * self.code_covariance
            + theirs * other.code_covariance
            + apart * code_step[..., :, None] * code_step[..., None, :],
        )

    @property
    def point_variance(self) -> float:
        """Mean squared distance of the points from their mean."""
        return float(np.trace(self.point_covariance))


def moments(points: FloatArray, codes: FloatArray) -> Moments:
    """The joint moments of points (N, n) and their codes (..., N, m)."""
    count = len(points)
    point_mean, code_mean = points.mean(axis=0), codes.mean(axis=-2)
    centred_points, centred_codes = points - point_mean, codes - code_mean[..., None, :]
    transposed = np.swapaxes(centred_codes, -1, -2)
    return Moments(
        count=count,
        point_mean=point_mean,
        code_mean=code_mean,
        point_covariance=centred_points.T @ centred_points / count,
        between=np.swapaxes(transposed @ centred_points, -1, -2) / count,
        code_covariance=transposed @ centred_codes / count,
    )


def moments_of_chunks(chunks: Iterable[Moments]) -> Moments:
    """The moments of all the points together."""
    return reduce(Moments.__add__, chunks)


def pseudo_inverse_errors(
    of: Moments, matrices: FloatArray, biases: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The errors (...) of the paper's decoder pinv(T)(h - b), raw and after the best scale.

    Fig. 1 goes back to two dimensions by this decoder. With ReLU and no bias it answers f(x) where f(x) -
    f(-x) = x, and comes close to x/2 with many channels: the raw error over points that lie symmetrically
    about 0 is never below one half, however well x could be read. The best scale is the least-squares one,
    over all the points.
    """
    inverse = np.linalg.pinv(matrices)
    answer_mean = np.einsum("...nm,...m->...n", inverse, of.code_mean - biases)
    answer_square = np.einsum("...im,...mk,...ik->...", inverse, of.code_covariance, inverse)
    answer_square += (answer_mean**2).sum(axis=-1)
    product = np.einsum("...im,...im->...", inverse, of.between) + answer_mean @ of.point_mean
    point_square = of.point_variance + (of.point_mean**2).sum()
    raw = answer_square - 2 * product + point_square
    scaled = point_square - np.divide(
        product**2, answer_square, out=np.zeros_like(product), where=answer_square > 0
    )
    return _relative(raw, of), _relative(scaled, of)


def affine_error(of: Moments) -> FloatArray:
    """The error (...) of the best decoder A h + c: least squares over the points it is judged on."""
    variances, axes = np.linalg.eigh(of.code_covariance)
    kept = variances > _NOISE * variances[..., -1:]
    inverse = np.divide(1.0, variances, out=np.zeros_like(variances), where=kept)
    along_axes = of.between @ axes
    explained = (along_axes**2 * inverse[..., None, :]).sum(axis=(-1, -2))
    return _relative(of.point_variance - explained, of)


def _relative(squares: FloatArray, of: Moments) -> FloatArray:
    return np.asarray(np.sqrt(np.maximum(squares, 0.0) / of.point_variance))
