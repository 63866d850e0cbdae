"""MobileNetV1 (Howard et al. 2017, Table 1): separable convolutions, or the dense ones they replace."""

from __future__ import annotations

from torch import Tensor, nn

from bottleneck_lab.config import Activation
from bottleneck_lab.config.networks.others import MobileNetV1Settings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.networks.in_a_row import InARow, scaled


class SeparableConvolution(nn.Module):
    """Filter depthwise, then mix the channels: `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`.

    Howard et al. 2017, Fig. 3 right. The inner tensors are the outputs of `depthwise` and `projection`; the
    latter, the block's output, is the thin one.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: of the depthwise convolution.
        kernel: edge of the depthwise kernel, in pixels.
        projection_activation: what follows the pointwise convolution.
        inner_activation: what follows the depthwise convolution.
    """

    STEPS = ("depthwise", "projection")

    has_shortcut = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        *,
        kernel: int = 3,
        projection_activation: Activation = "relu",
        inner_activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride, self.kernel = inputs, outputs, stride, kernel
        self.depthwise = ConvNorm(inputs, inputs, kernel, stride, depthwise=True, then=inner_activation)
        self.projection = ConvNorm(inputs, outputs, then=projection_activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.projection(self.depthwise(x))  # type: ignore[no-any-return]


class FullConvolution(nn.Module):
    """The dense convolution that a separable one replaces (Sandler et al. 2018, Sec. 3.1).

    `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`; the tensor to measure at is that of `convolution`.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: of the convolution.
        kernel: edge of the kernel, in pixels.
        projection_activation: what follows it.
    """

    STEPS = ("convolution",)

    has_shortcut = False

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        *,
        kernel: int = 3,
        projection_activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride, self.kernel = inputs, outputs, stride, kernel
        self.convolution = ConvNorm(inputs, outputs, kernel, stride, then=projection_activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.convolution(x)  # type: ignore[no-any-return]


class MobileNetV1(InARow[MobileNetV1Settings]):
    """Stem, separable convolutions, average pooling, classifier; blocks as `SeparableConvolution`.

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: MobileNetV1Settings, channels: int = 3, classes: int = 1000) -> None:
        width = scaled(settings, settings.stem_width)
        stem = ConvNorm(channels, width, 3, settings.stem_stride, then="relu")
        blocks: list[SeparableConvolution | FullConvolution] = []
        for row in settings.stages:
            for repeat in range(row.n):
                blocks.append(_block(settings, width, scaled(settings, row.c), row.s if repeat == 0 else 1))
                width = blocks[-1].outputs
        super().__init__(settings, stem, blocks, classes)


def _block(
    settings: MobileNetV1Settings, inputs: int, outputs: int, stride: int
) -> SeparableConvolution | FullConvolution:
    if settings.convolution == "full":
        return FullConvolution(
            inputs,
            outputs,
            stride,
            kernel=settings.kernel,
            projection_activation=settings.projection_activation,
        )
    return SeparableConvolution(
        inputs,
        outputs,
        stride,
        kernel=settings.kernel,
        projection_activation=settings.projection_activation,
        inner_activation=settings.inner_activation,
    )
