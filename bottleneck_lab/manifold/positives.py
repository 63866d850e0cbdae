"""Positive channels per pixel, layer by layer, and what Fig. 7 of the paper has of them: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["unnormalised", "initial", "trained"]  # of a network


@dataclass(frozen=True)
class Positives:
    """The number of positive channels of the pixels of one layer, one place on the x-axis of Fig. 7.

    `channels` m and `threshold` n are those of Lemma 2; `deviation` is the standard deviation over pixels.
    """

    channels: int
    threshold: int
    minimum: int
    mean: float
    maximum: int
    deviation: float


def _column(total: int, threshold: int, low: int, mean: float, high: int, band: float) -> Positives:
    return Positives(total, threshold, low, mean, high, band)


# Fig. 7 of Sandler et al. 2018, read from the vector drawing in arXiv 1801.04381v4. The caption does not say
# what the band about the mean is, nor on which images the counts were made; we take it for one standard
# deviation. That of the initial network fits batch norm as it is created, with mean 0 and variance 1: the
# square of the mean's distance from m/2 plus that of the band is m/4 on average, which is the variance for
# random weights without centring. With the statistics of a batch the mean would be m/2.
PAPER: dict[Literal["unnormalised", "trained"], tuple[Positives, ...]] = {
    "unnormalised": (
        _column(96, 16, 32, 47.9, 65, 3.0),
        _column(144, 24, 52, 70.4, 87, 2.9),
        _column(144, 24, 52, 73.4, 93, 4.5),
        _column(192, 32, 71, 91.7, 115, 4.8),
        _column(192, 32, 75, 95.5, 117, 4.6),
        _column(192, 32, 67, 89.3, 113, 5.0),
        _column(384, 64, 151, 175.7, 209, 6.5),
        _column(384, 64, 154, 184.1, 216, 6.1),
        _column(384, 64, 167, 192.0, 219, 6.1),
        _column(384, 64, 170, 203.5, 227, 5.9),
        _column(576, 96, 232, 270.9, 312, 8.4),
        _column(576, 96, 249, 288.3, 326, 7.4),
        _column(576, 96, 261, 290.2, 330, 7.8),
        _column(960, 160, 452, 493.9, 537, 10.4),
        _column(960, 160, 439, 475.5, 516, 9.7),
        _column(960, 160, 460, 492.8, 532, 9.1),
    ),
    "trained": (
        _column(96, 16, 27, 49.2, 73, 4.7),
        _column(144, 24, 47, 73.5, 102, 6.5),
        _column(144, 24, 40, 71.7, 115, 7.4),
        _column(192, 32, 64, 95.7, 128, 8.6),
        _column(192, 32, 65, 95.7, 132, 8.9),
        _column(192, 32, 27, 94.4, 170, 18.7),
        _column(384, 64, 137, 188.7, 237, 14.1),
        _column(384, 64, 139, 191.7, 245, 16.1),
        _column(384, 64, 129, 190.2, 263, 17.1),
        _column(384, 64, 79, 190.0, 296, 32.6),
        _column(576, 96, 199, 280.8, 379, 22.0),
        _column(576, 96, 167, 280.9, 427, 38.1),
        _column(576, 96, 54, 275.0, 550, 76.8),
        _column(960, 160, 334, 463.0, 673, 36.9),
        _column(960, 160, 261, 467.7, 722, 72.1),
        _column(960, 160, 82, 466.0, 855, 138.8),
    ),
}
