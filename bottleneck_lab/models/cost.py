"""What a network costs: parameters and multiply-accumulates, counted on the network itself."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """Number of trainable parameters, batch norm's scales and shifts included."""
    return sum(parameter.numel() for parameter in network.parameters())


def madds(network: nn.Module, *input_shape: int) -> int:
    """Multiply-accumulates of convolutions and linear layers for one input of `input_shape`, nothing else."""
    was_training = network.training
    device = next(network.parameters()).device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(*input_shape, device=device))
    network.train(was_training)
    flops: int = counter.get_total_flops()
    return flops // 2
