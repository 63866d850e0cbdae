"""The one look of every figure, and the one way to write it: SVG and PNG, reproducible to the byte."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from bottleneck_lab.runs import files

# Okabe & Ito 2008: colours that stay apart for the colour-blind; yellow is left out (too faint on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_STYLE: dict[str, Any] = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text: searchable, selectable
    "svg.hashsalt": "bottleneck_lab",  # else every element's id is new at each drawing
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this, so that all figures look alike whatever the user's own matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


_METADATA: dict[str, dict[str, Any]] = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}


def drawn_bytes(figure: Figure, suffixes: Sequence[str] = tuple(_METADATA)) -> dict[str, bytes]:
    """What `save` writes, by suffix. The same figure gives the same bytes (same matplotlib)."""
    found = {}
    engine = figure.get_layout_engine()
    with styled():
        for suffix in suffixes:
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix[1:], metadata=_METADATA[suffix])
            # The places that the first drawing found hold for the second, which need not be drawn twice.
            mpl.rcParams["figure.constrained_layout.use"] = False
            figure.set_layout_engine(None)
            found[suffix] = stream.getvalue()
    figure.set_layout_engine(engine)
    return found


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `figure` as `stem`.svg and `stem`.png, without dates, each whole or not at all.

    Returns the two paths.
    """
    written = []
    for suffix, content in drawn_bytes(figure).items():
        path = stem.with_name(stem.name + suffix)
        files.write_bytes(path, content)
        written.append(path)
    return written
