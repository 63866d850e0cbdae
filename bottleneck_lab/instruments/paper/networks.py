"""The networks of the paper's tables, built without memory, and the shapes that a forward pass gives them."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any, NamedTuple, cast

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from bottleneck_lab.config import NETWORKS
from bottleneck_lab.config.settings import ModelSettings
from bottleneck_lab.models import MobileNetV1, MobileNetV2, ShuffleNet, image_network, madds, parameters
from bottleneck_lab.models.block import ConvNorm

Network = MobileNetV1 | MobileNetV2 | ShuffleNet
TITLES = {"mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2", "shufflenet": "ShuffleNet"}


class Shapes(NamedTuple):
    """Height, width and channels of what goes into a module and of what comes out."""

    input: tuple[int, ...]
    output: tuple[int, ...]


@functools.lru_cache(maxsize=64)
def _build(network: str, classes: int, knobs: str) -> Network:
    content = {**NETWORKS[network], "network": network, **json.loads(knobs)}
    settings: ModelSettings = TypeAdapter(ModelSettings).validate_json(json.dumps(content))
    assert settings.family != "toy"
    with torch.device("meta"):
        return cast(Network, image_network(settings, 3, classes))


def build(network: str, classes: int = 1000, **knobs: Any) -> Network:
    """A network of the paper by its name (a key of `TITLES`), on the meta device: shapes, but no numbers."""
    return _build(network, classes, json.dumps(knobs))


@functools.lru_cache(maxsize=256)
def cost(network: Network, edge: int = 224) -> int:
    """MAdds of convolutions and classifier for one image of `edge` x `edge` pixels."""
    return madds(bare(network), 1, 3, edge, edge)


@functools.lru_cache(maxsize=64)
def bare(network: Network) -> Network:
    """The network without batch norms and activations, which count nothing but cost most of the time."""
    stripped = copy.deepcopy(network)
    for layer in stripped.modules():
        if isinstance(layer, ConvNorm):
            layer.norm = layer.activation = nn.Identity()
    return stripped


@functools.lru_cache(maxsize=256)
def shapes(network: Network, edge: int = 224) -> dict[str, Shapes]:
    """Shapes of every module that makes images of images, by name, from a forward pass of one image."""
    found: dict[str, Shapes] = {}

    def watch(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if inputs[0].dim() == output.dim() == 4:
                found[name] = Shapes(_hwc(inputs[0]), _hwc(output))

        return module.register_forward_hook(hook)

    hooks = [watch(name, module) for name, module in network.named_modules() if name]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, edge, edge, device="meta"))
    for hook in hooks:
        hook.remove()
    return found


def weights(network: nn.Module) -> int:
    """Parameters without batch norm's, which inference folds away; so the official README counts them."""
    norms = (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    return parameters(network) - sum(parameters(norm) for norm in norms)


def _hwc(tensor: Tensor) -> tuple[int, ...]:
    _, channels, height, width = tensor.shape
    return height, width, channels


def text(shape: tuple[int, ...]) -> str:
    """`(14, 14, 96)` as `14x14x96`."""
    return "x".join(map(str, shape))
