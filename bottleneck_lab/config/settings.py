"""Everything that determines the result of one run, as frozen, validated data. Knows nothing of torch."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Activation = Literal["linear", "relu", "relu6", "leaky_relu", "silu"]
DatasetName = Literal["spiral", "digits", "cifar10", "cifar100"]


class Settings(BaseModel):
    """Base of all settings: immutable, no unknown keys, no silent conversion of types, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class BlockKnobs(Settings):
    """The ablation axes of one inverted residual block (Sandler et al. 2018, Table 1 and Sec. 3).

    Args:
        expansion: ratio t of the inner width to the input width. Below 1 it is a classical bottleneck; at 0
            the block has no inner layer and is the identity through its shortcut (Sec. 3.4).
        projection_activation: what follows the projection; `linear` is the paper's choice.
        projection_place: whether that activation stands before or after the shortcut is added.
        inner_activation: what follows the expansion and the depthwise convolution.
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


def _table(*rows: tuple[float | None, int, int, int]) -> list[dict[str, Any]]:
    return [{"t": t, "c": c, "n": n, "s": s} for t, c, n, s in rows]


# fmt: off
NETWORKS: dict[str, dict[str, Any]] = {
    # Table 2, as it stands.
    "mobilenet_v2": {
        "stem_width": 32, "stem_stride": 2, "head_width": 1280, "dropout": 0.2,
        "stages": _table(
            (1, 16, 1, 1), (None, 24, 2, 2), (None, 32, 3, 2), (None, 64, 4, 2),
            (None, 96, 3, 1), (None, 160, 3, 2), (None, 320, 1, 1)),
    },
    # The same for 32 x 32 pixels: the first two reductions are left out.
    "mobilenet_v2_cifar": {
        "stem_width": 32, "stem_stride": 1, "head_width": 1280, "dropout": 0.2,
        "stages": _table(
            (1, 16, 1, 1), (None, 24, 2, 1), (None, 32, 3, 2), (None, 64, 4, 2),
            (None, 96, 3, 1), (None, 160, 3, 2), (None, 320, 1, 1)),
    },
    # For CPUs: bottlenecks of 8 to 48 channels, 3.2 M MAdds at 32 x 32.
    "mobilenet_v2_small": {
        "stem_width": 16, "stem_stride": 2, "head_width": 192, "dropout": 0.0,
        "stages": _table(
            (1, 8, 1, 1), (None, 12, 2, 1), (None, 16, 3, 2), (None, 24, 3, 2), (None, 48, 2, 1)),
        "channel_multiple": 4,
    },
    # For the 8 x 8 pixels of the digits: the same bottlenecks, one reduction.
    "mobilenet_v2_digits": {
        "stem_width": 16, "stem_stride": 1, "head_width": 192, "dropout": 0.0,
        "stages": _table((1, 8, 1, 1), (None, 12, 2, 1), (None, 16, 2, 2), (None, 24, 2, 1)),
        "channel_multiple": 4,
    },
}
# fmt: on


class MobileNetV2Settings(BlockKnobs):
    """A network of inverted residual blocks, from stages as data.

    `network` names a row set of `NETWORKS`; keys given beside it replace that network's own.

    Args:
        residual: where the shortcuts go: between the thin `bottleneck` ends (the paper's), between the
            `expansion` tensors of successive blocks, `none`, or around MobileNeXt's `sandglass` block, which
            has its depthwise convolutions at the wide ends (Zhou et al. 2020).
        kernel: edge of the depthwise kernel, in pixels.
        width_multiplier: scales every width but the head's, which is never scaled down (Sec. 4).
        channel_multiple: widths are rounded to this, never down by more than 10 % (the official code uses 8).
        dropout: probability before the classifier.
    """

    family: Literal["mobilenet_v2"]
    network: Literal["mobilenet_v2", "mobilenet_v2_cifar", "mobilenet_v2_small", "mobilenet_v2_digits"]
    stem_width: int = Field(ge=1, le=65_536)
    stem_stride: int = Field(ge=1, le=64)
    stages: tuple[Stage, ...] = Field(min_length=1)
    head_width: int = Field(ge=1, le=65_536)
    residual: Literal["bottleneck", "expansion", "none", "sandglass"] = "bottleneck"
    kernel: int = Field(3, ge=1, le=63)
    width_multiplier: float = Field(1.0, gt=0, le=64)
    channel_multiple: int = Field(8, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> MobileNetV2Settings:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel = {self.kernel}: only odd kernels keep the image's size")
        thinnest = min(self.expansion if stage.t is None else stage.t for stage in self.stages)
        if self.residual == "sandglass" and thinnest < 1:
            raise ValueError(f"a sandglass block has wide ends, so expansion = {thinnest:g} must be >= 1")
        if self.residual == "expansion" and self.expansion == 0:
            raise ValueError("expansion = 0 leaves no expanded tensors to put a shortcut between")
        return self


class ToyNetworkSettings(BlockKnobs):
    """The network for spirals: linear stem, `blocks` inverted residual blocks on vectors, linear head.

    A pixel has no neighbours here, so there is no depthwise layer: a block is expand, activate, project.

    Args:
        width: bottleneck width d, the number of channels between blocks.
        residual: shortcuts between bottlenecks, between the expanded tensors of successive blocks, or none.
    """

    family: Literal["toy"]
    network: Literal["toy"]
    width: int = Field(ge=1, le=65_536)
    blocks: int = Field(4, ge=1, le=1000)
    residual: Literal["bottleneck", "expansion", "none"] = "bottleneck"

    @model_validator(mode="after")
    def _possible(self) -> ToyNetworkSettings:
        if self.residual == "expansion" and self.expansion == 0:
            raise ValueError("expansion = 0 leaves no expanded tensors to put a shortcut between")
        return self


class SpiralSettings(Settings):
    """Spirals to tell apart: arm `y` winds `turns` times around the origin (radius 0 to 1).

    Args:
        points: training points, over all arms.
        held_out: points drawn anew from the same spirals for evaluation.
        noise: standard deviation of Gaussian noise, in radii.
        dimensions: the plane is turned into this many dimensions by a random orthonormal map.
    """

    dataset: Literal["spiral"]
    arms: int = Field(3, ge=2, le=256)
    turns: float = Field(1.5, gt=0)
    points: int = Field(600, ge=2, le=10_000_000)
    held_out: int = Field(1500, ge=1, le=10_000_000)
    noise: float = Field(0.0, ge=0)
    dimensions: int = Field(2, ge=2, le=65_536)

    @model_validator(mode="after")
    def _all_arms(self) -> SpiralSettings:
        if min(self.points, self.held_out) < self.arms:
            raise ValueError(f"{self.points} points (and {self.held_out} held out) leave some arms empty")
        return self

    @property
    def classes(self) -> int:
        """Number of arms."""
        return self.arms


# Images of each data set that may be trained on, and those that are held out from training.
IMAGES = {"digits": (1197, 600), "cifar10": (40_000, 10_000), "cifar100": (40_000, 10_000)}


class ImageSettings(Settings):
    """Images of one data set: how many are used, and how training images are varied.

    Args:
        train_images: the first so many of the training part; all of them if absent.
        held_out_images: likewise of the held-out part.
        crop_padding: pixels of zero padding before a random crop back to size; 0 for none.
        flip: mirror half of the training images, left to right.
        resolution: images are resampled to this edge, in pixels; the data set's own if absent.
    """

    dataset: Literal["digits", "cifar10", "cifar100"]
    train_images: int | None = Field(None, ge=1)
    held_out_images: int | None = Field(None, ge=1)
    crop_padding: int = Field(4, ge=0)
    flip: bool = True
    resolution: int | None = Field(None, ge=4, le=1024)

    @model_validator(mode="after")
    def _available(self) -> ImageSettings:
        for name, asked, there in zip(
            ("train_images", "held_out_images"),
            (self.train_images, self.held_out_images),
            IMAGES[self.dataset],
            strict=True,
        ):
            if asked is not None and asked > there:
                raise ValueError(f"{name} = {asked}: {self.dataset} has only {there}")
        return self

    @property
    def train_count(self) -> int:
        """Number of training images."""
        return self.train_images or IMAGES[self.dataset][0]

    @property
    def held_out_count(self) -> int:
        """Number of held-out images."""
        return self.held_out_images or IMAGES[self.dataset][1]

    @property
    def classes(self) -> int:
        """Number of classes of the data set."""
        return 100 if self.dataset == "cifar100" else 10

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        channels, edge = (1, 8) if self.dataset == "digits" else (3, 32)
        edge = self.resolution or edge
        return channels, edge, edge


class TrainSettings(Settings):
    """How one network is trained.

    Args:
        epochs: passes over the training data; for toy networks, full-batch steps.
        batch_size: images per step; absent means the whole training set at once (toy networks).
        warmup_epochs: the learning rate rises linearly from 0 over these, then follows `schedule`.
        weight_decay: L2 decay of weights; of batch norm and biases only with `decay_norm`, of depthwise
            weights only with `decay_depthwise` (the official code spares both).
        label_smoothing: share of the target spread evenly over the classes.
        precision: `auto` uses bfloat16 (or float16 with loss scaling) on CUDA and float32 elsewhere.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
    """

    epochs: int = Field(ge=1, le=10_000_000)
    batch_size: int | None = Field(None, ge=2)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0)
    weight_decay: float = Field(4e-5, ge=0)
    decay_norm: bool = False
    decay_depthwise: bool = False
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    evaluate_every: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _possible(self) -> TrainSettings:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs:g} is longer than epochs = {self.epochs}")
        if self.optimizer == "sgd" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov = true needs a momentum above 0")
        return self


ModelSettings = Annotated[MobileNetV2Settings | ToyNetworkSettings, Field(discriminator="family")]
DataSettings = Annotated[SpiralSettings | ImageSettings, Field(discriminator="dataset")]


class RunSettings(Settings):
    """One run: a variant trained once. Equal settings are the same run, wherever and whenever it is made."""

    variant: str
    seed: int = Field(ge=0)
    data: DataSettings
    model: ModelSettings
    train: TrainSettings

    @model_validator(mode="after")
    def _fits_together(self) -> RunSettings:
        toy, spiral = self.model.family == "toy", self.data.dataset == "spiral"
        if toy != spiral:
            raise ValueError(f"network {self.model.network!r} cannot be trained on {self.data.dataset!r}")
        if toy and self.train.batch_size is not None:
            raise ValueError("toy networks are trained on all points at once: leave batch_size out")
        if not toy and self.train.batch_size is None:
            raise ValueError("image networks need a batch_size")
        return self

    @property
    def dataset(self) -> DatasetName:
        """Name of the data set."""
        return self.data.dataset

    @property
    def id(self) -> str:
        """Name of the run's folder: the first 16 hexadecimal digits of the settings' SHA-256."""
        return fingerprint(self.model_dump_json())


def fingerprint(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
