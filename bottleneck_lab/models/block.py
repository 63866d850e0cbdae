"""The inverted residual block (Sandler et al. 2018, Table 1) and MobileNeXt's sandglass, with their knobs."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from bottleneck_lab.config import Activation
from bottleneck_lab.config.problems import brief, nearest
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import fused
from bottleneck_lab.models.activations import activation


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, activation: `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: edge of the kernel, odd; the padding keeps the image's size at stride 1.
        stride: step of the kernel.
        depthwise: one filter a channel (`inputs` must equal `outputs`).
        groups: blocks of channels that do not see each other; `depthwise` has as many as channels.
        then: name of the activation.
    """

    conv: nn.Conv2d
    norm: nn.BatchNorm2d | nn.Identity  # what is folded has none
    activation: nn.Module

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        groups: int = 1,
        then: Activation = "linear",
    ) -> None:
        groups = inputs if depthwise else groups
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outputs)
        super().__init__(OrderedDict(conv=conv, norm=norm, activation=activation(then)))
        self.fused = False  # see models/fused

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if self.fused and self.training and (y := fused.conv_norm(self, x)) is not None:
            return y
        return super().forward(x)  # type: ignore[no-any-return]

    def why_not_fused(self) -> str | None:
        """Why the training kernel cannot compute this; None if it can."""
        return fused.why_not_conv_norm(self)


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project: `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]` (Table 1).

    The inner tensors are the outputs of the submodules `expansion`, `depthwise`, `projection` and `output`.

    Args:
        inputs: width k of the bottleneck that comes in.
        outputs: width k' of the bottleneck that goes out.
        stride: of the depthwise convolution.
        expansion: ratio t of inner width to `inputs`. At 1 there is nothing to expand and no 1x1 convolution
            for it (as in the official code). At 0 nothing is left between the bottlenecks: the block is the
            identity, or, where the shape changes, the linear 1x1 convolution that changes it.
        kernel: edge of the depthwise kernel, in pixels.
        projection_activation: what follows the projection; `linear` is the paper's choice.
        projection_place: `before_add` or `after_add`.
        inner_activation: what follows expansion and depthwise convolution, but for the next two.
        expansion_activation: what follows the expansion instead.
        depthwise_activation: what follows the depthwise convolution instead.
        shortcut: add the input where the shape allows it (stride 1, equal widths; Sec. 3.3).
    """

    STEPS = ("expansion", "depthwise", "projection")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        expansion: float = 6,
        *,
        kernel: int = 3,
        projection_activation: Activation = "linear",
        projection_place: str = "before_add",
        inner_activation: Activation = "relu6",
        expansion_activation: Activation | None = None,
        depthwise_activation: Activation | None = None,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.stride, self.kernel = inputs, outputs, stride, kernel
        self.inner = inner_width(inputs, expansion)
        same_shape = stride == 1 and inputs == outputs
        self.has_shortcut = shortcut and same_shape and self.inner > 0
        before = is_before_add(projection_place)
        self.fused = False  # see models/fused

        self.expansion: nn.Module = nn.Identity()
        self.depthwise: nn.Module = nn.Identity()
        self.projection: nn.Module = nn.Identity()
        self.output: nn.Module = nn.Identity()
        if self.inner == 0:
            if not same_shape:
                self.projection = ConvNorm(inputs, outputs, 1, stride)
            return
        if expansion != 1:
            self.expansion = ConvNorm(inputs, self.inner, then=expansion_activation or inner_activation)
        self.depthwise = ConvNorm(
            self.inner,
            self.inner,
            kernel,
            stride,
            depthwise=True,
            then=depthwise_activation or inner_activation,
        )
        self.projection = ConvNorm(self.inner, outputs, then=projection_activation if before else "linear")
        self.output = nn.Identity() if before else activation(projection_activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if self.fused and self.training and (normed := fused.normed_projection(self, x)) is not None:
            y = self.projection.activation(normed)  # type: ignore[operator]
        else:
            y = self.expansion(x)
            y = self.depthwise(y)
            y = self.projection(y)
        return self.output(x + y if self.has_shortcut else y)  # type: ignore[no-any-return]

    def why_not_fused(self) -> str | None:
        """Why the training kernel cannot compute this; None if it can."""
        return fused.why_not_block(self)


class Sandglass(nn.Module):
    """MobileNeXt's block: depthwise and shortcut at the wide ends, the bottleneck between them.

    Zhou et al. 2020 (arXiv 2007.02269): depthwise with activation, linear reduction, expansion with
    activation, linear depthwise. `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`, both ends wide.

    The inner tensors are the outputs of `depthwise`, `projection` (the bottleneck), `expansion`,
    `depthwise_out` and `output`.

    Args:
        inputs: wide channels in.
        bottleneck: channels of the thin middle.
        outputs: wide channels out.
        stride: of the second depthwise convolution.
        kernel: edge of the depthwise kernels, in pixels.
        projection_activation: what follows the reduction (or, `after_add`, the addition).
        projection_place: `before_add` or `after_add`.
        inner_activation: what follows the first depthwise convolution and the expansion, but for the next
        two. expansion_activation: what follows the expansion instead.
        depthwise_activation: what follows the first depthwise convolution instead.
        shortcut: add the input where the shape allows it.
    """

    STEPS = ("depthwise", "projection", "expansion", "depthwise_out")

    def __init__(
        self,
        inputs: int,
        bottleneck: int,
        outputs: int,
        stride: int = 1,
        *,
        kernel: int = 3,
        projection_activation: Activation = "linear",
        projection_place: str = "before_add",
        inner_activation: Activation = "relu6",
        expansion_activation: Activation | None = None,
        depthwise_activation: Activation | None = None,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.inputs, self.inner, self.outputs = inputs, bottleneck, outputs
        self.stride, self.kernel = stride, kernel
        self.has_shortcut = shortcut and stride == 1 and inputs == outputs
        before = is_before_add(projection_place)
        self.depthwise = ConvNorm(
            inputs, inputs, kernel, depthwise=True, then=depthwise_activation or inner_activation
        )
        self.projection = ConvNorm(inputs, bottleneck, then=projection_activation if before else "linear")
        self.expansion = ConvNorm(bottleneck, outputs, then=expansion_activation or inner_activation)
        self.depthwise_out = ConvNorm(outputs, outputs, kernel, stride, depthwise=True)
        self.output = nn.Identity() if before else activation(projection_activation)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y = self.depthwise(x)
        y = self.projection(y)
        y = self.expansion(y)
        y = self.depthwise_out(y)
        return self.output(x + y if self.has_shortcut else y)  # type: ignore[no-any-return]


def inner_width(inputs: int, expansion: float) -> int:
    """Inner channels of a block: t times its input's, at least 1, or 0 when t is 0 (Sec. 3.4)."""
    return max(1, round(expansion * inputs)) if expansion > 0 else 0


def is_before_add(place: str) -> bool:
    """Whether the projection's activation stands before the shortcut is added, by the name of its place.

    Raises:
        LabError: no such place.
    """
    places = ("before_add", "after_add")
    if place not in places:
        raise LabError(f"projection_place = {brief(place)}: no such place; {nearest(place, places)}")
    return place == "before_add"
