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
    """Fill convolutions and linear layers with He's normal weights, biases with 0; batch norm stays 1 and 0.

    A parameter of the same name and shape gets the same values in every network of that seed.
    """
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            fan_in = parameter[0].numel()
            parameter.copy_(_normal(parameter.shape, fan_in, seed, name))
        elif name.endswith("bias"):
            parameter.zero_()


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
