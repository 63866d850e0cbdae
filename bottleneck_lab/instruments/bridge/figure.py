"""The bridge as a figure: what is lost at every depth, and whether that explains the accuracy lost."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from bottleneck_lab.instruments.bridge.record import Comparison, Drawn, Row
from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.style import COLOURS, LINES, MARKERS, styled

_FAINT = 0.35


def bridge_figures(path: Path) -> Figures:
    """The figures of a `bridge.json`; raises LabError for one of another form."""
    return figures_in(read_left(Drawn, path))


def figures_in(drawn: Drawn) -> Figures:
    """A figure a data set."""
    for dataset in dict.fromkeys(row.dataset for row in drawn.rows):
        yield f"bridge-{dataset}", draw_bridge(drawn, dataset)


def draw_bridge(drawn: Drawn, dataset: str) -> Figure:
    """Four panels against depth, a line a variant (means over seeds), and two against width.

    Against depth: pixels that fail Lemma 2, channels that the activation clips, effective rank after it as a
    share of the width, and a linear probe with the network's own accuracy at the right end. Faint lines are
    the network before training. Against width: the probe accuracy that each non-linear variant loses in each
    of its bottlenecks, and the accuracy that it loses as a whole, with its 95 % interval.
    """
    rows = [row for row in drawn.rows if row.dataset == dataset]
    comparisons = [compared for compared in drawn.comparisons if compared.dataset == dataset]
    variants = list(dict.fromkeys(row.variant for row in rows))
    looks = _looks(rows)
    with styled():
        figure = Figure(figsize=(6.6, 7.6))
        grid = figure.subplots(3, 2)
        for variant in variants:
            trained, initial = (
                [row for row in rows if (row.variant, row.state) == (variant, state)]
                for state in ("trained", "initial")
            )
            _draw_depth(grid, trained, looks[variant], variant)
            _draw_initial(grid, initial, looks[variant])
            _draw_width(grid[2][0], trained, looks[variant])
        _draw_accuracy(grid[2][1], comparisons, looks)
        _label(grid)
        handles, labels = grid[0][0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=COLOURS[-1], alpha=_FAINT, linewidth=1))
        figure.legend(handles, [*labels, "before training"], loc="outside upper center", ncols=3, fontsize=8)
    return figure


Look = tuple[str, str, str]  # colour, line, marker


def _looks(rows: list[Row]) -> dict[str, Look]:
    """Colour by the projection's activation, line and marker by which of the variants with it one is."""
    looks: dict[str, Look] = {}
    projections = list(dict.fromkeys(row.projection for row in rows))
    for projection in projections:
        named = list(dict.fromkeys(row.variant for row in rows if row.projection == projection))
        for place, variant in enumerate(named):
            colour = COLOURS[projections.index(projection) % len(COLOURS)]
            looks[variant] = (colour, LINES[place % len(LINES)], MARKERS[place % len(MARKERS)])
    return looks


def _draw_depth(grid: Any, rows: list[Row], look: Look, variant: str) -> None:
    colour, line, marker = look
    depth = [row.block for row in rows]
    style: Any = {"color": colour, "linestyle": line, "marker": marker}
    grid[0][0].plot(depth, [row.lost for row in rows], label=in_legend([variant]), **style)
    expanded = [row for row in rows if row.expansion_lost is not None]
    grid[0][0].plot(
        [row.block for row in expanded],
        [row.expansion_lost for row in expanded],
        color=colour,
        marker="x",
        linestyle="none",
        markersize=3,
    )
    grid[0][1].plot(depth, [row.clipped_low + row.clipped_high for row in rows], **style)
    grid[1][0].plot(depth, [row.rank_after / row.width for row in rows], **style)
    grid[1][1].plot(depth, [100 * row.probe for row in rows], **style)
    grid[1][1].plot(depth[-1] + 1, 100 * rows[0].accuracy, **{**style, "fillstyle": "none"})


def _draw_initial(grid: Any, rows: list[Row], look: Look) -> None:
    style: Any = {"color": look[0], "linestyle": look[1], "alpha": _FAINT, "linewidth": 1}
    depth = [row.block for row in rows]
    grid[0][1].plot(depth, [row.clipped_low + row.clipped_high for row in rows], **style)
    grid[1][0].plot(depth, [row.rank_after / row.width for row in rows], **style)
    grid[1][1].plot(depth, [100 * row.probe for row in rows], **style)


def _draw_width(axes: Axes, rows: list[Row], look: Look) -> None:
    compared = [(row.width, 100 * row.probe_lost) for row in rows if row.probe_lost is not None]
    if compared:
        widths, lost = zip(*compared, strict=True)
        axes.plot(widths, lost, color=look[0], marker=look[2], linestyle="none")


def _draw_accuracy(axes: Axes, compared: list[Comparison], looks: dict[str, Look]) -> None:
    for comparison in compared:
        colour, _, marker = looks[comparison.variant]
        lost, low, high = comparison.accuracy_lost, comparison.ci_low, comparison.ci_high
        error = None if low is None or high is None else 100 * np.array([[lost - low], [high - lost]])
        same_width = [other for other in compared if other.mean_width == comparison.mean_width]
        aside = same_width.index(comparison) - (len(same_width) - 1) / 2
        x = comparison.mean_width * (1 + 0.03 * aside)
        axes.errorbar(x, 100 * lost, yerr=error, color=colour, marker=marker, linewidth=1, capsize=2)


def _label(grid: Any) -> None:
    titles = (
        "share of pixels that fail Lemma 2\n(lines: bottleneck; crosses: expansion)",
        "share of channels that the bottleneck's\nactivation clips, at 0 or 6",
        "effective rank after the activation / width",
        "linear probe; open: the network itself (%)",
        "probe accuracy lost to linear (points)",
        "accuracy lost to linear (points)",
    )
    for axes, title in zip(grid.flat, titles, strict=True):
        axes.set_title(title, fontsize=8)
    for axes in grid.flat[:4]:
        axes.set_xlabel("block", fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in grid.flat[:3]:
        axes.set_ylim(-0.04, 1.04)
    grid[2][0].set_xlabel("width of the bottleneck (channels)", fontsize=8)
    grid[2][1].set_xlabel("mean width of the network's bottlenecks (channels)", fontsize=8)
    for axes in grid[2]:
        axes.axhline(0, color=COLOURS[-1], linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_xlim(*_whole_octaves(*axes.get_xlim()))
        axes.xaxis.set_major_formatter(ScalarFormatter())


def _whole_octaves(low: float, high: float) -> tuple[float, float]:
    """The powers of two around an interval, so that at least two of them have a tick."""
    return 2.0 ** math.floor(math.log2(low)), 2.0 ** math.ceil(math.log2(high))
