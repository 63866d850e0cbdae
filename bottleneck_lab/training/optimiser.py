"""Optimiser and learning rate from settings; the rate is a pure function of how far training has come."""

from __future__ import annotations

import math

import torch
from torch import nn

from bottleneck_lab.config import TrainSettings
from bottleneck_lab.models import ToyNetworks
from bottleneck_lab.training.lars import LARS


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
    """What the settings name, with weight decay where they want it and nowhere else."""
    groups = _groups(network, settings)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=settings.learning_rate)
    kind = LARS if settings.optimizer == "lars" else torch.optim.SGD
    return kind(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov)


def _groups(network: nn.Module, settings: TrainSettings) -> list[dict[str, object]]:
    """The parameters that are treated alike, those with weight decay first.

    The biases behind the thin tensors are apart if they have another learning rate, and weights if `lars`
    steps by their lengths.
    """
    layerwise = settings.optimizer == "lars"
    found: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {(True, layerwise, False): []}
    for module_name, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            decays = _decays(module, name, settings)
            weight = name == "weight" and not isinstance(module, nn.BatchNorm2d)
            apart = settings.projection_bias_rate != 1 and _is_projection_bias(module_name, name)
            found.setdefault((decays, layerwise and weight, apart), []).append(parameter)
    groups = []
    for (decays, scaled, apart), parameters in sorted(found.items(), reverse=True):
        group: dict[str, object] = {
            "params": parameters,
            "weight_decay": settings.weight_decay if decays else 0.0,
        }
        if scaled:
            group |= {"layerwise": True, "batched": isinstance(network, ToyNetworks)}
        if apart:
            group["rate"] = settings.projection_bias_rate
        groups.append(group)
    return groups


def _is_projection_bias(module: str, parameter: str) -> bool:
    """Whether it is the bias behind a thin tensor: of batch norm, or of a toy network's linear map."""
    return parameter == "bias" and module.endswith((".projection.norm", ".projection.0"))


def _decays(module: nn.Module, name: str, settings: TrainSettings) -> bool:
    if isinstance(module, nn.BatchNorm2d) or name == "bias":
        return settings.decay_norm
    if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
        return settings.decay_depthwise
    return True


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use `rate` for the next step, times the factor of those parameters that have one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate", 1.0)
