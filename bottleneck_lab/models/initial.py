"""Initial weights that depend on a seed and a parameter's name alone, so that variants start alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bottleneck_lab.config import InitialSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.seeds import stream

HE = InitialSettings()
CLASSIFIER_DEVIATION = 0.01  # in torchvision


def _normal(shape: Sequence[int], deviation: float, seed: int, name: str) -> Tensor:
    generator = torch.Generator().manual_seed(stream(seed, name))
    return torch.randn(*shape, generator=generator) * deviation


@torch.no_grad()
def initialise(network: nn.Module, seed: int, initial: InitialSettings = HE) -> None:
    """Fill convolutions and linear layers with normal weights, and their biases with 0.

    A parameter of the same name and shape gets the same values in every network of that seed. All others
    keep the values they were made with: batch norm its 1 and 0, but for that behind the thin tensor of each
    block, whose values `initial` has, and those of an added block its own.
    """
    for module_name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = _deviation(module, initial)
            name = f"{module_name}.weight"
            module.weight.copy_(_normal(module.weight.shape, deviation, seed, name))
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, ConvNorm) and module_name.endswith(".projection"):
            norm = module.norm
            assert isinstance(norm, nn.BatchNorm2d)
            if initial.projection_bias != HE.projection_bias:
                norm.bias.fill_(initial.projection_bias)
            if initial.projection_scale != HE.projection_scale:
                norm.weight.fill_(initial.projection_scale)


def _deviation(module: nn.Conv2d | nn.Linear, initial: InitialSettings) -> float:
    if initial.weights == "he":
        return math.sqrt(2 / module.weight[0].numel())
    if isinstance(module, nn.Linear):
        return CLASSIFIER_DEVIATION
    return math.sqrt(2 / module.weight[:, 0].numel())


@torch.no_grad()
def initialise_batch(
    networks: nn.Module, seeds: Sequence[int], initials: Sequence[InitialSettings] | None = None
) -> None:
    """The same for a batch of networks: slice i of a parameter depends on `seeds[i]` and its name alone."""
    for name, parameter in networks.named_parameters():
        projection = ".projection." in name
        for index, (seed, initial) in enumerate(zip(seeds, initials or [HE] * len(seeds), strict=True)):
            one = parameter[index]
            if name.endswith("bias"):
                one.fill_(initial.projection_bias if projection else 0.0)
                continue
            deviation = math.sqrt(2 / one.shape[0])
            if initial.weights == "fan_out":
                last = name.startswith("classifier")
                deviation = CLASSIFIER_DEVIATION if last else math.sqrt(2 / one.shape[1])
            one.copy_(
                _normal(one.shape, deviation, seed, name) * (initial.projection_scale if projection else 1)
            )
