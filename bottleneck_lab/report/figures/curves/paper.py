"""The paper's curves beside ours: how far variants stay below the reference over training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.report.drawing.lines import Look, legend, look, mean_line
from bottleneck_lab.report.drawing.style import COLOURS, styled, subplots
from bottleneck_lab.report.figures.curves.differences import differences
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import mean_band

Points = Sequence[tuple[float, float]]  # how far training was, and a percentage or percentage points


def curves_beside_paper(results: Results, dataset: str) -> Figure | None:
    """What variants lose to the reference over training: ours to the left, the paper's to the right.

    Only the variants of which the paper has a curve. Ours are the means of the differences seed by seed, with
    95 % bands; the paper has one run a curve, on its own data. Both are in points and have one scale; levels
    of accuracy on different data cannot be compared, and are not drawn.

    None where the paper has no curves, or before the reference and another variant have a finished run.
    """
    paper = results.plan.part_on(dataset).paper
    if paper is None or paper.curves is None:
        return None
    curves, reference = paper.curves.top1, paper.curves.reference
    variants = [v for v in results.plan.on(dataset) if v.name in curves and results.of(v.name, dataset)]
    names = [v.name for v in variants]
    if reference not in names or len(names) < 2:
        return None
    with styled():
        figure, (ours, theirs) = subplots(1, 2, figsize=(6.6, 3.0), sharey=True)
        for variant in variants:
            name, drawn = variant.name, look(variant, variants)
            if name != reference:
                gained = differences(results, dataset, reference, name)
                losses = {epoch: -values for epoch, values in gained.items()}
                mean_line(ours, losses, mean_band, drawn, name, scale=100)
                _draw(theirs, _lost(curves[reference], curves[name]), drawn)
        unit = "full-batch steps" if results.plan.draws_points(dataset) else "epochs"
        _label(ours, f"ours, {dataset}", unit)
        _label(theirs, f"the paper, {paper.data}", paper.curves.unit)
        ours.set_ylabel(f"points below\n{reference}", fontsize=8)
        legend(figure, [ours])
    return figure


def _lost(reference: Points, points: Points) -> Points:
    """What a curve of the paper loses to another one, where it has points of both."""
    of_reference = dict(reference)
    return [(time, of_reference[time] - top1) for time, top1 in points if time in of_reference]


def _draw(panel: Axes, points: Points, drawn: Look) -> None:
    """A curve of the paper, of one run: points that are joined, and no band."""
    if points:
        panel.plot(
            *np.array(points).T, drawn.line, marker=drawn.marker, fillstyle=drawn.fill, color=drawn.colour
        )


def _label(panel: Axes, title: str, unit: str) -> None:
    panel.set_title(title, fontsize=9)
    panel.set_xlabel(unit, fontsize=8)
    panel.axhline(0, color=COLOURS[-1], linewidth=0.8)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
