"""Accuracy curves with 95 % bands, and accuracy against the facet of a part (a width, say)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.report.collect import Results
from bottleneck_lab.report.style import COLOURS, LINES, MARKERS, styled
from bottleneck_lab.stats import accuracy_interval

BAND = 0.18  # opacity of an interval's band


def accuracy_curves(results: Results, dataset: str) -> Figure:
    """Held-out accuracy against epochs: a line for each variant's mean over seeds, a band for its interval.

    Where the part has a facet, each of its levels has a panel of its own.
    """
    variants = [v for v in results.plan["variants"] if v["dataset"] == dataset]
    facet = _facet(results, variants)
    levels = list(dict.fromkeys(v["levels"][facet] for v in variants)) if facet else [""]
    columns = min(3, len(levels))
    rows = -(-len(levels) // columns)
    size = (6.6, 2.2 * rows + 0.7) if facet else (5.4, 3.6)
    with styled():
        figure, axes = plt.subplots(
            rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        for place, level in enumerate(levels):
            panel = axes.flat[place]
            panel.set_title(level, fontsize=9)
            for variant in variants:
                if not facet or variant["levels"][facet] == level:
                    _curve(panel, results, variant, facet, variants)
        for panel in axes.flat[len(levels) :]:
            panel.set_visible(False)
        axes.flat[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        toy = variants[0]["settings"]["model"]["family"] == "toy"
        figure.supxlabel("full-batch steps" if toy else "epochs", fontsize=9)
        figure.supylabel("held-out accuracy (%)", fontsize=9)
        _legend(figure, axes.flat[0])
        plt.close(figure)
    return figure


def accuracy_against_facet(results: Results, summary: dict[str, Any], dataset: str) -> Figure | None:
    """Final held-out accuracy against the numbers in a facet's levels; None for a part without a facet."""
    variants = [v for v in summary["variants"] if v["dataset"] == dataset and v["mean"] is not None]
    facet = _facet(results, [v for v in results.plan["variants"] if v["dataset"] == dataset])
    if facet is None or not variants:
        return None
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for variant in variants:
        groups.setdefault(_others(variant, facet), []).append(variant)
    with styled():
        figure, panel = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
        for names, group in groups.items():
            x = [_number(v["levels"][facet]) for v in group]
            colour, line, marker = _look(group[0], facet, variants)
            means = np.array([v["mean"] for v in group]) * 100
            panel.plot(x, means, line, color=colour, marker=marker, label=", ".join(names))
            if all(v["ci_low"] is not None for v in group):
                low, high = (np.array([v[end] for v in group]) * 100 for end in ("ci_low", "ci_high"))
                panel.fill_between(x, low, high, color=colour, alpha=BAND, linewidth=0)
        ticks = list(dict.fromkeys(_number(v["levels"][facet]) for v in variants))
        panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel("bottleneck width d (channels)" if facet == "width" else facet)
        panel.set_ylabel("held-out accuracy (%)")
        panel.legend(fontsize=8)
        plt.close(figure)
    return figure


def _facet(results: Results, variants: Sequence[dict[str, Any]]) -> str | None:
    facet: str | None = results.plan["ablation"]["parts"][variants[0]["part"]]["facet"]
    return facet


def _curve(
    panel: Axes,
    results: Results,
    variant: dict[str, Any],
    facet: str | None,
    variants: Sequence[dict[str, Any]],
) -> None:
    by_epoch: dict[int, list[float]] = {}
    for run in results.of(variant["name"], variant["dataset"]):
        for record in results.records(run):
            by_epoch.setdefault(record["epoch"], []).append(100 * record["accuracy"])
    if not by_epoch:
        return
    colour, line, _ = _look(variant, facet, variants)
    epochs = sorted(by_epoch)
    means = [float(np.mean(by_epoch[epoch])) for epoch in epochs]
    marker = "o" if len(epochs) == 1 else ""
    panel.plot(epochs, means, line, color=colour, label=", ".join(_others(variant, facet)), marker=marker)
    intervals = [accuracy_interval([a / 100 for a in by_epoch[epoch]]) for epoch in epochs]
    if all(interval.low is not None for interval in intervals):
        low = [100 * (interval.low or 0.0) for interval in intervals]
        high = [100 * (interval.high or 0.0) for interval in intervals]
        panel.fill_between(epochs, low, high, color=colour, alpha=BAND, linewidth=0)


def _others(variant: dict[str, Any], facet: str | None) -> tuple[str, ...]:
    """The variant's levels on all axes but the facet."""
    return tuple(level for axis, level in variant["levels"].items() if axis != facet)


def _look(
    variant: dict[str, Any], facet: str | None, variants: Sequence[dict[str, Any]]
) -> tuple[str, str, str]:
    """Colour by the level on the first axis, line and marker by that on the others."""
    first, *rest = _others(variant, facet)
    firsts = list(dict.fromkeys(_others(v, facet)[0] for v in variants))
    rests = list(dict.fromkeys(_others(v, facet)[1:] for v in variants))
    place = rests.index(tuple(rest))
    return (
        COLOURS[firsts.index(first) % len(COLOURS)],
        LINES[place % len(LINES)],
        MARKERS[place % len(MARKERS)],
    )


def _number(level: str) -> float:
    """The number in a level's name: 2 in `d=2`."""
    found = re.search(r"-?\d+(\.\d+)?", level)
    return float(found.group()) if found else float("nan")


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper center", ncols=2 if len(labels) <= 4 else 3, fontsize=8
        )
