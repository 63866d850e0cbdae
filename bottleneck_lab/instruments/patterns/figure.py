"""Fig. 7: how many channels are positive after every expansion, ours above the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.instruments.patterns.record import Patterns
from bottleneck_lab.manifold.positives import PAPER, Positives, State
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.drawing.style import COLOURS, styled

TITLES: dict[State, str] = {
    "unnormalised": "step 0, batch norm as created",
    "initial": "step 0, batch norm of the data",
    "trained": "trained",
}


def patterns_figures(path: Path) -> Figures:
    """The figure of a `patterns.json`; raises LabError for one of another form."""
    yield "patterns", draw_patterns(read_left(Patterns, path).measured)


def draw_patterns(measured: Mapping[State, Sequence[Positives]]) -> Figure:
    """Share of channels that are positive, against the depth of the expansion: a column for each state.

    Upper row: ours, `measured`. Lower row: the paper's, which has no `initial`; its layers are others, so
    shares are drawn and not numbers. The band is one standard deviation either side of the mean.
    """
    with styled():
        figure = Figure(figsize=(6.6, 4.4))
        grid = figure.subplots(2, len(measured), sharey=True, squeeze=False)
        for column, (state, layers) in enumerate(measured.items()):
            _draw(grid[0][column], layers)
            grid[0][column].set_title(TITLES[state], fontsize=8)
            if state == "initial":
                grid[1][column].set_axis_off()
            else:
                _draw(grid[1][column], PAPER[state])
                grid[1][column].set_title("the paper's Fig. 7", fontsize=8)
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=8)
        figure.supxlabel("expansion, in order of depth", fontsize=9)
        figure.supylabel("share of channels that are positive", fontsize=9)
    return figure


def _draw(axes: Axes, layers: Sequence[Positives]) -> None:
    depth = np.arange(len(layers))
    channels = np.array([layer.channels for layer in layers])
    mean = np.array([layer.mean for layer in layers]) / channels
    deviation = np.array([layer.deviation for layer in layers]) / channels
    threshold = np.array([layer.threshold for layer in layers]) / channels
    axes.plot(
        depth, [layer.maximum / layer.channels for layer in layers], "^-", color=COLOURS[2], label="max"
    )
    axes.plot(depth, mean, "o-", color=COLOURS[0], label="mean")
    axes.fill_between(
        depth, mean - deviation, mean + deviation, color=COLOURS[0], alpha=0.2, linewidth=0, label="± 1 sd"
    )
    axes.plot(
        depth, [layer.minimum / layer.channels for layer in layers], "v-", color=COLOURS[1], label="min"
    )
    axes.plot(depth, threshold, "--", color=COLOURS[-1], label="threshold n/m")
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
