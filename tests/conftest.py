import json
import os
import sys
from pathlib import Path

import hypothesis
import pytest

from bottleneck_lab import extend
from bottleneck_lab.extend import including

# Before anything imports torch: two threads that fight over a busy core are many times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No time limit for an example on a busy machine; and in CI the same examples each time.
hypothesis.settings.register_profile("lab", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("lab")

FAST = (
    "config",
    "data",
    "manifold",
    "models/test_block.py",
    "models/test_cost.py",
    "models/networks/test_toy.py",
    "stats",
    "extend",
    "test_project.py",
    "test_seeds.py",
)


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help=f"only {', '.join(FAST)}: a few minutes on 2 cores")


def pytest_ignore_collect(collection_path, config):
    """With `--fast`, whatever neither is one of these nor leads to or lies in one."""
    path = collection_path.relative_to(Path(__file__).parent)
    fast = [Path(name) for name in FAST]
    if config.getoption("--fast") and not any(
        path == each or path in each.parents or each in path.parents for each in fast
    ):
        return True
    return None


# One small ablation, quick enough for tests, with a part on spirals and a part on images.
MINI = """
question = "Does the mini ablation run?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.spiral]
title = "Spirals"
facet = "width"
model = { network = "toy", blocks = 2, expansion = 3 }
train = { optimizer = "adam", learning_rate = 0.01, weight_decay = 0.0, evaluate_every = 5 }
datasets.spiral.data = { points = 60, held_out = 90 }
datasets.spiral.tiers.smoke = { seeds = 3, train.epochs = 20 }
datasets.spiral.tiers.quick = { seeds = 4, train.epochs = 20 }
datasets.spiral.tiers.laptop = { seeds = 5, train.epochs = 20 }
datasets.spiral.tiers.paper = { seeds = 6, train.epochs = 20 }

[parts.spiral.axes.projection]
linear = { model.projection_activation = "linear" }
relu = { model.projection_activation = "relu" }

[parts.spiral.axes.width]
"d=2" = { model.width = 2 }
"d=3" = { model.width = 3 }

[[parts.spiral.claims]]
id = "narrow"
statement = "ReLU in two channels loses accuracy."
source = "Sec. 3.2"
contrast = { "linear, d=2" = 1, "relu, d=2" = -1 }
margin = 0.01

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
model.expansion = 2
model.head_width = 16
model.stages = [{ c = 4, n = 2, s = 2 }]
train = { batch_size = 32, learning_rate = 0.1 }

[parts.images.axes.projection]
linear = { model.projection_activation = "linear" }
relu6 = { model.projection_activation = "relu6" }

[parts.images.datasets.cifar10.tiers]
smoke = { seeds = 3, train.epochs = 2 }
quick = { seeds = 3, train.epochs = 2 }
laptop = { seeds = 3, train.epochs = 2 }
paper = { seeds = 3, train.epochs = 2 }

[parts.images.datasets.digits]
data = { crop_padding = 1, flip = false, train_images = 128, held_out_images = 100 }

[parts.images.datasets.digits.tiers]
smoke = { seeds = 3, train.epochs = 3 }
quick = { seeds = 3, train.epochs = 3 }
laptop = { seeds = 3, train.epochs = 3 }
paper = { seeds = 3, train.epochs = 3 }

[[parts.images.claims]]
id = "images"
statement = "ReLU6 loses nothing on images."
source = "Sec. 6.4"
kind = "equivalence"
contrast = { "linear" = 1, "relu6" = -1 }
margin = 0.05
"""


@pytest.fixture(autouse=True)
def _no_data_at_hand(monkeypatch, tmp_path_factory):
    """Tests see CIFAR only where they ask for it, and never the user's cache."""
    monkeypatch.setenv("BOTTLENECK_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("BOTTLENECK_LAB_DATA", raising=False)


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Nothing is compiled or timed where a test does not ask for it."""
    monkeypatch.setenv("BOTTLENECK_LAB_KERNEL", "eager")


@pytest.fixture(autouse=True)
def _nothing_added_outlives_its_test(monkeypatch):
    """What a test adds to the lab is gone after it, and what was remembered of it too."""
    monkeypatch.delenv(extend.VARIABLE, raising=False)
    with monkeypatch.context() as patch:
        for registry in extend.REGISTRIES:
            patch.setattr(registry, "added", dict(registry.added))
        patch.setattr(including, "_included", dict(including._included))
        patch.setattr(including, "_beside", dict(including._beside))
        patch.setattr(including, "_entry_points_loaded", including._entry_points_loaded)
        yield
        used = any(registry.added for registry in extend.REGISTRIES)
    if used and "torch" in sys.modules:
        from bottleneck_lab import models
        from bottleneck_lab.data.checksums import _of_added
        from bottleneck_lab.data.images import load_images

        models._cost.cache_clear()
        _of_added.cache_clear()
        load_images.cache_clear()


@pytest.fixture
def fused_kernel(monkeypatch, tmp_path_factory):
    """The fused training kernel, compiled once for all tests; `auto` may choose it."""
    from bottleneck_lab.models import fused

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    monkeypatch.setenv("BOTTLENECK_LAB_CACHE", str(shared / "fused-kernel"))
    monkeypatch.delenv("BOTTLENECK_LAB_KERNEL")
    if (reason := fused.why_not()) is not None:
        pytest.skip(reason)


@pytest.fixture
def mini(tmp_path):
    """The file of the mini ablation."""
    path = tmp_path / "mini.toml"
    path.write_text(MINI)
    return path


@pytest.fixture(scope="session")
def looks_trained():
    """Builds a small network for digits that looks trained: batch norms with statistics and shifts."""
    import torch

    from bottleneck_lab.config import NETWORKS, MobileNetV2Settings
    from bottleneck_lab.models import MobileNetV2
    from bottleneck_lab.models.block import ConvNorm

    def made(**knobs):
        content = {"network": "mobilenet_v2_digits", **NETWORKS["mobilenet_v2_digits"]}
        content |= {"stages": [{"c": 4, "n": 1, "s": 1, "t": 1}, {"c": 8, "n": 3, "s": 2}], "expansion": 3}
        settings = MobileNetV2Settings.model_validate_json(json.dumps({**content, "head_width": 16, **knobs}))
        with torch.random.fork_rng():
            torch.manual_seed(3)
            network = MobileNetV2(settings, 1, 10)
            with torch.no_grad():
                for layer in network.modules():
                    if isinstance(layer, ConvNorm):
                        layer.norm.running_mean.uniform_(-0.5, 0.5)
                        layer.norm.running_var.uniform_(0.2, 2.0)
                        layer.norm.weight.uniform_(0.5, 1.5)
                        layer.norm.bias.uniform_(-1.0, 1.0)
        return network.eval()

    return made
