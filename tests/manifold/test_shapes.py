from __future__ import annotations

import numpy as np
import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.shapes import as_points, circle, gaussian, grid, make_shape, spiral, swiss_roll

FINE = np.random.default_rng(0).standard_normal((50, 2))


def test_the_spiral_is_that_of_figure_1():
    theta = 0.0628 * np.arange(1000)
    assert spiral(1000) == pytest.approx(np.column_stack([theta * np.cos(theta), theta * np.sin(theta)]))
    assert np.linalg.norm(spiral(1000), axis=1).max() == pytest.approx(62.737, abs=1e-3)


def test_the_spiral_has_ten_turns_whatever_the_number_of_points():
    radius = np.linalg.norm(spiral(50_000), axis=1)
    assert radius.max() == pytest.approx(62.8, abs=0.01)


def test_the_circle_is_evenly_spaced_on_radius_one():
    steps = np.linalg.norm(circle(60) - np.roll(circle(60), 1, axis=0), axis=1)
    assert np.linalg.norm(circle(60), axis=1) == pytest.approx(np.ones(60))
    assert steps == pytest.approx(np.full(60, 2 * np.sin(np.pi / 60)))


def test_the_grid_has_the_square_number_of_points_that_comes_nearest():
    assert grid(1000).shape == (1024, 2)
    assert np.unique(grid(100)[:, 0]) == pytest.approx(np.linspace(-1, 1, 10))


def test_the_swiss_roll_is_a_spiral_in_its_first_two_coordinates():
    points = swiss_roll(500, np.random.default_rng(0))
    radius, angle = np.linalg.norm(points[:, :2], axis=1), np.arctan2(points[:, 1], points[:, 0])
    assert np.cos(radius) == pytest.approx(np.cos(angle))
    assert 1.5 * np.pi <= radius.min() < radius.max() <= 4.5 * np.pi
    assert 0 <= points[:, 2].min() < points[:, 2].max() <= 21


def test_random_shapes_follow_the_seed():
    for shape in ("gaussian", "swiss-roll"):
        assert np.array_equal(make_shape(shape, seed=1), make_shape(shape, seed=1))
        assert not np.array_equal(make_shape(shape, seed=1), make_shape(shape, seed=2))
    assert gaussian(20_000, np.random.default_rng(0)).std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_points_of_a_file_are_read_back(tmp_path, suffix):
    path = tmp_path / f"points{suffix}"
    np.save(path, FINE) if suffix == ".npy" else np.savetxt(path, FINE, delimiter=",")
    assert make_shape(str(path)) == pytest.approx(FINE)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((0, 2)), "empty"),
        ([], "empty"),
        (np.ones((1, 2)), r"1 point\(s\); at least 24"),
        (np.zeros(50), "one point per row"),
        (np.ones((50, 2)), "in one place"),
        (np.where(np.arange(100).reshape(50, 2) == 7, np.nan, FINE), "first in row 3"),
        (np.where(np.arange(100).reshape(50, 2) == 7, np.inf, FINE), "first in row 3"),
        (1e200 * FINE, "scale them down"),
        (1e-200 * FINE, "scale it up"),
        (1j * FINE, "not an array of real numbers"),
        ([["a", "b"]] * 50, "not an array of real numbers"),
        ([[1.0], [1.0, 2.0]] * 25, "not an array of real numbers"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(array, reason):
    with pytest.raises(LabError, match=reason):
        as_points(array)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.npy", b"garbage", "not a table of numbers"),
        ("a.npy", b"", "not a table of numbers"),
        ("a.csv", b"x,y\n1,2\n", "could not convert string to float: 'x'"),
        ("a.csv", b"", "empty"),
        ("a.csv", b"\xff\xfe", "not a table of numbers"),
    ],
)
def test_a_file_that_holds_no_points_is_refused_in_a_sentence(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LabError, match=reason):
        make_shape(str(tmp_path / name))


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(LabError, match="no array of plain numbers"):
        make_shape(str(tmp_path / "objects.npy"))


@pytest.mark.parametrize(
    ("shape", "count"), [("torus", 1000), ("none.npy", 1000), ("spiral", 1), ("spiral", 10**12)]
)
def test_an_unknown_shape_or_count_is_refused(shape, count):
    with pytest.raises(LabError, match=f"{shape}|points"):
        make_shape(shape, count)
