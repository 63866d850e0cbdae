"""From the settings of a run to its outcome. Knows nothing of ablations, run folders or reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.data.images import load_images
from bottleneck_lab.training.checkpoint import Checkpoint
from bottleneck_lab.training.device import find_device
from bottleneck_lab.training.images import train_on_images
from bottleneck_lab.training.outcome import Outcome, Progress, Record
from bottleneck_lab.training.toy import toy_group, train_toys
from bottleneck_lab.training.trunks import Trunks

__all__ = ["Checkpoint", "Outcome", "Progress", "Record", "Trunks", "find_device", "toy_group", "train"]


def train(
    runs: Sequence[RunSettings],
    *,
    folder: Path | None,
    device: torch.device,
    checkpoint: Checkpoint,
    progress: Progress = lambda index, records: None,
    trunks: Trunks | None = None,
) -> list[Outcome]:
    """Train runs that belong together: one run on images, or toy networks of one shape.

    Args:
        runs: their settings.
        folder: where the images' files are; None for data that need none.
        device: to train on.
        checkpoint: where unfinished training is kept, and gone on from.
        progress: told of every evaluated epoch.
        trunks: where a run on images may find the beginning of its training, and leave that for others.
    """
    if isinstance(runs[0].data, ImageSettings):
        data = load_images(runs[0].data, folder)
        return [train_on_images(runs[0], data, device, checkpoint, progress, trunks or Trunks(None))]
    return train_toys(runs, device, checkpoint, progress)
