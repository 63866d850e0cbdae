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
    """Final held-out accuracy against the numbers that a facet's levels stand for.

    None for a part without a facet, with one that has no numbers, or before any run is finished.
    """
    variants = [v for v in summary["variants"] if v["dataset"] == dataset and v["mean"] is not None]
    planned = [v for v in results.plan["variants"] if v["dataset"] == dataset]
    facet = _facet(results, planned)
    if facet is None or not variants or (numbered := _numbers(planned, facet)) is None:
        return None
    label, number = numbered
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for variant in sorted(variants, key=lambda v: number[v["name"]]):
        groups.setdefault(_others(variant, facet), []).append(variant)
    with styled():
        figure, panel = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
        for names in dict.fromkeys(_others(v, facet) for v in variants):
            group = groups[names]
            x = [number[v["name"]] for v in group]
            colour, line, marker = _look(group[0], facet, variants)
            means = np.array([v["mean"] for v in group]) * 100
            panel.plot(x, means, line, color=colour, marker=marker, label=", ".join(names))
            if all(v["ci_low"] is not None for v in group):
                low, high = (np.array([v[end] for v in group]) * 100 for end in ("ci_low", "ci_high"))
                panel.fill_between(x, low, high, color=colour, alpha=BAND, linewidth=0)
        ticks = sorted({number[v["name"]] for v in variants})
        if ticks[0] > 0:
            panel.set_xscale("log", base=2)
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel(label)
        panel.set_ylabel("held-out accuracy (%)")
        if any(groups):
            panel.legend(fontsize=8)
        plt.close(figure)
    return figure


LABELS = {"width": "bottleneck width d (channels)", "expansion": "expansion ratio t"}


def _numbers(variants: Sequence[dict[str, Any]], facet: str) -> tuple[str, dict[str, float]] | None:
    """What a facet's levels stand for, and each variant's number of it; None if they are no numbers.

    It is the one numeric setting that differs between the levels, or else what their names say.
    """
    settings = {v["name"]: _numeric_settings(v["settings"]) for v in variants}
    fixed: dict[tuple[str, ...], list[str]] = {}
    for variant in variants:
        fixed.setdefault(_others(variant, facet), []).append(variant["name"])
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    differing = [
        key
        for key in keys
        if any(len({settings[name].get(key) for name in names}) > 1 for names in fixed.values())
    ]
    if len(differing) == 1 and all(differing[0] in found for found in settings.values()):
        _, name = key = differing[0]
        return LABELS.get(name, name.replace("_", " ")), {v: found[key] for v, found in settings.items()}
    named = {v["name"]: _number(v["levels"][facet]) for v in variants}
    numbers = {name: number for name, number in named.items() if number is not None}
    return (facet, numbers) if len(numbers) == len(named) else None


def _numeric_settings(settings: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {
        (section, key): value
        for section in ("model", "data", "train")
        for key, value in settings[section].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


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
    others = [_others(v, facet) for v in variants]
    mine = _others(variant, facet)
    firsts = list(dict.fromkeys(names[:1] for names in others))
    rests = list(dict.fromkeys(names[1:] for names in others))
    place = rests.index(mine[1:])
    return (
        COLOURS[firsts.index(mine[:1]) % len(COLOURS)],
        LINES[place % len(LINES)],
        MARKERS[place % len(MARKERS)],
    )


def _number(level: str) -> float | None:
    """The number in a level's name: 2 in `d=2`."""
    found = re.search(r"-?\d+(\.\d+)?", level)
    return float(found.group()) if found else None


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside upper center", ncols=2 if len(labels) <= 4 else 3, fontsize=8
        )
