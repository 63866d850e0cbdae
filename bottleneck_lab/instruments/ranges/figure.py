"""How far the channels of each layer reach on the grid that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.instruments.ranges.record import Ranges
from bottleneck_lab.quantise.scheme import BITS, half_step
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.drawing.style import COLOURS, MARKERS, styled, subplots

LOWEST = 2.0**-12  # what is smaller is drawn here
MOST_DOTS = 48  # of a layer; of more channels, every so many-th by size
_PARTS = ("expansion", "depthwise", "projection", "other")


def ranges_figures(path: Path) -> Figures:
    """The figure of a `ranges.json`; raises LabError for one of another form."""
    yield "ranges", draw_ranges(asdict(read_left(Ranges, path)))


def draw_ranges(contents: Mapping[str, Any]) -> Figure:
    """A dot for each channel: its largest value over the width of its layer's grid; weights on top."""
    with styled():
        figure, panels = subplots(2, 1, figsize=(6.6, 5.2), sharey=True)
        for axes, of in zip(panels, ("weights", "activations"), strict=True):
            _draw(axes, [layer for layer in contents["layers"] if layer["of"] == of], of)
            axes.set_title(
                "weights, batch norm folded in" if of == "weights" else "activations, on training images",
                fontsize=8,
            )
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=8)
        panels[1].set_xlabel("layer, in order of depth")
        figure.supylabel("largest value of a channel, over the width of the grid", fontsize=9)
    return figure


def _draw(axes: Axes, layers: Sequence[Mapping[str, Any]], of: str) -> None:
    axes.set_yscale("log", base=2)
    for number, part in enumerate(_PARTS):
        places, values = [], []
        for depth, layer in enumerate(layers):
            if _part(layer["layer"]) == part:
                shown = _thinned(layer["reach"])
                places += [float(depth)] * len(shown)
                values += [max(value, LOWEST) for value in shown]
        axes.plot(
            places,
            values,
            MARKERS[number],
            color=COLOURS[number],
            markersize=2.5,
            markeredgewidth=0,
            alpha=0.6,
            label=part,
        )
    for bits in BITS:
        height = half_step(bits, of)  # what lies below is rounded to 0
        axes.axhline(height, color=COLOURS[-1], linewidth=0.8, linestyle="--")
        axes.annotate(
            f"{bits} bits: 0 below",
            (0.995, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
        )
    axes.set_ylim(LOWEST / 1.4, 1.4)
    axes.set_xticks(range(0, len(layers), max(1, math.ceil(len(layers) / 12))))


def _part(layer: str) -> str:
    last = layer.rsplit(".", 1)[-1]
    return last if last in _PARTS else "other"


def _thinned(values: Sequence[float]) -> list[float]:
    """The values in order of size; of many, as many as are drawn, the extremes among them."""
    ordered = sorted(values)
    if len(ordered) <= MOST_DOTS:
        return ordered
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, MOST_DOTS)]
