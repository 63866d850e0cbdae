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

from bottleneck_lab.data.images import ImageData
from bottleneck_lab.quantise.rounded import CALIBRATION, accuracy, observed, rounded
from bottleneck_lab.quantise.scheme import Activations, Scheme, Weights


def lost_bfloat16(network: nn.Module, data: ImageData) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations in bfloat16."""
    short = copy.deepcopy(network).to(torch.bfloat16)
    return accuracy(network, data) - accuracy(lambda images: short(images.to(torch.bfloat16)), data)


def lost_bits(network: nn.Module, data: ImageData, bits: int) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations on grids of 2^`bits` values."""
    return accuracy(network, data) - accuracy(quantised(network, data, bits), data)


def quantised(network: nn.Module, data: ImageData, bits: int) -> nn.Module:
    """A copy of the network that computes with weights and activations on grids of 2^`bits` values.

    The grids of activations are calibrated on the first `CALIBRATION` training images, not augmented.
    """
    scheme = Scheme(Weights(bits, "channel"), Activations(bits, "asymmetric", "minmax"))
    return rounded(network, observed(network, data, CALIBRATION), scheme, ends=False)
