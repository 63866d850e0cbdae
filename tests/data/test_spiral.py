"""Spirals by their formula: radius r in (0, 1), angle 2 pi (turns r + arm / arms)."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.data.spiral import spiral

PARTS = ["train", "held_out"]

shapes = st.fixed_dictionaries(
    {
        "arms": st.integers(2, 6),
        "turns": st.floats(0.1, 4),
        "points": st.integers(6, 100),
        "held_out": st.integers(6, 100),
    }
)


def settings_of(**knobs: Any) -> SpiralSettings:
    return SpiralSettings(dataset="spiral", **knobs)


@settings(deadline=None)
@given(shapes, st.integers(0, 10**6), st.sampled_from(PARTS))
def test_every_point_lies_on_its_arm(shape: dict[str, Any], seed: int, part: Any) -> None:
    points, arm = spiral(settings_of(**shape), seed, part)
    x, y = points.double().numpy().T
    radius = np.hypot(x, y)
    assert (radius <= 1).all()
    angle = 2 * np.pi * (shape["turns"] * radius + arm.numpy() / shape["arms"])
    np.testing.assert_allclose(x, radius * np.cos(angle), atol=2e-5)
    np.testing.assert_allclose(y, radius * np.sin(angle), atol=2e-5)


@settings(deadline=None)
@given(shapes, st.sampled_from(PARTS))
def test_arms_have_equally_many_points_or_one_more(shape: dict[str, Any], part: Any) -> None:
    points, arm = spiral(settings_of(**shape), 0, part)
    assert len(points) == len(arm) == shape["points" if part == "train" else "held_out"]
    counts = np.bincount(arm, minlength=shape["arms"])
    assert len(counts) == shape["arms"]
    assert counts.max() - counts.min() <= 1


def test_radii_are_uniform() -> None:
    points, _ = spiral(settings_of(points=10_000), 0, "train")
    radius = np.sort(np.linalg.norm(points.numpy(), axis=1))
    distance = np.abs(radius - (np.arange(10_000) + 0.5) / 10_000).max()
    assert distance < 1.63 / 10_000**0.5  # Kolmogorov-Smirnov, level 1 %


def test_points_are_float32_and_arms_are_int64() -> None:
    for dimensions in (2, 5):
        points, arm = spiral(settings_of(dimensions=dimensions), 0, "train")
        assert (points.dtype, arm.dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize("dimensions", [2, 7])
def test_a_seed_has_the_same_points_every_time_and_another_seed_others(dimensions: int) -> None:
    knobs = settings_of(dimensions=dimensions, noise=0.1)
    torch.manual_seed(1)
    first, _ = spiral(knobs, 3, "train")
    torch.manual_seed(2)
    again, _ = spiral(knobs, 3, "train")
    other, _ = spiral(knobs, 4, "train")
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).all(dim=1).any()


def test_held_out_points_are_none_of_the_training_points() -> None:
    knobs = settings_of(points=600, held_out=600)
    train, held_out = (spiral(knobs, 3, part)[0] for part in ("train", "held_out"))
    assert not (train[:, None] == held_out).all(dim=2).any()
    assert abs(float(torch.corrcoef(torch.stack([train.norm(dim=1), held_out.norm(dim=1)]))[0, 1])) < 0.2


def test_more_training_points_leave_the_held_out_points_alone() -> None:
    few, many = (spiral(settings_of(points=points), 3, "held_out")[0] for points in (60, 600))
    assert torch.equal(few, many)


def test_noise_is_gaussian_with_the_given_deviation_around_the_same_arms() -> None:
    clean, noisy = (spiral(settings_of(points=20_000, noise=noise), 3, "train") for noise in (0.0, 0.05))
    assert torch.equal(clean[1], noisy[1])
    noise = ((noisy[0] - clean[0]) / 0.05).double()
    assert float(noise.mean(0).abs().max()) < 4 / 20_000**0.5
    torch.testing.assert_close(noise.T.cov(), torch.eye(2, dtype=torch.float64), atol=0.04, rtol=0)
    assert float((noise.abs() < 1.959964).double().mean()) == pytest.approx(0.95, abs=0.005)


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 40), st.integers(0, 10**6), st.sampled_from(PARTS))
def test_embedding_in_more_dimensions_keeps_every_distance(dimensions: int, seed: int, part: Any) -> None:
    knobs = {"points": 40, "held_out": 40, "noise": 0.1}
    plane, arm = spiral(settings_of(**knobs), seed, part)
    space, same_arm = spiral(settings_of(**knobs, dimensions=dimensions), seed, part)
    assert space.shape == (40, dimensions)
    assert torch.equal(arm, same_arm)
    distances = [torch.cdist(x.double(), x.double()) for x in (plane, space)]
    torch.testing.assert_close(*distances, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(plane.norm(dim=1), space.norm(dim=1), atol=1e-5, rtol=1e-5)


def test_both_parts_lie_in_one_plane_that_differs_from_seed_to_seed() -> None:
    def rank(*clouds: torch.Tensor) -> int:
        return int(torch.linalg.matrix_rank(torch.cat(clouds), atol=1e-3))

    knobs = settings_of(dimensions=6)
    train, held_out = (spiral(knobs, 3, part)[0] for part in ("train", "held_out"))
    other, _ = spiral(knobs, 4, "train")
    assert rank(train) == rank(train, held_out) == 2
    assert rank(train, other) == 4
