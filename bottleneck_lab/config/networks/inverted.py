"""The networks: every knob of a block, the stages of a network, and the row sets by name."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from bottleneck_lab import extend
from bottleneck_lab.activations import kind_of
from bottleneck_lab.config.activations import Activation
from bottleneck_lab.config.base import ActivationKnobs, BlockName, Later, ResidualName, Settings, Unchecked
from bottleneck_lab.config.networks.others import ARCHITECTURES


class BlockKnobs(ActivationKnobs):
    """The ablation axes of one inverted residual block (Sandler et al. 2018, Table 1 and Sec. 3).

    Args:
        expansion: ratio t of the inner width to the input width. Below 1 it is a classical bottleneck; at 0
            the block has no inner layer and is the identity through its shortcut (Sec. 3.4).
        projection_activation: what follows the projection; `linear` is the paper's choice.
        projection_place: whether that activation stands before or after the shortcut is added.
        inner_activation: what follows the expansion and the depthwise convolution, and where there are a
            stem and a head, these.
    """

    expansion: float = Field(6, ge=0, le=64)
    projection_activation: Activation = "linear"
    projection_place: Literal["before_add", "after_add"] = "before_add"
    inner_activation: Activation = "relu6"


class Stage(Settings):
    """One row of Table 2: `n` blocks of `c` output channels, stride `s` in the first of them.

    `t` is the row's own expansion ratio; without it the network's `expansion` holds.
    """

    c: int = Field(ge=1, le=65_536)
    n: int = Field(ge=1, le=1000)
    s: int = Field(ge=1, le=64)
    t: float | None = Field(None, ge=0, le=64)


def _table(*rows: tuple[float | None, int, int, int]) -> list[Unchecked]:
    return [{"t": t, "c": c, "n": n, "s": s} for t, c, n, s in rows]


# fmt: off
NETWORKS: dict[str, Unchecked] = {
    # Table 2, as it stands.
    "mobilenet_v2": {
        "family": "mobilenet_v2",
        "stem_width": 32, "stem_stride": 2, "head_width": 1280, "dropout": 0.2,
        "stages": _table(
            (1, 16, 1, 1), (None, 24, 2, 2), (None, 32, 3, 2), (None, 64, 4, 2),
            (None, 96, 3, 1), (None, 160, 3, 2), (None, 320, 1, 1)),
    },
    # The same for 32 x 32 pixels: the first two reductions are left out.
    "mobilenet_v2_cifar": {
        "family": "mobilenet_v2",
        "stem_width": 32, "stem_stride": 1, "head_width": 1280, "dropout": 0.2,
        "stages": _table(
            (1, 16, 1, 1), (None, 24, 2, 1), (None, 32, 3, 2), (None, 64, 4, 2),
            (None, 96, 3, 1), (None, 160, 3, 2), (None, 320, 1, 1)),
    },
    # For CPUs: bottlenecks of 8 to 48 channels, 3.2 M MAdds at 32 x 32.
    "mobilenet_v2_small": {
        "family": "mobilenet_v2",
        "stem_width": 16, "stem_stride": 2, "head_width": 192, "dropout": 0.0,
        "stages": _table(
            (1, 8, 1, 1), (None, 12, 2, 1), (None, 16, 3, 2), (None, 24, 3, 2), (None, 48, 2, 1)),
        "channel_multiple": 4,
    },
    # For the 8 x 8 pixels of the digits: the same bottlenecks, one reduction.
    "mobilenet_v2_digits": {
        "family": "mobilenet_v2",
        "stem_width": 16, "stem_stride": 1, "head_width": 192, "dropout": 0.0,
        "stages": _table((1, 8, 1, 1), (None, 12, 2, 1), (None, 16, 2, 2), (None, 24, 2, 1)),
        "channel_multiple": 4,
    },
    # Vectors instead of images.
    "toy": {"family": "toy"},
    **ARCHITECTURES,
}
# fmt: on


class MobileNetV2Settings(BlockKnobs):
    """A network of inverted residual blocks, from stages as data.

    `network` names a row set of `NETWORKS`; keys given beside it replace that network's own.

    Args:
        block: what stands between the bottlenecks: the paper's `inverted_residual`, or one that was added.
        residual: where the shortcuts go: between the thin `bottleneck` ends (the paper's), between the
            `expansion` tensors of successive blocks, `none`, around MobileNeXt's `sandglass` block, which
            has its depthwise convolutions at the wide ends (Zhou et al. 2020), or a placement that was added.
        shortcuts: which of the shortcuts between bottlenecks there are: `all` that fit (Sec. 3.3), or only
            those that have a counterpart `between_expansions`, so that both placements have equally many.
        kernel: edge of the depthwise kernel, in pixels.
        width_multiplier: scales every width but the head's, which is never scaled down (Sec. 4).
        madds_of_expansion: widen or narrow all bottlenecks by one factor, so that the network costs as many
            multiply-accumulates as it would with this expansion ratio and its own widths.
        channel_multiple: widths are rounded to this, never down by more than 10 % (the official code uses 8).
        dropout: probability before the classifier.
        expansion_activation: what follows the expansion, if not `inner_activation`.
        depthwise_activation: what follows the depthwise convolution, if not `inner_activation`.
    """

    NETWORK: ClassVar[str] = "bottleneck_lab.models.networks.mobilenet_v2:MobileNetV2"

    family: Literal["mobilenet_v2"]
    network: Literal["mobilenet_v2", "mobilenet_v2_cifar", "mobilenet_v2_small", "mobilenet_v2_digits"]
    stem_width: int = Field(ge=1, le=65_536)
    stem_stride: int = Field(ge=1, le=64)
    stages: tuple[Stage, ...] = Field(min_length=1)
    head_width: int = Field(ge=1, le=65_536)
    block: BlockName = "inverted_residual"
    residual: ResidualName = "bottleneck"
    shortcuts: Literal["all", "between_expansions"] = "all"
    kernel: int = Field(3, ge=1, le=63)
    width_multiplier: float = Field(1.0, gt=0, le=64)
    channel_multiple: int = Field(8, ge=1)
    madds_of_expansion: float | None = Field(None, ge=0, le=64)
    dropout: float = Field(0.0, ge=0, lt=1)
    expansion_activation: Annotated[Activation | None, Later()] = None
    depthwise_activation: Annotated[Activation | None, Later()] = None

    def names(self) -> list[tuple[extend.Registry[Any], str]]:
        """Every name here that may have been added from outside, with the registry that knows it."""
        own = [(extend.BLOCKS, self.block), (extend.RESIDUALS, self.residual)]
        inner = (self.expansion_activation, self.depthwise_activation)
        return [
            *super().names(),
            *own,
            *((extend.ACTIVATIONS, kind_of(one)) for one in inner if one is not None),
        ]

    @model_validator(mode="after")
    def _possible(self) -> MobileNetV2Settings:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel}: only odd kernels keep the image's size")
        thinnest = min(self.expansion if stage.t is None else stage.t for stage in self.stages)
        if self.residual == "sandglass" and thinnest < 1:
            raise ValueError(f"a sandglass block has wide ends, so expansion = {thinnest:g} must be >= 1")
        if self.residual == "expansion" and self.expansion == 0:
            raise ValueError("expansion = 0 leaves no expanded tensors to put a shortcut between")
        if self.shortcuts != "all" and self.residual != "bottleneck":
            raise ValueError(f"shortcuts = {self.shortcuts!r} is a choice among those between bottlenecks")
        if self.shortcuts != "all" and self.block != "inverted_residual":
            raise ValueError(f"shortcuts = {self.shortcuts!r} is known for inverted residual blocks only")
        if self.block != "inverted_residual" and self.residual in ("expansion", "sandglass"):
            raise ValueError(
                f"block = {self.block!r} has no expanded tensors for residual = {self.residual!r}"
            )
        if self.madds_of_expansion is not None:
            if self.residual == "sandglass" or self.block != "inverted_residual":
                raise ValueError("madds_of_expansion is known for inverted residual blocks only")
            if self.madds_of_expansion == self.expansion:
                raise ValueError("madds_of_expansion is the expansion itself: leave it out")
        return self


class ToyNetworkSettings(BlockKnobs):
    """The network for spirals: linear stem, `blocks` inverted residual blocks on vectors, linear head.

    A pixel has no neighbours here, so there is no depthwise layer: a block is expand, activate, project.

    Args:
        width: bottleneck width d, the number of channels between blocks.
        shortcuts: which of those between bottlenecks there are: `all`, or those with a counterpart
            `between_expansions`, which are all but the last block's.
        madds_of_expansion: choose d so that the blocks cost as many multiply-accumulates as with this
            expansion ratio and `width`: `channels` is the width then.
        residual: shortcuts between bottlenecks, between the expanded tensors of successive blocks, or none.
    """

    family: Literal["toy"]
    network: Literal["toy"]
    width: int = Field(ge=1, le=65_536)
    blocks: int = Field(4, ge=1, le=1000)
    residual: Literal["bottleneck", "expansion", "none"] = "bottleneck"
    shortcuts: Literal["all", "between_expansions"] = "all"
    madds_of_expansion: float | None = Field(None, gt=0, le=64)

    @model_validator(mode="after")
    def _possible(self) -> ToyNetworkSettings:
        if self.residual == "expansion" and self.expansion == 0:
            raise ValueError("expansion = 0 leaves no expanded tensors to put a shortcut between")
        if self.shortcuts != "all" and self.residual != "bottleneck":
            raise ValueError(f"shortcuts = {self.shortcuts!r} is a choice among those between bottlenecks")
        if self.madds_of_expansion is not None:
            if self.expansion == 0:
                raise ValueError("expansion = 0 leaves no blocks that could cost as much as others")
            if self.madds_of_expansion == self.expansion:
                raise ValueError("madds_of_expansion is the expansion itself: leave it out")
        return self

    @property
    def channels(self) -> int:
        """The bottleneck width that is built: a block costs 2 t d^2, so d goes with the root of 1 / t."""
        if self.madds_of_expansion is None:
            return self.width
        return max(1, round(self.width * math.sqrt(self.madds_of_expansion / self.expansion)))
