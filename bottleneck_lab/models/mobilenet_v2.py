"""MobileNetV2 (Sandler et al. 2018, Table 2) from its stages, with the shortcuts where one wants them."""

from __future__ import annotations

from torch import Tensor, nn

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass


def make_divisible(width: float, divisor: int = 8) -> int:
    """Round a width to a multiple of `divisor`, never down by more than 10 % (the official code's rule)."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


class MobileNetV2(nn.Module):
    """Stem, inverted residual blocks, 1x1 head, average pooling, classifier: images to logits.

    Takes `[N, channels, H, W]`, returns `[N, classes]`. The blocks are `blocks.0`, `blocks.1`, ...; each has
    its inner tensors by name (see `InvertedResidual`), so `blocks.3.expansion` is a place to measure at.

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: MobileNetV2Settings, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.settings = settings
        width = self._width(settings.stem_width)
        self.stem = ConvNorm(channels, width, 3, settings.stem_stride, then="relu6")
        blocks: list[InvertedResidual | Sandglass] = []
        for stage in settings.stages:
            t = settings.expansion if stage.t is None else stage.t
            for repeat in range(stage.n):
                blocks.append(self._block(width, self._width(stage.c), stage.s if repeat == 0 else 1, t))
                width = blocks[-1].outputs
        self.blocks = nn.ModuleList(blocks)
        head = make_divisible(settings.head_width * max(1.0, settings.width_multiplier), 8)
        self.head = ConvNorm(width, head, then="relu6")
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(head, classes)

        between_expansions = settings.residual == "expansion"
        self.expansions_joined = [
            between_expansions
            and isinstance(before.expansion, ConvNorm)
            and isinstance(block.expansion, ConvNorm)
            and before.stride == 1
            and before.inner == block.inner
            for before, block in zip([blocks[0], *blocks], blocks, strict=False)
        ]
        self.expansions_joined[0] = False

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.settings.width_multiplier, self.settings.channel_multiple)

    def _block(self, inputs: int, width: int, stride: int, t: float) -> InvertedResidual | Sandglass:
        settings = self.settings
        if settings.residual == "sandglass":
            return Sandglass(
                inputs,
                width,
                round(t * width),
                stride,
                kernel=settings.kernel,
                projection_activation=settings.projection_activation,
                projection_place=settings.projection_place,
                inner_activation=settings.inner_activation,
            )
        return InvertedResidual(
            inputs,
            width,
            stride,
            t,
            kernel=settings.kernel,
            projection_activation=settings.projection_activation,
            projection_place=settings.projection_place,
            inner_activation=settings.inner_activation,
            shortcut=settings.residual == "bottleneck",
        )

    @property
    def shortcuts(self) -> int:
        """Number of shortcuts, wherever they are placed."""
        return sum(block.has_shortcut for block in self.blocks) + sum(self.expansions_joined)  # type: ignore[misc]

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102
        x = self.stem(images)
        x = self._between_expansions(x) if any(self.expansions_joined) else self._between_bottlenecks(x)
        x = self.head(x).mean((2, 3))
        return self.classifier(self.dropout(x))  # type: ignore[no-any-return]

    def _between_bottlenecks(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def _between_expansions(self, x: Tensor) -> Tensor:
        """The same blocks, but a shortcut leads from one expanded tensor to the next (Fig. 6b)."""
        previous = x
        for block, joined in zip(self.blocks, self.expansions_joined, strict=True):
            wide = block.expansion(x)  # type: ignore[operator]
            previous = wide + previous if joined else wide
            x = block.output(block.projection(block.depthwise(previous)))  # type: ignore[operator]
        return x
