"""Images from outside: taken as they are, checked before they are trained on."""

import hashlib

import numpy as np
import pytest
import torch

from bottleneck_lab import extend
from bottleneck_lab.config import ImageSettings
from bottleneck_lab.data.images import load_images
from bottleneck_lab.errors import LabError

COUNTS = {"train": 7, "held_out": 5}


def arrays(seed=0):
    generator = np.random.default_rng(seed)
    found = []
    for count in COUNTS.values():
        found += [
            generator.integers(0, 256, (count, 6, 4, 3), dtype=np.uint8),
            generator.integers(0, 2, count),
        ]
    return found


def load(function, **knobs):
    extend.images("mine", shape=(3, 6, 4), classes=2, **COUNTS)(function)
    load_images.cache_clear()
    return load_images(ImageSettings(dataset="mine", **knobs), None)


def changed(place, value):
    found = arrays()
    found[place] = value
    return lambda: found


def test_the_images_are_those_that_the_function_returns():
    data, expected = load(arrays), arrays()
    found = [data.train.pixels, data.train.labels, data.held_out.pixels, data.held_out.labels]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)
    assert data.test is None
    np.testing.assert_allclose(data.mean, expected[0].mean((0, 1, 2)), rtol=1e-5)
    assert data.checksums == {"mine": hashlib.md5(b"".join(a.tobytes() for a in expected)).hexdigest()}


def test_they_are_used_as_others_are():
    data = load(arrays, train_images=4, held_out_images=2, resolution=8)
    assert data.train.pixels.shape == (4, 8, 8, 3)
    assert len(data.held_out) == 2


def test_what_the_function_keeps_cannot_change_what_is_trained_on():
    kept = arrays()
    data = load(lambda: kept)
    before = data.train.pixels.clone()
    kept[0][:] = 0
    assert torch.equal(data.train.pixels, before)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (changed(0, np.zeros((7, 3, 6, 4), np.uint8)), r"training pixels as uint8 \(7, 6, 4, 3\), not"),
        (changed(2, np.zeros((5, 6, 4, 3))), "held-out pixels as uint8 .* not float64"),
        (changed(0, np.zeros((8, 6, 4, 3), np.uint8)), r"not uint8 \(8, 6, 4, 3\)"),
        (changed(1, np.zeros(8, int)), "7 training labels"),
        (changed(3, np.full(5, 2)), "held-out classes as whole numbers from 0 to 1, not 2 to 2"),
        (changed(1, np.zeros(7)), "training classes as whole numbers from 0 to 1, not float64"),
        (lambda: arrays()[:2], r"\(4 arrays\), not 2 things"),
        (lambda: None, "not NoneType"),
        (lambda: np.load("/no/such/file"), "the data set 'mine' fails: FileNotFoundError"),
    ],
)
def test_what_is_no_set_of_images_is_refused_with_what_it_should_be(function, sentence):
    with pytest.raises(LabError, match=sentence) as refused:
        load(function)
    assert "the data set 'mine'" in str(refused.value)
