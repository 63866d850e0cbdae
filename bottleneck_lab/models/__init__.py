"""Networks built from settings. Knows nothing of data sets or training."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from bottleneck_lab.config import ImageSettings, ToyNetworkSettings
from bottleneck_lab.config.settings import ImageNetworkSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.extend.global_state import ChangedError, left_alone
from bottleneck_lab.models.block import InvertedResidual, Sandglass
from bottleneck_lab.models.cost import count, madds, parameters
from bottleneck_lab.models.initial import initialise, initialise_batch
from bottleneck_lab.models.networks.mobilenet_v1 import MobileNetV1
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2
from bottleneck_lab.models.networks.resnet import ResNet
from bottleneck_lab.models.networks.shufflenet import ShuffleNet
from bottleneck_lab.models.networks.toy import ToyNetworks, toy_shape
from bottleneck_lab.models.widths import make_divisible

if TYPE_CHECKING:
    from bottleneck_lab.config import RunSettings
    from bottleneck_lab.config.data import DataSettings
    from bottleneck_lab.config.settings import ModelSettings

__all__ = [
    "Cost",
    "ImageNetworkSettings",
    "InvertedResidual",
    "MobileNetV1",
    "MobileNetV2",
    "ResNet",
    "Sandglass",
    "ShuffleNet",
    "ToyNetworks",
    "build",
    "cost_of",
    "image_network",
    "initialise",
    "initialise_batch",
    "madds",
    "make_divisible",
    "parameters",
    "refusing_what_was_added",
    "toy_shape",
]


@dataclass(frozen=True)
class Cost:
    """What a network costs, and what must be equal for two of them to be matched.

    Args:
        params: trainable parameters.
        madds: multiply-accumulates for one image or point.
        shortcuts: their number; None where an added placement decides it.
        depthwise: number of depthwise convolutions.
        uncounted: torch's names of operators that multiply, too, and are not in `madds`.
    """

    params: int
    madds: int
    shortcuts: int | None
    depthwise: int
    uncounted: tuple[str, ...] = ()


def build(model: ModelSettings, data: DataSettings) -> nn.Module:
    """The network for images or (one network in the batch) points of this kind, on the default device."""
    if isinstance(data, ImageSettings):
        assert not isinstance(model, ToyNetworkSettings)
        return image_network(model, data.shape[0], data.classes)
    assert isinstance(model, ToyNetworkSettings)
    return ToyNetworks([model], data.coordinates, data.classes)


def image_network(model: ImageNetworkSettings, channels: int = 3, classes: int = 1000) -> nn.Module:
    """The network of these settings: `[N, channels, H, W]` to logits `[N, classes]`, weights as created."""
    module, _, name = model.NETWORK.partition(":")
    network: nn.Module = getattr(importlib.import_module(module), name)(model, channels, classes)
    return network


def cost_of(run: RunSettings) -> Cost:
    """What a run's network costs, counted in a forward pass of one example.

    Raises:
        LabError: something that was added, and of which no network can be made.
    """
    return _cost(run.model, run.data)


@contextlib.contextmanager
def refusing_what_was_added(model: ModelSettings, data: DataSettings) -> Iterator[None]:
    """Make a sentence of what goes wrong with a network that has something in it which was added.

    Raises:
        LabError: something that was added, and of which no network can be made.
    """
    added = [name for registry, name in model.names() if name in registry.added]
    if not added:
        yield
        return
    try:
        with left_alone():
            yield
    except ChangedError as error:
        raise LabError(f"{' and '.join(map(repr, added))}: {error}") from error
    except LabError:
        raise
    except Exception as error:
        raise LabError(
            f"no network with {' and '.join(map(repr, added))} can be run on {data.dataset}: "
            f"{type(error).__name__}: {error}"
        ) from error


@functools.lru_cache(maxsize=1024)  # a plan has many runs of few networks
def _cost(model: ModelSettings, data: DataSettings) -> Cost:
    with refusing_what_was_added(model, data):
        return _counted(model, data)


def _counted(model: ModelSettings, data: DataSettings) -> Cost:
    # With numbers: shapes alone (the meta device) take five times as long, and what is added may need them.
    shape = (1, *data.input_shape)
    with torch.device("cpu"), torch.random.fork_rng(devices=()):
        network = build(model, data)
        counted = count(network, *shape)
    depthwise = sum(
        isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        for module in network.modules()
    )
    return Cost(
        parameters(network),
        counted.madds,
        network.shortcuts,  # type: ignore[arg-type]
        depthwise,
        counted.uncounted,
    )
