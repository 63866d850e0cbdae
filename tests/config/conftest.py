from collections.abc import Callable
from pathlib import Path

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError

# An ablation with a part on spirals (2 x 2 variants) and a part on images (2 variants).
FILE = """
question = "Does it matter?"
source = "Sec. 3.2"
reported = "That it does."
against = "That it does not."

[parts.spiral]
title = "Spirals"
facet = "width"
model = { network = "toy", blocks = 2 }
train = { optimizer = "adam", learning_rate = 0.01 }

[parts.spiral.axes.projection]
linear = { model.projection_activation = "linear" }
relu = { model.projection_activation = "relu" }

[parts.spiral.axes.width]
"d=2" = { model.width = 2 }
"d=16" = { model.width = 16 }

[parts.spiral.datasets.spiral]
data = { arms = 4 }

[parts.spiral.datasets.spiral.tiers]
smoke = { seeds = 2, train.epochs = 20 }
quick = { seeds = 3, train.epochs = 300 }
laptop = { seeds = 4, train.epochs = 400, data.arms = 5 }
paper = { seeds = 5, train.epochs = 500 }

[[parts.spiral.claims]]
id = "narrow"
statement = "ReLU in two channels loses accuracy."
source = "Sec. 3.2"
contrast = { "linear, d=2" = 1, "relu, d=2" = -1 }
margin = 0.01

[parts.images]
title = "Images"
model = { network = "mobilenet_v2_digits", dropout = 0.1 }
train = { batch_size = 64, warmup_epochs = 0.5 }

[parts.images.axes.projection]
linear = { model.projection_activation = "linear" }
relu6 = { model.projection_activation = "relu6" }

[parts.images.datasets.digits]
data = { crop_padding = 1, flip = false }

[parts.images.datasets.digits.tiers]
smoke = { seeds = 2, train.epochs = 1 }
quick = { seeds = 3, train.epochs = 15 }
laptop = { seeds = 4, train.epochs = 40 }
paper = { seeds = 5, train.epochs = 80 }

[[parts.images.claims]]
id = "images"
statement = "On images, too."
source = "Fig. 6a"
kind = "equivalence"
contrast = { linear = 1, relu6 = -1 }
margin = 0.005
"""

Change = tuple[str, str]


@pytest.fixture
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes the ablation file, with changes (old text, new text) made to it."""

    def write(*changes: Change) -> Path:
        text = FILE
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path_factory.mktemp("ablation") / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def refusal(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """Loads the changed file, which must be refused, and returns what is said: a line a problem."""

    def refusal(*changes: Change) -> list[str]:
        path = write(*changes)
        with pytest.raises(LabError) as refused:
            load(str(path))
        lines = str(refused.value).splitlines()
        assert all(line.startswith(f"{path}: ") for line in lines)
        return [line.removeprefix(f"{path}: ") for line in lines]

    return refusal
