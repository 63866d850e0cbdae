"""ResNet of bottleneck blocks (He et al. 2016, Table 1), the classical residual that MobileNetV2 inverts."""

from __future__ import annotations

from torch import Tensor, nn

from bottleneck_lab.config import Activation
from bottleneck_lab.config.networks.others import ResNetSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.networks.in_a_row import InARow, pooled_stem, scaled


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


class ResNet(InARow[ResNetSettings]):
    """Stem, bottleneck blocks, average pooling, classifier; blocks as `Bottleneck`.

    Its `shortcuts` are one a block, identities and 1x1 convolutions alike.

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: ResNetSettings, channels: int = 3, classes: int = 1000) -> None:
        width = scaled(settings, settings.stem_width)
        stem = pooled_stem(channels, width, settings.stem_kernel, settings.stem_stride, settings.stem_pool)
        blocks: list[Bottleneck] = []
        for row in settings.stages:
            for repeat in range(row.n):
                blocks.append(
                    Bottleneck(
                        width,
                        scaled(settings, row.c),
                        row.s if repeat == 0 else 1,
                        settings.reduction,
                        kernel=settings.kernel,
                        projection_activation=settings.projection_activation,
                        inner_activation=settings.inner_activation,
                    )
                )
                width = blocks[-1].outputs
        super().__init__(settings, stem, blocks, classes)
