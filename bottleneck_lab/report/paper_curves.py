"""Our accuracy over training beside the paper's: Fig. 6."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.report.collect import Results
from bottleneck_lab.report.lines import Look, Variant, look, mean_line
from bottleneck_lab.report.style import styled
from bottleneck_lab.stats import accuracy_band

_STEPS = "million steps"  # the first column of a table that is a curve


def paper_curves(results: Results, dataset: str) -> Figure | None:
    """Left: held-out accuracy by epoch of the variants that the paper has too, mean and 95 % band over seeds.

    Right: the paper's curves, one run each, from the table of its part that goes by steps and has a column
    for each of these variants, in their order. The scales differ, as data and networks do; the order of
    curves, and how their distances change, are what can be compared. None for a part without such a table,
    or before one of its variants is finished.
    """
    variants = [v for v in results.plan["variants"] if v["dataset"] == dataset]
    paper = results.plan["ablation"]["parts"][variants[0]["part"]]["paper"]
    shown = [v for v in variants if paper and v["name"] in paper["top1"]]
    tables = [table for table in paper["tables"] if _is_of(table, shown)] if paper else []
    if not tables or not any(results.of(v["name"], dataset) for v in shown):
        return None
    with styled():
        figure, (ours, theirs) = plt.subplots(1, 2, figsize=(6.6, 3.2), layout="constrained")
        for variant in shown:
            curves = results.curves(variant["name"], dataset)["accuracy"]
            how = look(variant, shown)
            mean_line(ours, curves, accuracy_band, how, variant["name"], scale=100)
        ours.set_title(f"ours: {dataset}", fontsize=9)
        ours.set_xlabel("epochs")
        ours.set_ylabel("held-out accuracy (%)")
        ours.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        for column, variant in enumerate(shown, 1):
            _draw(theirs, tables[0], column, look(variant, shown))
        theirs.set_title(f"the paper: {paper['data']}, one run a curve", fontsize=9)
        theirs.set_xlabel(_STEPS)
        theirs.set_ylabel("top-1 accuracy (%)")
        for panel in (ours, theirs):
            panel.legend(loc="lower right", fontsize=7)
        plt.close(figure)
    return figure


def _is_of(table: dict[str, Any], shown: list[Variant]) -> bool:
    """Whether a table goes by steps and has a column of accuracies for each variant."""
    named = [name for name in table["columns"] if "difference" not in name]
    return table["columns"][0] == _STEPS and len(named) == 1 + len(shown)


def _draw(panel: Axes, table: dict[str, Any], column: int, how: Look) -> None:
    """A column of the table; a cell that is no number is a point below the edge of the paper's figure."""
    there = [row for row in table["rows"] if isinstance(row[column], int | float)]
    x = [float(row[0]) for row in there]
    y = [row[column] for row in there]
    panel.plot(x, y, how.line, color=how.colour, label=table["columns"][column])
