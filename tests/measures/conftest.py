import pytest

from bottleneck_lab.config import ImageSettings
from bottleneck_lab.data.images import load_images


@pytest.fixture(scope="session")
def digits():
    """Some of the digits, `ImageData`."""
    return load_images(ImageSettings(dataset="digits", train_images=300, held_out_images=200), None)


@pytest.fixture(scope="session")
def network(looks_trained):
    """Builds a small network that looks trained."""
    return looks_trained
