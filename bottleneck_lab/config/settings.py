"""Everything that determines the result of one run, as frozen, validated data. Knows nothing of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, model_validator

from bottleneck_lab import extend
from bottleneck_lab.activations import Parametrised, schedules_of
from bottleneck_lab.config.base import MeasureName, Settings
from bottleneck_lab.config.data import DataSettings, PointSettings
from bottleneck_lab.config.networks.inverted import MobileNetV2Settings, ToyNetworkSettings
from bottleneck_lab.config.networks.others import MobileNetV1Settings, ResNetSettings, ShuffleNetSettings
from bottleneck_lab.config.training import TrainSettings
from bottleneck_lab.seeds import LARGEST

ImageNetworkSettings = MobileNetV2Settings | MobileNetV1Settings | ResNetSettings | ShuffleNetSettings


ModelSettings = Annotated[ImageNetworkSettings | ToyNetworkSettings, Field(discriminator="family")]


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

    def ids(self, seeds: Iterable[int]) -> list[str]:
        """The `id`s that it has with these seeds; all else is written once: a plan may have 100,000 runs."""
        any_seed = f'"seed":{_NO_SEED}'
        before, after = self.model_copy(update={"seed": _NO_SEED}).model_dump_json().split(any_seed)
        after += "".join(sorted(self.added_files().values()))
        return [fingerprint(f'{before}"seed":{seed}{after}') for seed in seeds]

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


_NO_SEED = LARGEST + 1


def fingerprint(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
