"""What the figures of an instrument are, wherever they are made."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

Figures = Iterator[tuple[str, Figure]]
"""Figures, each with the stem of its files."""
