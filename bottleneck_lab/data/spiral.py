"""Spirals to tell apart, in the plane or turned into more dimensions."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.seeds import stream


def spiral(settings: SpiralSettings, seed: int, part: Literal["train", "held_out"]) -> tuple[Tensor, Tensor]:
    """Points on the arms of a spiral: float32 `[points, dimensions]`, and the arm of each, int64 `[points]`.

    Radii are uniform in (0, 1); arm y at radius r has the angle 2 pi (turns r + y / arms). The points of a
    seed are the same for every network; its two parts are drawn independently.
    """
    count = settings.points if part == "train" else settings.held_out
    generator = torch.Generator().manual_seed(stream(seed, "spiral", part))
    arm = torch.arange(count) % settings.arms
    radius = torch.rand(count, generator=generator)
    angle = 2 * math.pi * (settings.turns * radius + arm / settings.arms)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    points += settings.noise * torch.randn(count, 2, generator=generator)
    if settings.dimensions > 2:
        points = points @ _orthonormal(settings.dimensions, seed).T
    return points, arm


def _orthonormal(dimensions: int, seed: int) -> Tensor:
    """Two random orthonormal columns: `[dimensions, 2]`, the same for both parts of a seed."""
    generator = torch.Generator().manual_seed(stream(seed, "spiral", "embedding"))
    columns: Tensor = torch.linalg.qr(torch.randn(dimensions, 2, generator=generator))[0]
    return columns
