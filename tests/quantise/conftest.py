import functools

import pytest

from bottleneck_lab.config import ImageSettings
from bottleneck_lab.data.images import load_images

STAGES = [{"c": 4, "n": 1, "s": 1, "t": 1}, {"c": 8, "n": 2, "s": 2}]


@pytest.fixture(scope="session")
def digits():
    """Some of the digits, `ImageData`."""
    return load_images(ImageSettings(dataset="digits", train_images=60, held_out_images=50), None)


@pytest.fixture(scope="session")
def network(looks_trained):
    """Builds a small network that looks trained, of as few blocks as have a shortcut."""
    return functools.partial(looks_trained, stages=STAGES)
