"""Networks for images by the family that their settings name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import nn

from bottleneck_lab.models.mobilenet_v2 import MobileNetV2

FAMILIES: dict[str, Callable[[Any, int, int], nn.Module]] = {"mobilenet_v2": MobileNetV2}


class ImageNetworkSettings(Protocol):
    """What the settings of every network for images have."""

    @property
    def family(self) -> str:
        """Which class builds it."""

    @property
    def network(self) -> str:
        """Name of its table."""

    @property
    def width_multiplier(self) -> float:
        """Scales its widths."""


def image_network(settings: ImageNetworkSettings, channels: int = 3, classes: int = 1000) -> nn.Module:
    """The network of these settings: `[N, channels, H, W]` to logits `[N, classes]`, weights as created."""
    return FAMILIES[settings.family](settings, channels, classes)
