"""What a trained network loses when its weights and activations are kept in few bits.

The paper prefers ReLU6 because it is robust in low precision (Sec. 4): its output fills a range that is known
beforehand, where a ReLU's largest value stretches the grid.

Integers are simulated as in `bottleneck_lab.quantise`: weights with a symmetric grid for each output channel,
every tensor that a layer or an addition leaves with one from the smallest to the largest value. Beside the
measures that name a scheme, these leave the images, the pooled features and the logits as they are, and give
the first and the last layer no more bits than the others.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from bottleneck_lab.data.images import ImageData, Images
from bottleneck_lab.quantise.rounded import observed, rounded
from bottleneck_lab.quantise.scheme import Activations, Scheme, Weights

CALIBRATION, BATCH = 500, 250  # the first training images, and how many at a time


def lost_bfloat16(network: nn.Module, data: ImageData) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations in bfloat16."""
    rounded = copy.deepcopy(network).to(torch.bfloat16)
    return _accuracy(network, data) - _accuracy(rounded, data, torch.bfloat16)


def lost_bits(network: nn.Module, data: ImageData, bits: int) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations on grids of 2^`bits` values."""
    return _accuracy(network, data) - _accuracy(quantised(network, data, bits), data)


def quantised(network: nn.Module, data: ImageData, bits: int) -> nn.Module:
    """A copy of the network that computes with weights and activations on grids of 2^`bits` values.

    The grids of activations are calibrated on the first `CALIBRATION` training images, not augmented.
    """
    scheme = Scheme(Weights(bits, "channel"), Activations(bits, "asymmetric", "minmax"))
    return rounded(network, observed(network, data, CALIBRATION), scheme, ends=False)


@torch.no_grad()
def _accuracy(network: nn.Module, data: ImageData, dtype: torch.dtype = torch.float32) -> float:
    images: Images = data.held_out
    right = 0
    for pixels, labels in zip(images.pixels.split(BATCH), images.labels.split(BATCH), strict=True):
        right += int((network(data.normalised(pixels).to(dtype)).argmax(1) == labels).sum())
    return right / len(images)
