"""Data sets as settings: points and images, in the same words."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from bottleneck_lab import extend
from bottleneck_lab.config.base import DatasetName, Later, Settings


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


def _kind_of_data(value: Any) -> str | None:
    """Which settings describe a data set, by its name."""
    if isinstance(value, PointSettings | ImageSettings):
        return value.TAG
    name = value.get("dataset") if isinstance(value, dict) else None
    if name == "spiral" or not isinstance(name, str):
        return "spiral" if name == "spiral" else None
    return "points" if extend.point_set(name) else "images"  # which refuse a name that nobody knows


DataSettings = Annotated[
    Annotated[SpiralSettings, Tag("spiral")]
    | Annotated[PointSettings, Tag("points")]
    | Annotated[ImageSettings, Tag("images")],
    Discriminator(_kind_of_data),
]
