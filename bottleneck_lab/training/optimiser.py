"""Optimiser and learning rate from settings; the rate is a pure function of how far training has come."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from bottleneck_lab.config import TrainSettings


def learning_rate(settings: TrainSettings, epoch: float) -> float:
    """The learning rate after `epoch` epochs (a fraction inside one): linear warm-up, then the schedule.

    A step uses the rate at its middle, so that neither the first nor the last is taken with a rate of 0.
    """
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "wsd":
        left = (settings.epochs - epoch) / (settings.epochs - settings.cooldown_begins)
        return settings.learning_rate * max(0.0, min(1.0, left))
    progress = (epoch - settings.warmup_epochs) / max(settings.epochs - settings.warmup_epochs, 1e-9)
    return settings.learning_rate * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD or Adam, with weight decay where the settings want it and nowhere else."""
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            (decayed if _decays(module, name, settings) else spared).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": settings.weight_decay}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=settings.learning_rate)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov
    )


def _decays(module: nn.Module, name: str, settings: TrainSettings) -> bool:
    if isinstance(module, nn.BatchNorm2d) or name == "bias":
        return settings.decay_norm
    if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
        return settings.decay_depthwise
    return True


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
