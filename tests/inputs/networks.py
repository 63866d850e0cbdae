import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bottleneck_lab.config import NETWORKS, MobileNetV2Settings, RunSettings, ToyNetworkSettings


@pytest.fixture(scope="session")
def mobilenet() -> Callable[..., MobileNetV2Settings]:
    """Settings of a named network, with knobs."""

    def mobilenet(network: str = "mobilenet_v2", **knobs: Any) -> MobileNetV2Settings:
        content = {"family": "mobilenet_v2", "network": network, **NETWORKS[network], **knobs}
        return MobileNetV2Settings.model_validate_json(json.dumps(content))

    return mobilenet


@pytest.fixture(scope="session")
def toy() -> Callable[..., ToyNetworkSettings]:
    """Settings of a toy network, with knobs."""

    def toy(**knobs: Any) -> ToyNetworkSettings:
        return ToyNetworkSettings(family="toy", network="toy", **knobs)

    return toy


@pytest.fixture(scope="session")
def run() -> Callable[..., RunSettings]:
    """A run of a network on data."""

    def run(model: MobileNetV2Settings | ToyNetworkSettings, **data: Any) -> RunSettings:
        train = {"epochs": 1} if model.family == "toy" else {"epochs": 1, "batch_size": 2}
        content = {"variant": "v", "seed": 0, "data": data, "model": model.model_dump(), "train": train}
        return RunSettings.model_validate_json(json.dumps(content))

    return run


@pytest.fixture(scope="session")
def lived_in() -> Callable[[nn.Module, int], nn.Module]:
    """Gives a module random weights and batch norms random statistics, in float64, ready for evaluation."""

    def lived_in(module: nn.Module, seed: int) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * 2 - 1)
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.running_var.abs_().add_(0.1)
        return module.double().eval()

    return lived_in
