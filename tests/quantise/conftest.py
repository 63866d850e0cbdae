import json

import pytest
import torch

from bottleneck_lab.config import NETWORKS, ImageSettings, MobileNetV2Settings
from bottleneck_lab.data.images import load_images
from bottleneck_lab.models import MobileNetV2
from bottleneck_lab.models.block import ConvNorm


@pytest.fixture(scope="session")
def digits():
    """Some of the digits, `ImageData`."""
    return load_images(ImageSettings(dataset="digits", train_images=60, held_out_images=50), None)


@pytest.fixture(scope="session")
def network():
    """Builds a small network for digits that looks trained: batch norms with statistics and shifts."""

    def network(**knobs):
        content = {"network": "mobilenet_v2_digits", **NETWORKS["mobilenet_v2_digits"]}
        content |= {"stages": [{"c": 4, "n": 1, "s": 1, "t": 1}, {"c": 8, "n": 2, "s": 2}], "expansion": 3}
        settings = MobileNetV2Settings.model_validate_json(json.dumps({**content, "head_width": 16, **knobs}))
        with torch.random.fork_rng():
            torch.manual_seed(3)
            made = MobileNetV2(settings, 1, 10)
            with torch.no_grad():
                for layer in made.modules():
                    if isinstance(layer, ConvNorm):
                        layer.norm.running_mean.uniform_(-0.5, 0.5)
                        layer.norm.running_var.uniform_(0.2, 2.0)
                        layer.norm.weight.uniform_(0.5, 1.5)
                        layer.norm.bias.uniform_(-1.0, 1.0)
        return made.eval()

    return network
