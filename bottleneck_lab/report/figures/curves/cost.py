"""Accuracy against what a network costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator

from bottleneck_lab.config import Unchecked
from bottleneck_lab.config.ablations.paper import Paper
from bottleneck_lab.records.results.summary import Summary, VariantFinding
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.lines import (
    MATCHED_WITHIN,
    Look,
    legend,
    levels_of,
    look,
    others,
    panel_axis,
    panel_grid,
    panel_legend,
    spread,
)
from bottleneck_lab.report.drawing.shown import mark_arm
from bottleneck_lab.report.drawing.style import COLOURS, MARKERS, styled, subplots
from bottleneck_lab.report.reading.results import Results


def accuracy_against_madds(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """Final held-out accuracy against MAdds of one example, a point a variant with its 95 % interval.

    Points are joined along the axis that changes MAdds most, if its levels set nothing but numbers: a width
    or an expansion ratio has values in between, a placement has none; where those along it all cost the same,
    they are not joined. Every point stands at its MAdds, so bars of variants that cost the same lie over each
    other; what they differ by is in the tables and in the other figures.

    Where the paper has such points, all of ours are in one panel and the paper's in another beside it, on
    scales of their own.

    None where all variants cost the same, to 5 %, or before any run is finished.
    """
    variants = [v for v in summary.on(dataset) if v.mean is not None]
    if not variants or spread(variants) <= MATCHED_WITHIN:
        return None
    part = results.plan.part_on(dataset)
    paper = part.paper if part.paper and part.paper.madds else None
    along = _along(variants, part.axes)
    axis = None if paper else panel_axis(variants, along=along)
    levels = levels_of(variants, axis)
    with styled():
        if paper:
            figure, panels = _beside_paper(paper, dataset)
        else:
            figure, panels = panel_grid(levels, alone=(5.4, 3.8), height=2.4)
            figure.supylabel("held-out accuracy (%)", fontsize=9)
        for panel, level in zip(panels, levels, strict=True):
            here = [v for v in variants if not axis or v.levels[axis] == level]
            lines = _lines(here, along)
            for line in lines:
                looks, names = look(line[0], variants, along, axis), others(line[0], along, axis)
                alike = len(line) > 1 and spread(line) <= MATCHED_WITHIN
                _draw(panel, line, looks._replace(line="none") if alike else looks, names)
        _scale(panels[0], spread(variants), narrow=len(figure.axes) > 1)
        figure.supxlabel("MAdds", fontsize=9)
        if paper:
            panel_legend(panels[0], fontsize=7)
        else:
            legend(figure, panels)
    return figure


def _beside_paper(paper: Paper, dataset: str) -> tuple[Figure, list[Axes]]:
    """A figure with the paper's points to the right, and the panel for ours."""
    figure, (ours, theirs) = subplots(1, 2, figsize=(6.6, 3.6))
    for place, (name, points) in enumerate(paper.madds.items()):
        madds, top1 = np.array(points).T
        marker, colour = MARKERS[place % len(MARKERS)], COLOURS[place % len(COLOURS)]
        theirs.plot(1e6 * madds, top1, marker=marker, color=colour, label=in_legend([name]))
    every = [madds for points in paper.madds.values() for madds, _ in points]
    _scale(theirs, max(every) / min(every), narrow=True)
    theirs.legend(fontsize=7)
    for panel, title, label in (
        (ours, f"ours, {dataset}", "held-out accuracy (%)"),
        (theirs, f"the paper, {paper.data}", "top-1 accuracy (%)"),
    ):
        panel.set_title(title, fontsize=9)
        panel.set_ylabel(label, fontsize=9)
    return figure, [ours]


def _along(variants: list[VariantFinding], axes: dict[str, dict[str, Unchecked]]) -> str | None:
    """The axis of numbers that changes MAdds most, all else being equal; None where none does."""
    spreads = {
        axis: max(map(spread, _lines(variants, axis)))
        for axis, levels in axes.items()
        if all(_is_number(value) for level in levels.values() for value in _leaves(level))
    }
    most = max(spreads, key=spreads.__getitem__, default=None)
    return most if most is not None and spreads[most] > MATCHED_WITHIN else None


def _leaves(settings: Any) -> Iterator[Any]:
    if isinstance(settings, dict):
        for value in settings.values():
            yield from _leaves(value)
    else:
        yield settings


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(variants: list[VariantFinding], along: str | None) -> list[list[VariantFinding]]:
    """The variants that differ `along` an axis alone, the cheapest first; each by itself for None."""
    groups: dict[tuple[str, ...], list[VariantFinding]] = {}
    for variant in sorted(variants, key=lambda v: v.madds):
        groups.setdefault(others(variant, along), []).append(variant)
    return [groups[key] for key in dict.fromkeys(others(v, along) for v in variants)]


def _draw(panel: Axes, line: list[VariantFinding], look: Look, names: tuple[str, ...]) -> None:
    means = 100 * np.array([v.mean for v in line])
    ends = [(v.mean, v.mean) if v.ci_low is None else (v.ci_low, v.ci_high) for v in line]
    low, high = 100 * np.array(ends).T
    drawn = panel.errorbar(
        [v.madds for v in line],
        means,
        (means - low, high - means),
        linestyle=look.line,
        marker=look.marker,
        fillstyle=look.fill,
        color=look.colour,
        elinewidth=0.8,
        capsize=2,
        label=in_legend(names),
    )
    arm = ", ".join(names)
    mark_arm(drawn[0], arm, low, high)
    for artist in (*drawn[1], *drawn[2]):
        mark_arm(artist, arm)


def _scale(panel: Axes, spread: float, narrow: bool) -> None:
    """A logarithmic axis with few and round numbers, also over less than a decade."""
    panel.set_xscale("log")
    dense = spread < (3 if narrow else 10)
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8) if dense else (1, 2, 5) if spread < 40 else (1,)
    panel.xaxis.set_major_locator(LogLocator(subs=steps))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.minorticks_off()
