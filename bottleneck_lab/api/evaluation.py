"""A network of somebody else's, looked at and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def in_evaluation(network: nn.Module) -> Iterator[None]:
    """Within this, every part of a network is in evaluation mode and keeps no gradients."""
    was_training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in was_training.items():
            module.training = mode
