"""ShuffleNet (Zhang et al. 2018, Table 1): bottlenecks of grouped 1x1 convolutions, mixed by a shuffle."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bottleneck_lab.config import Activation
from bottleneck_lab.config.networks.others import ShuffleNetSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.networks.in_a_row import InARow, pooled_stem


class ChannelShuffle(nn.Module):
    """Deal the channels of `groups` blocks in turn: `[N, C, H, W]` to the same shape.

    Zhang et al. 2018, Fig. 1. Output channel `i * groups + g` is channel `i` of block `g`, so each block of
    the next grouped convolution sees channels of all blocks.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.unflatten(1, (self.groups, -1)).transpose(1, 2).flatten(1, 2)  # type: ignore[no-any-return]


class ShuffleUnit(nn.Module):
    """Reduce, shuffle, filter depthwise, expand, join the input: `[N, in, H, W]` to `[N, out, H', W']`.

    Zhang et al. 2018, Fig. 2 b and c, with H' = ceil(H/s). Where the shape stays, the input is added; where
    it changes, the (average-pooled) input makes up the first channels of the output. ReLU follows.

    The inner tensors are the outputs of the submodules `projection` (the thin one), `depthwise`,
    `expansion` and `output`.

    Args:
        inputs: wide channels in.
        outputs: wide channels out, more than `inputs` at strides above 1; the thin width is a quarter.
        stride: of the depthwise convolution.
        groups: of both 1x1 convolutions.
        grouped_reduction: false in the network's first unit, whose input is too narrow for groups.
        kernel: edge of the depthwise kernel, in pixels.
        projection_activation: what follows the reduction; ReLU in the paper.
        inner_activation: what follows the depthwise convolution; nothing in the paper.
    """

    STEPS = ("projection", "shuffle", "depthwise", "expansion")

    has_shortcut = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        groups: int = 3,
        *,
        grouped_reduction: bool = True,
        kernel: int = 3,
        projection_activation: Activation = "relu",
        inner_activation: Activation = "linear",
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride, self.kernel = inputs, outputs, stride, kernel
        self.inner = outputs // 4
        self.adds = stride == 1 and inputs == outputs
        made = outputs if self.adds else outputs - inputs
        self.projection = ConvNorm(
            inputs, self.inner, groups=groups if grouped_reduction else 1, then=projection_activation
        )
        self.shuffle = ChannelShuffle(groups)
        self.depthwise = ConvNorm(
            self.inner, self.inner, kernel, stride, depthwise=True, then=inner_activation
        )
        self.expansion = ConvNorm(self.inner, made, groups=groups)
        self.shortcut = nn.AvgPool2d(3, stride, 1) if stride > 1 else nn.Identity()
        self.output = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y = self.shuffle(self.projection(x))
        y = self.expansion(self.depthwise(y))
        x = self.shortcut(x)
        return self.output(x + y if self.adds else torch.cat((x, y), dim=1))  # type: ignore[no-any-return]


class ShuffleNet(InARow[ShuffleNetSettings]):
    """Stem, shuffle units, average pooling, classifier; blocks as `ShuffleUnit`.

    Its `shortcuts` are all units: they pass their input on by addition or by concatenation.

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: ShuffleNetSettings, channels: int = 3, classes: int = 1000) -> None:
        inputs = settings.stem_channels
        stem = pooled_stem(channels, inputs, 3, settings.stem_stride, settings.stem_pool)
        blocks: list[ShuffleUnit] = []
        for row, width in zip(settings.stages, settings.widths, strict=True):
            for repeat in range(row.n):
                blocks.append(
                    ShuffleUnit(
                        inputs,
                        width,
                        row.s if repeat == 0 else 1,
                        settings.groups,
                        grouped_reduction=bool(blocks),
                        kernel=settings.kernel,
                        projection_activation=settings.projection_activation,
                        inner_activation=settings.inner_activation,
                    )
                )
                inputs = width
        super().__init__(settings, stem, blocks, classes)
