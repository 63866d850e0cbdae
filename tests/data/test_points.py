"""Points from outside: drawn by the seed, checked before they are trained on."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab import extend
from bottleneck_lab.config import PointSettings, SpiralSettings
from bottleneck_lab.data.points import draw_points
from bottleneck_lab.data.spiral import spiral
from bottleneck_lab.errors import LabError
from bottleneck_lab.seeds import stream


def rings(count, generator):
    """Two circles around the origin, of radius 1 and 2."""
    classes = np.arange(count) % 2
    angles = 2 * np.pi * generator.random(count)
    return (1 + classes)[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1), classes


def added(draw, points=20, held_out=30):
    extend.points("mine", dimensions=2, classes=2)(draw)
    return PointSettings(dataset="mine", points=points, held_out=held_out)


@given(seed=st.integers(0, 2**32))
def test_points_are_those_that_the_function_draws_by_the_seed(seed):
    extend.DATASETS.added.pop("mine", None)
    settings = added(rings)
    for part, count in (("train", 20), ("held_out", 30)):
        points, classes = draw_points(settings, seed, part)
        expected, expected_classes = rings(count, np.random.default_rng(stream(seed, "mine", part)))
        assert (points.dtype, classes.dtype) == (torch.float32, torch.int64)
        np.testing.assert_array_equal(points.numpy(), expected.astype(np.float32))
        np.testing.assert_array_equal(classes.numpy(), expected_classes)
        np.testing.assert_allclose(points.norm(dim=1).numpy(), 1 + expected_classes, rtol=1e-6)


def test_seeds_and_parts_have_points_of_their_own():
    settings = added(rings, points=30)
    drawn = [draw_points(settings, seed, part)[0] for seed in (0, 1) for part in ("train", "held_out")]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, bool])
def test_classes_may_be_whole_numbers_of_any_size(kind):
    _, classes = draw_points(
        added(lambda n, g: (np.zeros((n, 2)), (np.arange(n) % 2).astype(kind))), 0, "train"
    )
    assert classes.tolist() == [0, 1] * 10


def test_tensors_and_lists_will_do():
    def draw(count, generator):
        return torch.zeros(count, 2), [0, 1] * (count // 2)

    assert draw_points(added(draw), 0, "train")[1].tolist() == [0, 1] * 10


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda n, g: (np.zeros((n, 3)), np.zeros(n, int)),
            r"20 x 2 points .* not arrays of shape \(20, 3\)",
        ),
        (lambda n, g: (np.zeros((n, 2)), np.zeros(n - 1, int)), r"and \(19,\)"),
        (lambda n, g: (np.zeros((5, 2)), np.zeros(5, int)), r"20 x 2 points"),
        (lambda n, g: (np.full((n, 2), np.nan), np.zeros(n, int)), "points of finite numbers"),
        (lambda n, g: (np.full((n, 2), 1e300), np.zeros(n, int)), "points of finite numbers"),
        (lambda n, g: (np.full((n, 2), "x"), np.zeros(n, int)), "points of finite numbers"),
        (lambda n, g: (np.zeros((n, 2)), np.arange(n)), "whole numbers from 0 to 1, not 0 to 19"),
        (lambda n, g: (np.zeros((n, 2)), -np.ones(n, int)), "whole numbers from 0 to 1, not -1 to -1"),
        (lambda n, g: (np.zeros((n, 2)), np.full(n, 0.5)), "whole numbers from 0 to 1, not float64"),
        (lambda n, g: np.zeros((n, 2)), r"points and their classes \(2 arrays\), not ndarray"),
        (lambda n, g: (1, 2, 3), "not 3 things"),
        (lambda n, g: None, "not NoneType"),
        (lambda n, g: g.no_such_method(n), "the data set 'mine' fails: AttributeError"),
        (lambda n: None, "the data set 'mine' fails: TypeError"),
    ],
)
def test_what_is_no_set_of_points_is_refused_with_what_it_should_be(draw, sentence):
    settings = added(draw)
    with pytest.raises(LabError, match=sentence) as refused:
        draw_points(settings, 0, "train")
    assert "the data set 'mine'" in str(refused.value)


def test_spirals_are_drawn_as_ever():
    settings = SpiralSettings(dataset="spiral", points=50)
    for mine, theirs in zip(draw_points(settings, 4, "train"), spiral(settings, 4, "train"), strict=True):
        assert torch.equal(mine, theirs)
