"""Positive channels per pixel (Fig. 7), and the pixels that fail Lemma 2: sums to be gathered in one pass.

A pixel is one place of one image, a vector of as many numbers as the tensor has channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bottleneck_lab.activations import Activation, flat_stretches
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.manifold.invertibility import active_rank
from bottleneck_lab.manifold.positives import Positives
from bottleneck_lab.manifold.rows import rows

_NEAR = 8  # how far above the threshold the rank of the active rows is computed
_DEAD = 2.0**-23  # a row this small beside the largest is below the resolution of float32


@dataclass(frozen=True)
class PixelCounts:
    """Exact counts over the pixels of one layer; `+` gives those of all the pixels together.

    Args:
        threshold: n of Lemma 2, the dimensions of what the m channels are computed from.
        positive: int64 `[m + 1]`, the number of pixels with 0, 1, ... m channels above zero.
        clipped_low: channels on the lower flat stretch of the activation, summed over pixels.
        clipped_high: channels on the upper one.
        clipped: pixels with any channel on either.
        lost_at_zero: pixels that fail Lemma 2 where only channels on the lower flat stretch are lost.
        lost: pixels that fail Lemma 2 where those on either are lost: the upper one of ReLU6 forgets as well.
    """

    threshold: int
    positive: NDArray[np.int64]
    clipped_low: int
    clipped_high: int
    clipped: int
    lost_at_zero: int
    lost: int

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            threshold=self.threshold,
            positive=self.positive + other.positive,
            clipped_low=self.clipped_low + other.clipped_low,
            clipped_high=self.clipped_high + other.clipped_high,
            clipped=self.clipped + other.clipped,
            lost_at_zero=self.lost_at_zero + other.lost_at_zero,
            lost=self.lost + other.lost,
        )

    @property
    def channels(self) -> int:
        """m, the number of channels."""
        return len(self.positive) - 1

    @property
    def pixels(self) -> int:
        """How many were counted."""
        return int(self.positive.sum())

    @property
    def positives(self) -> Positives:
        """Fig. 7's numbers; exact sums, rounded once."""
        seen = np.flatnonzero(self.positive)
        counts = [int(count) for count in self.positive]  # Python's integers do not overflow
        pixels = sum(counts)
        total = sum(k * count for k, count in enumerate(counts))
        squares = sum(k * k * count for k, count in enumerate(counts))
        return Positives(
            channels=self.channels,
            threshold=self.threshold,
            minimum=int(seen[0]),
            mean=total / pixels,
            maximum=int(seen[-1]),
            deviation=math.sqrt(pixels * squares - total**2) / pixels,
        )

    @property
    def below_threshold(self) -> int:
        """Pixels with fewer than n positive channels."""
        return int(self.positive[: self.threshold].sum())

    def share_of_channels(self, count: int) -> float:
        """A sum over pixels as the share of their channels, 0 to 1."""
        return count / (self.pixels * self.channels)

    def share_of_pixels(self, count: int) -> float:
        """A number of pixels as a share, 0 to 1."""
        return count / self.pixels


def count_pixels(z: Tensor, activation: Activation, matrix: FloatArray | None = None) -> PixelCounts:
    """Count over the pixels of a pre-activation z = Bx + b.

    Args:
        z: `[N, m, H, W]`.
        activation: what follows; one of the table.
        matrix: B, (m, n). Without it z itself is what one wants to read, so that n = m, and a pixel fails as
            soon as one channel is clipped.

    A pixel fails Lemma 2 unless the rows of B that are not clipped there have rank n; a channel exactly at a
    kink is clipped. Rows that are zero (channels which batch norm has switched off) tell nothing of x and do
    not count. Fewer than n rows always fail. Any n rows of a random B are independent with probability one,
    and trained ones are hardly ever not, so the rank is computed only where few rows would have to be
    dependent to lose it: in double precision, for pixels with n to n + 7 of them.
    """
    flat = flat_stretches(activation)
    assert flat is not None, "nobody knows where it is flat"
    low, high = flat
    pixels = rows(z)
    positive = torch.bincount((pixels > 0).sum(1).cpu(), minlength=z.shape[1] + 1)
    above, below = pixels > low, pixels < high
    between = above & below
    lost_at_zero = _lost(above, matrix)
    return PixelCounts(
        threshold=z.shape[1] if matrix is None else matrix.shape[1],
        positive=positive.numpy(),
        clipped_low=int((~above).sum()),
        clipped_high=int((~below).sum()),
        clipped=int((~between).any(1).sum()),
        lost_at_zero=lost_at_zero,
        lost=_lost(between, matrix) if math.isfinite(high) else lost_at_zero,
    )


def _lost(readable: Tensor, matrix: FloatArray | None) -> int:
    """How many pixels cannot be read from the channels that are `readable` there, bool `[pixels, m]`."""
    if matrix is None:
        return int((~readable).any(1).sum())
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    alive = lengths > _DEAD * lengths.max()
    directions = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=alive)
    dimensions = matrix.shape[1]
    if np.linalg.matrix_rank(directions) < dimensions:
        return len(readable)
    if not alive.all():
        readable = readable & torch.from_numpy(alive[:, 0]).to(readable.device)
    left = readable.sum(1)
    near = readable[(left >= dimensions) & (left < dimensions + _NEAR)].cpu().numpy()
    dependent = int((active_rank(directions, near) < dimensions).sum()) if len(near) else 0
    return int((left < dimensions).sum()) + dependent
