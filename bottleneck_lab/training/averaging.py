"""The mean of a network's weights over the end of its training (Izmailov et al. 2018, arXiv 1803.05407)."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel

from bottleneck_lab.config import TrainSettings


def average_of(network: nn.Module, settings: TrainSettings) -> AveragedModel | None:
    """What takes in the weights of `network`, and batch norm's statistics; None where none are averaged.

    The statistics are averaged too, rather than taken anew over all images: it costs no pass over them.
    """
    return AveragedModel(network, use_buffers=True) if settings.average_share else None


def is_averaged(settings: TrainSettings, epoch: float) -> bool:
    """Whether the weights after `epoch` epochs (a fraction inside one) are among those that are averaged."""
    return epoch > settings.average_begins + _ROUNDING


_ROUNDING = 1e-9  # of a share of the epochs
