"""What a figure shows, as numbers: for a page that names them, and for those who want them as a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Point:
    """One point of a line: whose it is, in which panel, where in the SVG (in points), and its numbers."""

    arm: str
    panel: str
    left: float
    top: float
    x: float
    y: float
    low: float | None
    high: float | None


def mark_arm(artist: Artist, name: str, low: Any = None, high: Any = None) -> None:
    """Let a page find what belongs to an arm; a line may keep the ends of its intervals, too."""
    artist.set_gid(f"arm-{_key(name)}")
    _MARKED[artist] = (name, low, high)


def mark_name(artist: Artist, name: str) -> None:
    """Let a page find where an arm is named, as in a legend."""
    artist.set_gid(f"key-{_key(name)}")


def _key(name: str) -> str:
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]


_MARKED: WeakKeyDictionary[Artist, tuple[str, Any, Any]] = WeakKeyDictionary()


def points_of(figure: Figure) -> list[Point]:
    """Every point of every line that is marked, once the figure has been drawn."""
    return [point for axes in figure.axes for point in _points(figure, axes)]


def _points(figure: Figure, axes: Axes) -> Iterator[Point]:
    scale = 72 / figure.dpi
    height = figure.get_size_inches()[1] * 72
    for line in axes.lines:
        if line not in _MARKED:
            continue
        arm, *ends = _MARKED[line]
        x, y = (np.asarray(each, dtype=float) for each in line.get_data())
        low, high = (np.full(len(x), np.nan) if each is None else each for each in ends)
        places = axes.transData.transform(np.column_stack([x, y])) * scale
        for (left, bottom), *numbers in zip(places, x, y, low, high, strict=True):
            found = [None if not np.isfinite(number) else float(number) for number in numbers]
            if found[0] is None or found[1] is None:
                continue
            place = round(left, 1), round(height - bottom, 1)
            yield Point(arm, axes.get_title(), *place, found[0], found[1], *found[2:])
