"""What a trained network loses when its weights and activations are kept in few bits.

The paper prefers ReLU6 because it is robust in low precision (Sec. 4): its output fills a range that is known
beforehand, where a ReLU's largest value stretches the grid.

Integers are simulated as they are deployed (Jacob et al. 2018): batch norm is folded into the convolution
before it; weights have a symmetric grid for each output channel; every tensor that a layer or an addition
leaves has one grid, from the smallest to the largest value that calibration images bring, 0 included. Biases,
the pooled features and the logits stay as they are, as does what an added block does inside, unless it is
made of `ConvNorm`s. Nothing is trained again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bottleneck_lab.data.images import ImageData, Images
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass
from bottleneck_lab.models.folding import fold_norms
from bottleneck_lab.models.mobilenet_v2 import MobileNetV2

SMALLEST = torch.finfo(torch.float32).eps  # step of a grid for tensors that are 0 everywhere
CALIBRATION, BATCH = 500, 250  # the first training images, and how many at a time


def lost_bfloat16(network: nn.Module, data: ImageData) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations in bfloat16."""
    rounded = copy.deepcopy(network).to(torch.bfloat16)
    return _accuracy(network, data) - _accuracy(rounded, data, torch.bfloat16)


def lost_bits(network: nn.Module, data: ImageData, bits: int) -> float:
    """Held-out accuracy (0 to 1) minus that with weights and activations on grids of 2^`bits` values."""
    return _accuracy(network, data) - _accuracy(quantised(network, data, bits), data)


@torch.no_grad()
def quantised(network: nn.Module, data: ImageData, bits: int) -> nn.Module:
    """A copy of the network that computes with weights and activations on grids of 2^`bits` values.

    The grids of activations are calibrated on the first `CALIBRATION` training images, not augmented.
    """
    copied = fold_norms(network.eval())
    grids = [_Grid(module, bits) for module in _tensors_between_layers(copied)]
    for batch in data.train.pixels[:CALIBRATION].split(BATCH):
        copied(data.normalised(batch))
    for grid in grids:
        grid.calibrated = True
    for module in copied.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.copy_(_on_grid_by_channel(module.weight, bits))
    return copied


def _tensors_between_layers(network: nn.Module) -> Iterator[nn.Module]:
    """The modules whose outputs are stored: convolutions with what follows them, and sums at shortcuts."""
    yield from (module for module in network.modules() if isinstance(module, ConvNorm))
    if isinstance(network, MobileNetV2):
        yield from network.joins
    for block in network.get_submodule("blocks").children():
        yield block.output if isinstance(block, InvertedResidual | Sandglass) else block


class _Grid:
    """Watches the range of a module's output; once calibrated, rounds that output to a grid over it."""

    def __init__(self, module: nn.Module, bits: int) -> None:
        self.most = 2**bits - 1
        self.low, self.high = 0.0, 0.0  # 0 is on every grid
        self.calibrated = False
        module.register_forward_hook(self._pass)

    def _pass(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if not self.calibrated:
            self.low, self.high = min(self.low, float(output.min())), max(self.high, float(output.max()))
            return None
        step = max((self.high - self.low) / self.most, SMALLEST)
        zero = round(-self.low / step)
        return torch.fake_quantize_per_tensor_affine(output, step, zero, 0, self.most)


def _on_grid_by_channel(weight: Tensor, bits: int) -> Tensor:
    """Round every output channel of a weight to its own symmetric grid, 2^`bits` - 1 values around 0."""
    most = 2 ** (bits - 1) - 1
    step = (weight.flatten(1).abs().amax(1) / most).clamp(min=SMALLEST)
    zero = torch.zeros_like(step, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, step, zero, 0, -most, most)


@torch.no_grad()
def _accuracy(network: nn.Module, data: ImageData, dtype: torch.dtype = torch.float32) -> float:
    images: Images = data.held_out
    right = 0
    for pixels, labels in zip(images.pixels.split(BATCH), images.labels.split(BATCH), strict=True):
        right += int((network(data.normalised(pixels).to(dtype)).argmax(1) == labels).sum())
    return right / len(images)
