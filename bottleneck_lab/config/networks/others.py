"""Other architectures with a thin layer in their blocks, and its activation as the same switch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from bottleneck_lab.config.activations import Activation
from bottleneck_lab.config.base import ActivationKnobs, Settings, Unchecked


class Row(Settings):
    """One row of an architecture's table: `n` blocks of `c` output channels, stride `s` in the first."""

    c: int = Field(ge=1, le=65_536)
    n: int = Field(ge=1, le=1000)
    s: int = Field(ge=1, le=64)


def _table(*rows: tuple[int, int, int]) -> list[Unchecked]:
    return [{"c": c, "n": n, "s": s} for c, n, s in rows]


# fmt: off
# Each family has its original table, the same with less stride for 32 x 32 pixels, a small network for CPUs
# (thin tensors of 8 to 48 channels, 4 to 5 M MAdds at 32 x 32; ShuffleNet 1 M, since its grouped convolutions
# and shuffles take a CPU four times as long for as many), and one for the 8 x 8 pixels of the digits.
ARCHITECTURES: dict[str, Unchecked] = {
    # Howard et al. 2017, Table 1.
    "mobilenet_v1": {
        "family": "mobilenet_v1", "stem_width": 32, "stem_stride": 2, "dropout": 0.001,
        "stages": _table((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2)),
    },
    "mobilenet_v1_cifar": {
        "family": "mobilenet_v1", "stem_width": 32, "stem_stride": 1, "dropout": 0.001,
        "stages": _table((64, 1, 1), (128, 2, 1), (256, 2, 2), (512, 6, 2), (1024, 2, 2)),
    },
    "mobilenet_v1_small": {
        "family": "mobilenet_v1", "stem_width": 8, "stem_stride": 1, "channel_multiple": 4,
        "stages": _table((8, 2, 1), (12, 2, 1), (16, 4, 1), (24, 4, 2), (48, 4, 2)),
    },
    "mobilenet_v1_digits": {
        "family": "mobilenet_v1", "stem_width": 8, "stem_stride": 1, "channel_multiple": 4,
        "stages": _table((8, 2, 1), (12, 2, 1), (16, 2, 2), (24, 2, 1)),
    },
    # He et al. 2016, Table 1, 50 layers.
    "resnet": {
        "family": "resnet", "stem_width": 64, "stem_kernel": 7, "stem_stride": 2, "stem_pool": True,
        "stages": _table((256, 3, 1), (512, 4, 2), (1024, 6, 2), (2048, 3, 2)),
    },
    "resnet_cifar": {
        "family": "resnet", "stem_width": 64, "stem_stride": 1,
        "stages": _table((256, 3, 1), (512, 4, 2), (1024, 6, 2), (2048, 3, 2)),
    },
    "resnet_small": {
        "family": "resnet", "stem_width": 16, "stem_stride": 2,
        "stages": _table((32, 1, 1), (48, 2, 1), (64, 2, 2), (96, 2, 2), (192, 2, 1)),
    },
    "resnet_digits": {
        "family": "resnet", "stem_width": 16, "stem_stride": 1,
        "stages": _table((32, 1, 1), (48, 2, 1), (64, 2, 2), (96, 2, 1)),
    },
    # Zhang et al. 2018, Table 1, 3 groups.
    "shufflenet": {
        "family": "shufflenet", "stem_width": 24, "stem_stride": 2, "stem_pool": True, "groups": 3,
        "stages": _table((240, 4, 2), (480, 8, 2), (960, 4, 2)),
    },
    "shufflenet_cifar": {
        "family": "shufflenet", "stem_width": 24, "stem_stride": 1, "groups": 3,
        "stages": _table((240, 4, 1), (480, 8, 2), (960, 4, 2)),
    },
    "shufflenet_small": {
        "family": "shufflenet", "stem_width": 16, "stem_stride": 2, "groups": 2,
        "stages": _table((32, 2, 1), (48, 1, 1), (64, 4, 2), (96, 4, 2), (192, 2, 1)),
    },
    "shufflenet_digits": {
        "family": "shufflenet", "stem_width": 16, "stem_stride": 1, "groups": 2,
        "stages": _table((32, 2, 1), (48, 2, 1), (64, 2, 2), (96, 2, 1)),
    },
}
# fmt: on


class ArchitectureSettings(ActivationKnobs):
    """What the architectures have in common: a stem, stages as data, and a classifier after average pooling.

    `network` names a row set of `ARCHITECTURES`; keys given beside it replace that network's own.

    Args:
        stem_width: channels after the first convolution.
        stem_stride: step of the first convolution.
        stages: the rows of the architecture's table.
        kernel: edge of the kernels inside the blocks, in pixels.
        width_multiplier: scales every width.
        dropout: probability before the classifier.
        projection_activation: what follows the thin tensor, the switch of every ablation. `linear` is
            MobileNetV2's choice; each architecture's own is its default.
    """

    stem_width: int = Field(ge=1, le=65_536)
    stem_stride: int = Field(ge=1, le=64)
    stages: tuple[Row, ...] = Field(min_length=1)
    kernel: int = Field(3, ge=1, le=63)
    width_multiplier: float = Field(1.0, gt=0, le=64)
    dropout: float = Field(0.0, ge=0, lt=1)
    projection_activation: Activation = "relu"

    @model_validator(mode="after")
    def _odd(self) -> ArchitectureSettings:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel}: only odd kernels keep the image's size")
        return self


class MobileNetV1Settings(ArchitectureSettings):
    """Depthwise separable convolutions one after the other, without shortcuts (Howard et al. 2017).

    The thin tensor is what the pointwise convolution gives; V1 has ReLU after it.

    Args:
        convolution: `separable`, or `full`: one dense convolution in place of each depthwise and pointwise
            pair, followed by `projection_activation` (the comparison of Sandler et al. 2018, Sec. 3.1).
        inner_activation: what follows the depthwise convolution.
        channel_multiple: widths are rounded to this, never down by more than 10 %.
    """

    NETWORK: ClassVar[str] = "bottleneck_lab.models.networks.mobilenet_v1:MobileNetV1"

    family: Literal["mobilenet_v1"]
    network: Literal["mobilenet_v1", "mobilenet_v1_cifar", "mobilenet_v1_small", "mobilenet_v1_digits"]
    convolution: Literal["separable", "full"] = "separable"
    inner_activation: Activation = "relu"
    channel_multiple: int = Field(8, ge=1)


class ResNetSettings(ArchitectureSettings):
    """Blocks that reduce, convolve and expand, with a shortcut around each (He et al. 2016, Fig. 5 right).

    The thin tensor is what the reducing 1x1 convolution gives; ResNet has ReLU after it.

    Args:
        stem_kernel: edge of the first convolution's kernel, in pixels.
        stem_pool: 3x3 maximum pooling of stride 2 after the first convolution.
        reduction: ratio of a block's output width to its thin width.
        inner_activation: what follows the kxk convolution.
        channel_multiple: wide ends are rounded to this, never down by more than 10 %.
    """

    NETWORK: ClassVar[str] = "bottleneck_lab.models.networks.resnet:ResNet"

    family: Literal["resnet"]
    network: Literal["resnet", "resnet_cifar", "resnet_small", "resnet_digits"]
    stem_kernel: int = Field(3, ge=1, le=63)
    stem_pool: bool = False
    reduction: float = Field(4, ge=1, le=65_536)
    inner_activation: Activation = "relu"
    channel_multiple: int = Field(8, ge=1)

    @model_validator(mode="after")
    def _odd_stem(self) -> ResNetSettings:
        if self.stem_kernel % 2 == 0:
            raise ValueError(f"stem_kernel = {self.stem_kernel}: only odd kernels keep the image's size")
        return self


class ShuffleNetSettings(ArchitectureSettings):
    """Grouped 1x1 convolutions with a channel shuffle between them (Zhang et al. 2018, Fig. 2 b and c).

    The thin tensor is what the first grouped 1x1 convolution gives, a quarter of the unit's output width;
    ShuffleNet has ReLU after it.

    Args:
        stem_pool: 3x3 maximum pooling of stride 2 after the first convolution.
        groups: blocks of channels that a 1x1 convolution keeps apart.
        inner_activation: what follows the depthwise convolution; ShuffleNet has nothing there.
    """

    NETWORK: ClassVar[str] = "bottleneck_lab.models.networks.shufflenet:ShuffleNet"

    family: Literal["shufflenet"]
    network: Literal["shufflenet", "shufflenet_cifar", "shufflenet_small", "shufflenet_digits"]
    stem_pool: bool = False
    groups: int = Field(ge=1, le=1024)
    inner_activation: Activation = "linear"

    @property
    def stem_channels(self) -> int:
        """Channels of the stem: whole multiples of `stem_width` (24 at 1x and 1.5x, 48 at 2x), or half of it.

        This is how the official networks are scaled, and the published MAdds come from it.
        """
        return (
            self.stem_width * int(self.width_multiplier)
            if self.width_multiplier >= 1
            else self.stem_width // 2
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """Output channels of each stage: multiples of 4 x `groups`, so that a quarter of them has groups."""
        unit = 4 * self.groups
        return tuple(unit * max(1, int(row.c * self.width_multiplier / unit + 0.5)) for row in self.stages)

    @model_validator(mode="after")
    def _units_fit(self) -> ShuffleNetSettings:
        if self.stem_channels % self.groups or self.stem_channels == 0:
            raise ValueError(f"a stem of {self.stem_channels} channels has no {self.groups} equal groups")
        inputs = self.stem_channels
        for row, width in zip(self.stages, self.widths, strict=True):
            if width < inputs or (width == inputs and row.s > 1):
                raise ValueError(
                    f"a stage of {width} channels after {inputs}: a unit appends channels to its input, "
                    "so where it strides the width must grow"
                )
            inputs = width
        return self
