"""Manifolds to collapse: the paper's spiral, four others, or a user's own points; one point per row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.seeds import stream

FEWEST_POINTS = 24  # half of them must make neighbourhoods of five and leave others to compare with
MOST_POINTS = 10_000_000


def spiral(count: int) -> FloatArray:
    """The spiral of Fig. 1: theta_k = 62.8 k / count, radius theta; shape (count, 2).

    With 1,000 points theta_k = 0.0628 k: ten turns if pi were 3.14, as the figure has it. Starts at the
    origin.
    """
    theta = 62.8 * np.arange(count) / count
    return np.column_stack([theta * np.cos(theta), theta * np.sin(theta)])


def circle(count: int) -> FloatArray:
    """Evenly spaced points of the unit circle; shape (count, 2)."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)])


def grid(count: int) -> FloatArray:
    """A square lattice over [-1, 1]^2, with as many points per side as come nearest to `count` in all."""
    side = np.linspace(-1.0, 1.0, max(2, round(count**0.5)))
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def gaussian(count: int, rng: np.random.Generator) -> FloatArray:
    """Independent standard normal points; shape (count, 2)."""
    return rng.standard_normal((count, 2))


def swiss_roll(count: int, rng: np.random.Generator) -> FloatArray:
    """Random points of the usual Swiss roll, rolled in the first two coordinates; shape (count, 3).

    A two-dimensional manifold in three dimensions: angle 1.5 pi to 4.5 pi, radius the angle, width 0 to 21.
    """
    angle = 1.5 * np.pi * (1 + 2 * rng.random(count))
    return np.column_stack([angle * np.cos(angle), angle * np.sin(angle), 21 * rng.random(count)])


SHAPES: dict[str, Callable[[int, np.random.Generator], FloatArray]] = {
    "spiral": lambda count, rng: spiral(count),
    "circle": lambda count, rng: circle(count),
    "swiss-roll": swiss_roll,
    "gaussian": gaussian,
    "grid": lambda count, rng: grid(count),
}
CURVES = ("spiral", "circle")  # whose points follow each other


def make_shape(shape: str, count: int = 1000, seed: int = 0) -> FloatArray:
    """Points of a named shape, or all of those in a user's .npy or .csv file, one point per row.

    Raises LabError for an unknown name, a count out of range, or a file that `as_points` refuses.
    """
    if shape not in SHAPES:
        if Path(shape).suffix in (".npy", ".csv"):
            return load_points(Path(shape))
        raise LabError(
            f"{shape}: no such shape; there are {', '.join(SHAPES)}, and files that end in .npy or .csv"
        )
    if not FEWEST_POINTS <= count <= MOST_POINTS:
        raise LabError(f"{count} points: give {FEWEST_POINTS} to {MOST_POINTS:,}")
    return SHAPES[shape](count, np.random.default_rng(stream(seed, shape)))


def load_points(path: Path) -> FloatArray:
    """A user's points from a .npy file or a .csv file without a header; raises LabError if it cannot."""
    try:
        if path.suffix == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            array = [[float(cell) for cell in line.split(",")] for line in lines]
    except OSError as error:
        raise LabError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, EOFError) as error:
        reason = "no array of plain numbers" if path.suffix == ".npy" else error
        raise LabError(f"{path}: not a table of numbers ({reason})") from None
    return as_points(array, str(path))


def as_points(array: ArrayLike, name: str = "the array") -> FloatArray:
    """`array` as floats of shape (points, dimensions), once it is known that something can be measured on it.

    Raises LabError if it is not a two-dimensional array of numbers, has fewer than 24 points, holds NaN,
    infinite or astronomically large values, or has all its points in one place.
    """
    try:
        raw = np.asarray(array)
        if np.iscomplexobj(raw):
            raise TypeError
        points = raw.astype(np.float64)
    except (TypeError, ValueError):
        raise LabError(f"{name}: not an array of real numbers") from None
    if points.size == 0:
        raise LabError(f"{name}: empty")
    if points.ndim != 2:
        raise LabError(f"{name}: shape {points.shape}; give one point per row, shape (points, dimensions)")
    if len(points) < FEWEST_POINTS:
        raise LabError(f"{name}: {len(points)} point(s); at least {FEWEST_POINTS} are needed")
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise LabError(f"{name}: NaN or infinity, first in row {bad}")
    largest = np.abs(points).max()
    if largest > 1e100:
        raise LabError(
            f"{name}: values up to {largest:.0e}, whose squares do not fit a float; scale them down"
        )
    spread = np.ptp(points, axis=0).max()
    if spread <= 1e-9 * largest:
        raise LabError(f"{name}: all points are in one place, and there is nothing to collapse")
    if spread < 1e-100:
        raise LabError(f"{name}: spans only {spread:.0e}, whose square does not fit a float; scale it up")
    return points
