"""Networks built from settings. Knows nothing of data sets or training."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

from bottleneck_lab.config.settings import ImageSettings
from bottleneck_lab.models.block import InvertedResidual, Sandglass
from bottleneck_lab.models.cost import madds, parameters
from bottleneck_lab.models.initial import initialise, initialise_batch
from bottleneck_lab.models.mobilenet_v2 import MobileNetV2, make_divisible
from bottleneck_lab.models.toy import ToyNetworks, toy_shape

if TYPE_CHECKING:
    from bottleneck_lab.config import RunSettings
    from bottleneck_lab.config.settings import DataSettings, ModelSettings

__all__ = [
    "InvertedResidual",
    "MobileNetV2",
    "Sandglass",
    "ToyNetworks",
    "cost_of",
    "initialise",
    "initialise_batch",
    "madds",
    "make_divisible",
    "parameters",
    "toy_shape",
]


def cost_of(run: RunSettings) -> tuple[int, int]:
    """Parameters, and MAdds for one image or point, of a run's network; counted without allocating it."""
    return _cost(run.model, run.data)


@functools.lru_cache(maxsize=1024)  # a plan has many runs of few networks
def _cost(model: ModelSettings, data: DataSettings) -> tuple[int, int]:
    with torch.device("meta"):
        if isinstance(data, ImageSettings):
            assert model.family == "mobilenet_v2"
            network = MobileNetV2(model, data.shape[0], data.classes)
            return parameters(network), madds(network, 1, *data.shape)
        assert model.family == "toy"
        toy = ToyNetworks([model], data.dimensions, data.classes)
        return parameters(toy), madds(toy, 1, 1, data.dimensions)
