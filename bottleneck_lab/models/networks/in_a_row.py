"""What networks for images have in common whose blocks simply follow each other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar, cast

from torch import Tensor, nn

from bottleneck_lab.config.networks.others import MobileNetV1Settings, ResNetSettings, ShuffleNetSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.widths import make_divisible

S = TypeVar("S", MobileNetV1Settings, ResNetSettings, ShuffleNetSettings)


class InARow(nn.Module, Generic[S]):
    """Stem, blocks, average pooling, classifier: `[N, channels, H, W]` to logits `[N, classes]`.

    The blocks are `blocks.0`, `blocks.1`, ...; each has its inner tensors by name.

    Args:
        settings: stages and knobs.
        stem: the first layer.
        blocks: each with `outputs`, its channels out, and `has_shortcut`.
        classes: number of logits.
    """

    def __init__(
        self,
        settings: S,
        stem: nn.Module,
        blocks: Sequence[nn.Module],
        classes: int,
    ) -> None:
        super().__init__()
        self.settings: S = settings
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(cast(int, blocks[-1].outputs), classes)

    @property
    def shortcuts(self) -> int:
        """Number of blocks that pass their input on, by whatever way."""
        return sum(bool(block.has_shortcut) for block in self.blocks)

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.dropout(x.mean((2, 3))))  # type: ignore[no-any-return]


def scaled(settings: MobileNetV1Settings | ResNetSettings, channels: int) -> int:
    """So many channels times the width multiplier, made divisible."""
    return make_divisible(channels * settings.width_multiplier, settings.channel_multiple)


def pooled_stem(channels: int, width: int, kernel: int, stride: int, pool: bool) -> nn.Module:
    """A convolution with batch norm and ReLU, and max pooling where `pool` says so."""
    convolution = ConvNorm(channels, width, kernel, stride, then="relu")
    return nn.Sequential(
        OrderedDict(convolution=convolution, pool=nn.MaxPool2d(3, 2, 1) if pool else nn.Identity())
    )
