"""Initial weights that depend on a seed and a parameter's name alone, so that variants start alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bottleneck_lab.seeds import stream


def _normal(shape: Sequence[int], fan_in: int, seed: int, name: str) -> Tensor:
    """He et al. 2015: standard deviation sqrt(2 / fan-in)."""
    generator = torch.Generator().manual_seed(stream(seed, name))
    return torch.randn(*shape, generator=generator) * math.sqrt(2 / fan_in)


@torch.no_grad()
def initialise(network: nn.Module, seed: int) -> None:
    """Fill convolutions and linear layers with He's normal weights, and their biases with 0.

    A parameter of the same name and shape gets the same values in every network of that seed. All others
    keep the values they were made with: batch norm its 1 and 0, and those of an added block its own.
    """
    for module_name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.copy_(_normal(module.weight.shape, fan_in, seed, f"{module_name}.weight"))
            if module.bias is not None:
                module.bias.zero_()


@torch.no_grad()
def initialise_batch(networks: nn.Module, seeds: Sequence[int]) -> None:
    """The same for a batch of networks: slice i of a parameter depends on `seeds[i]` and its name alone."""
    for name, parameter in networks.named_parameters():
        for index, seed in enumerate(seeds):
            one = parameter[index]
            if name.endswith("bias"):
                one.zero_()
            else:
                one.copy_(_normal(one.shape, one.shape[0], seed, name))
