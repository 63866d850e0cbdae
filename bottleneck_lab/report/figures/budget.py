"""The gap between two arms, and the time stretch between them, against the length of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bottleneck_lab.records.results.summary import PaperStretch, Summary
from bottleneck_lab.report.drawing.style import COLOURS, styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats.stretch import Stretch


def budget_figure(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """To the left the gap in accuracy by epochs with 95 % intervals over seeds; to the right the stretch.

    Behind the stretch, with a scale of its own above, that of the paper's curves, where the part has them.
    Stretches that are mere bounds are left out. None for a part without a budget, and before there is a gap.
    """
    found = next((each for each in summary.budgets if each.dataset == dataset), None)
    if found is None or all(row.gap is None for row in found.lengths):
        return None
    with styled():
        figure, (gap, stretch) = subplots(1, 2, figsize=(6.6, 3.0))
        rows = [(row, row.gap) for row in found.lengths if row.gap is not None]
        ends = [(row.ends.ci_low, row.ends.ci_high) if row.ends else (mean, mean) for row, mean in rows]
        _points(
            gap,
            [row.epochs for row, _ in rows],
            [100 * mean for _, mean in rows],
            [(100 * low, 100 * high) for low, high in ends],
        )
        gap.axhline(0, color=COLOURS[-1], linewidth=0.8)
        gap.set_ylabel(f"{found.fast} - {found.slow}\n(points of held-out accuracy)")
        told = [(row.epochs, row.stretch) for row, _ in rows if row.stretch and _is_told(row.stretch)]
        if found.paper is not None and found.paper.stretch:
            _behind(stretch, found.paper)
        _points(
            stretch,
            [epochs for epochs, _ in told],
            [each.estimate for _, each in told],
            [(_or(each, each.low), _or(each, each.high)) for _, each in told],
        )
        stretch.axhline(1, color=COLOURS[-1], linewidth=0.8)
        stretch.set_ylabel(f"time stretch by held-out loss\n(epochs of {found.slow} for one of {found.fast})")
        epochs = [row.epochs for row in found.lengths]
        for panel in (gap, stretch):
            panel.set_xscale("log", base=2)
            panel.set_xlim(epochs[0] / 1.2, epochs[-1] * 1.2)
            panel.set_xticks(epochs, [f"{tick:g}" for tick in epochs])
            panel.minorticks_off()
            panel.set_xlabel("epochs")
    return figure


def _is_told(stretch: Stretch) -> bool:
    return stretch.least < stretch.estimate < stretch.most


def _or(stretch: Stretch, end: float | None) -> float:
    """An end of the interval; the estimate where there is none."""
    return stretch.estimate if end is None else end


def _points(panel: Axes, x: list[float], y: list[float], ends: list[tuple[float, float]]) -> None:
    """Estimates with their intervals, which a percentile interval need not lie in the middle of."""
    if not x:
        return
    low, high = np.array(ends).T
    panel.vlines(x, low, high, color=COLOURS[0], linewidth=1.4)
    panel.plot(x, y, "o-", color=COLOURS[0])


def _behind(panel: Axes, paper: PaperStretch) -> None:
    above = panel.twiny()
    above.plot(*np.array(paper.stretch).T, "s--", color="0.55")
    above.set_xlabel(f"dashed: the paper, by top-1 ({paper.data}, {paper.unit})", color="0.4", fontsize=8)
    above.tick_params(colors="0.4")
    above.spines["top"].set_visible(True)
    above.grid(visible=False)
    above.set_zorder(panel.get_zorder() - 1)
    panel.patch.set_visible(False)
