"""What was measured of networks besides their accuracy, over training."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.drawing.lines import legend, levels_of, look, mean_line, others, panel_axis
from bottleneck_lab.report.drawing.style import styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import mean_band

_MOST_COLUMNS = 5


def measure_curves(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """Every measure against epochs: a line for each variant's mean over seeds, a band for its interval.

    A row a measure; where the part has a facet, or many variants, a column for each level of an axis, as
    `panel_axis` says. None where nothing was measured at more than one epoch.
    """
    variants, part = results.plan.on(dataset), results.plan.part_on(dataset)
    taken = {v.name: results.curves(v.name, dataset) for v in variants}
    names = [name for name in part.measures if any(len(of.get(name, {})) > 1 for of in taken.values())]
    if not names:
        return None
    known = summary.on(dataset)[0].measures
    axis = panel_axis(variants, part.facet, most=_MOST_COLUMNS)
    levels = levels_of([v for v in variants if any(map(taken[v.name].get, names))], axis)
    size = (max(5.4, 0.9 + 1.9 * len(levels)), 0.8 + 1.7 * len(names))
    with styled():
        figure, panels = subplots(
            len(names), len(levels), figsize=size, sharex=True, sharey="row", squeeze=False,
        )  # fmt: skip
        for row, name in enumerate(names):
            share = known[name].share
            label = f"{known[name].label}{' (%)' if share else ''}"
            panels[row, 0].set_ylabel(textwrap.fill(label, 24), fontsize=8)
            for column, level in enumerate(levels):
                for variant in variants:
                    if not axis or variant.levels[axis] == level:
                        mean_line(
                            panels[row, column],
                            taken[variant.name].get(name, {}),
                            mean_band,
                            look(variant, variants, axis),
                            ", ".join(others(variant, axis)),
                            scale=100 if share else 1,
                        )
        for panel, level in zip(panels[0], levels, strict=True):
            panel.set_title(level, fontsize=9)
        panels[0, 0].xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        figure.supxlabel("epochs", fontsize=9)
        legend(figure, panels.flat)
    return figure
