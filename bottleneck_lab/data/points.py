"""Points for toy networks: spirals, or what was added from outside."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bottleneck_lab import extend
from bottleneck_lab.config import PointSettings, SpiralSettings
from bottleneck_lab.data.outside import arrays, check_classes
from bottleneck_lab.data.spiral import spiral
from bottleneck_lab.errors import LabError
from bottleneck_lab.seeds import stream


def draw_points(
    settings: PointSettings, seed: int, part: Literal["train", "held_out"]
) -> tuple[Tensor, Tensor]:
    """Points, float32 `[points, coordinates]`, and the class of each, int64 `[points]`.

    Those of a seed are the same for every network; its two parts are drawn independently.

    Raises:
        LabError: an added data set that returns something else.
    """
    if isinstance(settings, SpiralSettings):
        return spiral(settings, seed, part)
    added = extend.point_set(settings.dataset)
    assert added is not None
    count = settings.points if part == "train" else settings.held_out
    generator = np.random.default_rng(stream(seed, settings.dataset, part))
    draw = functools.partial(added.draw, count, generator)
    points, classes = arrays(settings.dataset, draw, "points and their classes", 2)
    if points.shape != (count, added.dimensions) or classes.shape != (count,):
        raise LabError(
            f"the data set {settings.dataset!r} must return {count} x {added.dimensions} points and {count} "
            f"classes, not arrays of shape {points.shape} and {classes.shape}"
        )
    if points.dtype.kind not in "fiu" or not (np.abs(points) <= np.finfo(np.float32).max).all():
        raise LabError(f"the data set {settings.dataset!r} must return points of finite numbers (of 32 bits)")
    check_classes(settings.dataset, classes, added.classes)
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(classes.astype(np.int64))
