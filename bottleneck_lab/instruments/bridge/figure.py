"""The bridge as a figure: where a network is behind the linear one, by depth and by width."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bottleneck_lab.instruments.bridge.record import Comparison, Drawn, Row
from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.lines import drawn_as
from bottleneck_lab.report.drawing.style import COLOURS, LINES, styled


def bridge_figures(path: Path) -> Figures:
    """The figures of a `bridge.json`; raises LabError for one of another form."""
    return figures_in(read_left(Drawn, path))


def figures_in(drawn: Drawn) -> Figures:
    """A figure a data set."""
    for dataset in dict.fromkeys(row.dataset for row in drawn.rows):
        yield f"bridge-{dataset}", draw_bridge(drawn, dataset)


def draw_bridge(drawn: Drawn, dataset: str) -> Figure:
    """Whether a network is behind the linear one at every depth, and at every width.

    Left, against depth: a linear probe on the output of each block, a line a variant (mean over seeds, after
    training). Right, against the width of the bottlenecks: the accuracy that each non-linear variant loses as
    a whole, with its 95 % interval. Whatever else was measured is in `bridge.csv`.
    """
    rows = [row for row in drawn.rows if (row.dataset, row.state) == (dataset, "trained")]
    comparisons = [compared for compared in drawn.comparisons if compared.dataset == dataset]
    looks = _looks(rows)
    with styled():
        figure = Figure(figsize=(6.6, 3.4))
        by_depth, by_width = figure.subplots(1, 2)
        for variant, (colour, line, marker) in looks.items():
            of_variant = [row for row in rows if row.variant == variant]
            by_depth.plot(
                [row.block for row in of_variant],
                [100 * row.probe for row in of_variant],
                color=colour,
                linestyle=line,
                marker=marker,
                label=in_legend([variant]),
            )
        by_depth.set_title("linear probe on each block (%)", fontsize=8)
        by_depth.set_xlabel("block", fontsize=8)
        by_depth.xaxis.set_major_locator(MaxNLocator(integer=True))
        _draw_accuracy(by_width, comparisons, looks)
        figure.legend(loc="outside upper center", ncols=4, fontsize=7)
    return figure


Look = tuple[str, str, str]  # colour, line, marker


def _looks(rows: list[Row]) -> dict[str, Look]:
    """Colour and marker are of the projection's activation, the line says which variant with it one is."""
    looks: dict[str, Look] = {}
    for place, projection in enumerate(dict.fromkeys(row.projection for row in rows)):
        colour, marker = drawn_as(projection, place)
        named = dict.fromkeys(row.variant for row in rows if row.projection == projection)
        looks |= {variant: (colour, LINES[each % len(LINES)], marker) for each, variant in enumerate(named)}
    return looks


def _draw_accuracy(axes: Axes, compared: list[Comparison], looks: dict[str, Look]) -> None:
    for comparison in compared:
        colour, _, marker = looks[comparison.variant]
        lost, low, high = comparison.accuracy_lost, comparison.ci_low, comparison.ci_high
        error = None if low is None or high is None else 100 * np.array([[lost - low], [high - lost]])
        same_width = [other for other in compared if other.mean_width == comparison.mean_width]
        aside = same_width.index(comparison) - (len(same_width) - 1) / 2
        x = comparison.mean_width * (1 + 0.03 * aside)
        axes.errorbar(x, 100 * lost, yerr=error, color=colour, marker=marker, linewidth=1, capsize=2)
    axes.set_title("accuracy lost to linear (points)", fontsize=8)
    axes.set_xlabel("mean width of the network's bottlenecks (channels)", fontsize=8)
    axes.axhline(0, color=COLOURS[-1], linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xlim(*_whole_octaves(*axes.get_xlim()))
    axes.xaxis.set_major_formatter(ScalarFormatter())


def _whole_octaves(low: float, high: float) -> tuple[float, float]:
    """The powers of two around an interval, so that at least two of them have a tick."""
    return 2.0 ** math.floor(math.log2(low)), 2.0 ** math.ceil(math.log2(high))
