"""Everything that determines the result of one run, as frozen, validated data. Knows nothing of torch."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from bottleneck_lab import extend
from bottleneck_lab.activations import Parametrised, schedules_of
from bottleneck_lab.config.base import DatasetName, Later, MeasureName, SchemeName, Settings
from bottleneck_lab.config.networks.inverted import MobileNetV2Settings, ToyNetworkSettings
from bottleneck_lab.config.networks.others import MobileNetV1Settings, ResNetSettings, ShuffleNetSettings
from bottleneck_lab.quantise.scheme import Scheme, parse_scheme


class PointSettings(Settings):
    """Points of a plane or space to tell apart, drawn anew for every seed: a data set that was added.

    Args:
        points: training points, over all classes.
        held_out: points drawn anew from the same distribution for evaluation.
    """

    TAG: ClassVar[str] = "points"
    OF_IMAGES: ClassVar[bool] = False

    dataset: DatasetName
    points: int = Field(600, ge=2, le=10_000_000)
    held_out: int = Field(1500, ge=1, le=10_000_000)

    @property
    def _set(self) -> extend.PointSet:
        found = extend.point_set(self.dataset)
        assert found is not None
        return found

    @property
    def classes(self) -> int:
        """Number of classes of the data set."""
        return self._set.classes

    @property
    def coordinates(self) -> int:
        """Numbers that a point consists of."""
        return self._set.dimensions

    @property
    def train_count(self) -> int:
        """Number of training points."""
        return self.points

    @property
    def held_out_count(self) -> int:
        """Number of points that the network is evaluated on."""
        return self.held_out

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, as networks take it."""
        return (1, self.coordinates)  # of one network in the batch


class SpiralSettings(PointSettings):
    """Spirals to tell apart: arm `y` winds `turns` times around the origin (radius 0 to 1).

    Args:
        points: training points, over all arms.
        held_out: points drawn anew from the same spirals for evaluation.
        noise: standard deviation of Gaussian noise, in radii.
        dimensions: the plane is turned into this many dimensions by a random orthonormal map.
    """

    TAG: ClassVar[str] = "spiral"

    dataset: Literal["spiral"]
    arms: int = Field(3, ge=2, le=256)
    turns: float = Field(1.5, gt=0)
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

    @property
    def coordinates(self) -> int:
        """Numbers that a point consists of."""
        return self.dimensions


class ImageSettings(Settings):
    """Images of one data set: how many are used, and how training images are varied.

    Args:
        train_images: the first so many of the training part; all of them if absent.
        held_out_images: likewise of the held-out part.
        crop_padding: pixels of zero padding before a random crop back to size; 0 for none.
        flip: mirror half of the training images, left to right. Which half is drawn anew in every epoch, or
            with `alternate_flip` once, and every second epoch has the other half (arXiv 2404.00498).
        resolution: images are resampled to this edge, in pixels; the data set's own if absent.
        tuning_images: the last so many of the training images are not trained on. The network is evaluated on
            them instead of the held-out part, which nothing that is chosen may depend on.
        labels: `random` trains on classes drawn at random for each seed and image (Zhang et al. 2017, arXiv
            1611.03530), which can only be learnt by heart.
    """

    TAG: ClassVar[str] = "images"
    OF_IMAGES: ClassVar[bool] = True

    dataset: DatasetName
    train_images: int | None = Field(None, ge=1)
    held_out_images: int | None = Field(None, ge=1)
    crop_padding: int = Field(4, ge=0)
    flip: bool = True
    resolution: int | None = Field(None, ge=4, le=1024)
    alternate_flip: Annotated[bool, Later()] = False
    tuning_images: Annotated[int, Later()] = Field(0, ge=0)
    labels: Annotated[Literal["true", "random"], Later()] = "true"

    @model_validator(mode="after")
    def _available(self) -> ImageSettings:
        for name, asked, there in zip(
            ("train_images", "held_out_images"),
            (self.train_images, self.held_out_images),
            (self._set.train, self._set.held_out),
            strict=True,
        ):
            if asked is not None and asked > there:
                raise ValueError(f"{name} = {asked}: {self.dataset} has only {there}")
        if self.train_count < 1:
            raise ValueError(f"tuning_images = {self.tuning_images} leaves no image to train on")
        return self

    @property
    def _set(self) -> extend.ImageSet:
        found = extend.image_set(self.dataset)
        assert found is not None
        return found

    @property
    def train_count(self) -> int:
        """Number of training images."""
        return (self.train_images or self._set.train) - self.tuning_images

    @property
    def held_out_count(self) -> int:
        """Number of images that the network is evaluated on."""
        return self.tuning_images or self.held_out_images or self._set.held_out

    @property
    def classes(self) -> int:
        """Number of classes of the data set."""
        return self._set.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        channels, height, width = self._set.shape
        if self.resolution is not None:
            height = width = self.resolution
        return channels, height, width

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, as networks take it."""
        return self.shape


class TrainSettings(Settings):
    """How one network is trained.

    Args:
        epochs: passes over the training data; for toy networks, full-batch steps.
        batch_size: images per step; absent means the whole training set at once (toy networks).
        optimizer: `sgd` with momentum, `adam`, or `lars`: SGD whose steps have the length of the weights
        that they
            change, layer by layer, times the learning rate (You et al. 2017, with a trust coefficient of 1),
            so that the size of a layer's gradient does not matter; biases and batch norm as with `sgd`.
        schedule: of the learning rate: a `cosine` down to 0, `constant`, or `wsd` (warm-up, stable, decay):
            constant, and over the last `cooldown_share` of the epochs linearly down to 0.
        warmup_epochs: the learning rate rises linearly from 0 over these, then follows `schedule`.
        average_share: what is evaluated and kept at the end is the mean of the weights (and of batch norm's
            statistics) after each step of the last this share of training; 0 for the last weights.
        weight_decay: L2 decay of weights; of batch norm and biases only with `decay_norm`, of depthwise
            weights only with `decay_depthwise` (the official code spares both).
        projection_bias_rate: factor on the learning rate of the bias behind the thin tensor, which decides
        how
            much of it an activation clips.
        label_smoothing: share of the target spread evenly over the classes.
        precision: `auto` uses bfloat16 (or float16 with loss scaling) on CUDA and float32 elsewhere.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
        measure_every: epochs between taking the run's measures; absent means after the last epoch only.
        measure_epochs: further epochs after which they are taken.
        kernel: what computes inverted residual blocks in training: `eager` is PyTorch, one operation at a
            time, `fused` one function in C++ (on CPUs; the same mathematics, rounded otherwise), `auto` the
            faster one here. `auto` is no part of a run's id, as the processor is none; the others are asked
            for by name, and are. What was used stands in `environment.json`.
        quantised: a scheme of rounding, as `w4_channel_a4_asymmetric_minmax` (`quantise/scheme.py`), that the
            network is trained under: forwards on grids, backwards straight through. Ranges are those of each
            batch. Accuracy is that of the network as it is; the measure `lost_` with a scheme says what it
            loses under that.
        quantised_after: only after this share of the epochs.
    """

    epochs: int = Field(ge=1, le=10_000_000)
    batch_size: int | None = Field(None, ge=2)
    optimizer: Literal["sgd", "adam", "lars"] = "sgd"
    learning_rate: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    schedule: Literal["cosine", "constant", "wsd"] = "cosine"
    cooldown_share: Annotated[float, Later()] = Field(0.25, gt=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)
    weight_decay: float = Field(4e-5, ge=0)
    decay_norm: bool = False
    decay_depthwise: bool = False
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    evaluate_every: int = Field(1, ge=1)
    measure_every: int | None = Field(None, ge=1)
    measure_epochs: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Later()] = ()
    projection_bias_rate: Annotated[float, Later()] = Field(1.0, ge=0, le=1000)
    average_share: Annotated[float, Later()] = Field(0.0, ge=0, lt=1)
    kernel: Annotated[Literal["auto", "fused", "eager"], Later()] = "auto"
    quantised: Annotated[SchemeName | None, Later()] = None
    quantised_after: Annotated[float, Later()] = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> TrainSettings:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs = {self.warmup_epochs:g} is longer than epochs = {self.epochs}")
        if self.schedule == "wsd" and self.warmup_epochs > self.cooldown_begins + 1e-9:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs:g} is longer than what the cooldown leaves of "
                f"epochs = {self.epochs}: {self.cooldown_begins:g}"
            )
        if self.measure_epochs and max(self.measure_epochs) > self.epochs:
            raise ValueError(
                f"measure_epochs = {list(self.measure_epochs)} goes beyond the last of {self.epochs} epochs"
            )
        if self.quantised is None and self.quantised_after:
            raise ValueError(f"quantised_after = {self.quantised_after:g} needs quantised, which says how")
        values = self.quantised and parse_scheme(self.quantised).activations
        if values and values.span != "minmax":
            raise ValueError(f"quantised = {self.quantised!r}: ranges of a batch are minmax in training")
        if self.optimizer != "adam" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov = true needs a momentum above 0")
        return self

    def measured_after(self, epoch: int) -> bool:
        """Whether measures are taken after so many epochs."""
        every = self.measure_every or self.epochs
        return epoch in (self.epochs, *self.measure_epochs) or epoch % every == 0

    def quantised_in(self, epoch: int) -> Scheme | None:
        """The scheme that an epoch, counted from 0, is trained under."""
        begun = self.quantised is not None and epoch >= int(self.quantised_after * self.epochs)
        return parse_scheme(self.quantised) if begun and self.quantised is not None else None

    @property
    def cooldown_begins(self) -> float:
        """After how many epochs `wsd` begins to lower the rate."""
        return self.epochs * (1 - self.cooldown_share)

    @property
    def average_begins(self) -> float:
        """After how many epochs weights begin to be averaged; after all of them if they never are."""
        return self.epochs * (1 - self.average_share)

    @property
    def shared_epochs(self) -> int:
        """How many of the first epochs have the rate of a longer training: whole ones before `wsd` cools."""
        if self.schedule != "wsd" or self.quantised_after:  # a share of a length that others do not have
            return 0
        return int(min(self.cooldown_begins, self.average_begins) + 1e-9)


def _kind_of_data(value: Any) -> str | None:
    """Which settings describe a data set, by its name."""
    if isinstance(value, PointSettings | ImageSettings):
        return value.TAG
    name = value.get("dataset") if isinstance(value, dict) else None
    if name == "spiral" or not isinstance(name, str):
        return "spiral" if name == "spiral" else None
    return "points" if extend.point_set(name) else "images"  # which refuse a name that nobody knows


ImageNetworkSettings = MobileNetV2Settings | MobileNetV1Settings | ResNetSettings | ShuffleNetSettings
ModelSettings = Annotated[ImageNetworkSettings | ToyNetworkSettings, Field(discriminator="family")]
DataSettings = Annotated[
    Annotated[SpiralSettings, Tag("spiral")]
    | Annotated[PointSettings, Tag("points")]
    | Annotated[ImageSettings, Tag("images")],
    Discriminator(_kind_of_data),
]


class RunSettings(Settings):
    """One run: a variant trained once. Equal settings are the same run, wherever and whenever it is made.

    `measures` are what is measured of the network besides its accuracy.
    """

    variant: str
    seed: int = Field(ge=0)
    data: DataSettings
    model: ModelSettings
    train: TrainSettings
    measures: tuple[MeasureName, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> RunSettings:
        toy, points = self.model.family == "toy", isinstance(self.data, PointSettings)
        if toy != points:
            raise ValueError(f"network {self.model.network!r} cannot be trained on {self.data.dataset!r}")
        if toy and self.train.batch_size is not None:
            raise ValueError("toy networks are trained on all points at once: leave batch_size out")
        if not toy and self.train.batch_size is None:
            raise ValueError("image networks need a batch_size")
        if toy and self.train.kernel == "fused":
            raise ValueError('kernel = "fused": toy networks are trained as one batch of matrices already')
        if toy and self.train.quantised:
            raise ValueError("quantised: only image networks are trained on grids")
        if toy and self.train.average_share:
            raise ValueError("average_share is for image networks only")
        if toy and (others := [name for name in self.measures if name not in extend.TOY_MEASURES]):
            raise ValueError(f"the measure {others[0]!r} is taken of image networks only")
        return self

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.data.dataset

    @property
    def id(self) -> str:
        """Name of the run's folder: the first 16 hexadecimal digits of a SHA-256.

        It is that of the settings, and of the files that added what they name: other code is another run.
        """
        return fingerprint(self.model_dump_json() + "".join(sorted(self.added_files().values())))

    @property
    def shared_epochs(self) -> int:
        """How many of the first epochs a longer training of the same network has as well.

        0 where an activation changes over training: how fast it does depends on how long that is.
        """
        values = (getattr(self.model, name) for name in type(self.model).model_fields)
        changes = any(isinstance(value, Parametrised) and schedules_of(value) for value in values)
        return 0 if changes else self.train.shared_epochs

    @property
    def trunk(self) -> str:
        """What runs have in common of which one has all the `shared_epochs` of the other: a hash, as of `id`.

        A run's first `shared_epochs` depend on nothing else, and not on how long it is or how it ends.
        """
        ends = {"epochs", "cooldown_share", "average_share"}
        content = self.model_dump_json(exclude={"variant": True, "train": ends})
        return fingerprint(content + "".join(sorted(self.added_files().values())))

    def added_files(self) -> dict[str, str]:
        """The files that add something these settings name, each with its SHA-256."""
        measures = ((extend.MEASURE_NAMES, name) for name in self.measures)
        return extend.files_behind([(extend.DATASETS, self.dataset), *self.model.names(), *measures])


def fingerprint(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
