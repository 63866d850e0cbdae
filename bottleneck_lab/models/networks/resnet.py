"""ResNet of bottleneck blocks (He et al. 2016, Table 1), the classical residual that MobileNetV2 inverts."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from torch import Tensor, nn

from bottleneck_lab.config import Activation
from bottleneck_lab.config.networks.others import ResNetSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.widths import make_divisible


class Bottleneck(nn.Module):
    """Reduce, convolve, expand, add, ReLU: `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`.

    He et al. 2016, Fig. 5 right. The inner tensors are the outputs of the submodules `projection` (the thin
    one), `convolution`, `expansion` and `output`.

    Args:
        inputs: wide channels in.
        outputs: wide channels out.
        stride: of the kxk convolution, as in all present implementations; the paper has it in the reducing
            1x1, which skips three pixels in four.
        reduction: ratio of `outputs` to the thin width.
        kernel: edge of the middle kernel, in pixels.
        projection_activation: what follows the reduction; ReLU in the paper.
        inner_activation: what follows the kxk convolution.
    """

    STEPS = ("projection", "convolution", "expansion")

    has_shortcut = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        reduction: float = 4,
        *,
        kernel: int = 3,
        projection_activation: Activation = "relu",
        inner_activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride, self.kernel = inputs, outputs, stride, kernel
        self.inner = max(1, round(outputs / reduction))
        self.projection = ConvNorm(inputs, self.inner, then=projection_activation)
        self.convolution = ConvNorm(self.inner, self.inner, kernel, stride, then=inner_activation)
        self.expansion = ConvNorm(self.inner, outputs)
        same_shape = stride == 1 and inputs == outputs
        # Option B of Sec. 4.1: identity where the shape allows it, a linear 1x1 convolution elsewhere.
        self.shortcut = nn.Identity() if same_shape else ConvNorm(inputs, outputs, 1, stride)
        self.output = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y = self.projection(x)
        y = self.convolution(y)
        y = self.expansion(y)
        return self.output(self.shortcut(x) + y)  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """Stem, bottleneck blocks, average pooling, classifier: images to logits.

    Takes `[N, channels, H, W]`, returns `[N, classes]`. The blocks are `blocks.0`, `blocks.1`, ...; each has
    its inner tensors by name (see `Bottleneck`).

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: ResNetSettings, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.settings = settings
        width = self._width(settings.stem_width)
        conv = ConvNorm(channels, width, settings.stem_kernel, settings.stem_stride, then="relu")
        pool = nn.MaxPool2d(3, 2, 1) if settings.stem_pool else nn.Identity()
        self.stem = nn.Sequential(OrderedDict(convolution=conv, pool=pool))
        blocks: list[Bottleneck] = []
        for row in settings.stages:
            for repeat in range(row.n):
                blocks.append(
                    Bottleneck(
                        width,
                        self._width(row.c),
                        row.s if repeat == 0 else 1,
                        settings.reduction,
                        kernel=settings.kernel,
                        projection_activation=settings.projection_activation,
                        inner_activation=settings.inner_activation,
                    )
                )
                width = blocks[-1].outputs
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(width, classes)

    def _width(self, channels: int) -> int:
        return make_divisible(channels * self.settings.width_multiplier, self.settings.channel_multiple)

    @property
    def shortcuts(self) -> int:
        """Number of shortcuts: one a block, identities and 1x1 convolutions alike."""
        return sum(cast(Bottleneck, block).has_shortcut for block in self.blocks)

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.dropout(x.mean((2, 3))))  # type: ignore[no-any-return]
