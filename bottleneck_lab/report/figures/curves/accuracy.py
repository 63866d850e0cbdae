"""Accuracy curves with 95 % bands, and accuracy against the facet of a part (a width, say)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.records.results.plan import PlannedSettings, PlannedVariant
from bottleneck_lab.records.results.summary import Summary, VariantFinding
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.lines import (
    MATCHED_WITHIN,
    MOST_LINES,
    legend,
    levels_of,
    look,
    mean_line,
    number,
    others,
    panel_axis,
    panel_grid,
    panel_legend,
    spread,
)
from bottleneck_lab.report.drawing.shown import mark_arm
from bottleneck_lab.report.drawing.style import styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import accuracy_band


def accuracy_curves(results: Results, dataset: str) -> Figure:
    """Held-out accuracy against epochs: a line for each variant's mean over seeds, a band for its interval.

    Where the part has a facet, or many variants, each level of an axis has a panel of its own, as
    `panel_axis` says.
    """
    variants = results.plan.on(dataset)
    axis = panel_axis(variants, results.plan.part_on(dataset).facet)
    levels = levels_of(variants, axis)
    with styled():
        figure, panels = panel_grid(levels, alone=(5.4, 3.6), height=2.2)
        for panel, level in zip(panels, levels, strict=True):
            for variant in variants:
                if not axis or variant.levels[axis] == level:
                    mean_line(
                        panel,
                        results.curves(variant.name, dataset)["accuracy"],
                        accuracy_band,
                        look(variant, variants, axis),
                        ", ".join(others(variant, axis)),
                        scale=100,
                    )
        panels[0].xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
        figure.supxlabel("full-batch steps" if results.plan.draws_points(dataset) else "epochs", fontsize=9)
        figure.supylabel("held-out accuracy (%)", fontsize=9)
        legend(figure, panels)
    return figure


def accuracy_against_facet(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """Final held-out accuracy against the numbers that a facet's levels stand for.

    A line of networks that all cost the same also passes through what they were matched to, an open marker.
    None for a part without a facet, with one that has no numbers, or before any run is finished.
    """
    variants = [v for v in summary.on(dataset) if v.mean is not None]
    facet = results.plan.part_on(dataset).facet
    if facet is None or not variants or (numbered := _numbers(results.plan.on(dataset), facet)) is None:
        return None
    label, at = numbered
    groups: dict[tuple[str, ...], list[VariantFinding]] = {}
    for variant in sorted(variants, key=lambda v: at[v.name]):
        groups.setdefault(others(variant, facet), []).append(variant)
    with styled():
        figure, panel = subplots(figsize=(5.4, 3.6))
        for names in dict.fromkeys(others(v, facet) for v in variants):
            own = groups[names]
            lent = _matched_to(own, variants, facet)
            group = sorted([*own, *lent], key=lambda v: at[v.name])
            x = [at[v.name] for v in group]
            colour, line, marker, band, fill = look(own[0], variants, facet)
            means = 100 * np.array([v.mean for v in group])
            whole = [place for place, v in enumerate(group) if v in own]
            (drawn,) = panel.plot(
                x,
                means,
                line,
                color=colour,
                marker=marker,
                fillstyle=fill,
                markevery=whole,
                label=in_legend(names),
            )
            arm = ", ".join(names)
            ends: tuple[Any, Any] = (None, None)
            for v in lent:
                mean = 100 * (v.mean or 0)
                panel.plot(at[v.name], mean, marker, color=colour, fillstyle="none", markersize=7)
            if all(v.ci_low is not None for v in group):
                low, high = 100 * np.array([(v.ci_low, v.ci_high) for v in group]).T
                ends = low, high
                mark_arm(panel.fill_between(x, low, high, color=colour, alpha=band, linewidth=0), arm)
            mark_arm(drawn, arm, *ends)
        ticks = sorted({at[v.name] for v in variants})
        if ticks[0] > 0:
            panel.set_xscale("log", base=2)
        elif len(ticks) > 1:  # 0 has no logarithm: up to the smallest other number the scale is linear
            panel.set_xscale("symlog", base=2, linthresh=ticks[1])
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set_xlabel(label)
        panel.set_ylabel("held-out accuracy (%)")
        if len(groups) > MOST_LINES:
            legend(figure, [panel])
        elif any(groups):
            panel_legend(panel, fontsize=8)
    return figure


def _matched_to(
    group: Sequence[VariantFinding], variants: Sequence[VariantFinding], facet: str
) -> list[VariantFinding]:
    """The variants of other lines at levels that a line of equal cost lacks, and that cost the same.

    Such a level is left out since the reference that the line was matched to would be trained twice.
    """
    if len(group) < 2 or spread(group) > MATCHED_WITHIN:
        return []
    levels = {v.levels[facet] for v in group}
    return [v for v in variants if v.levels[facet] not in levels and spread([*group, v]) <= MATCHED_WITHIN]


LABELS = {"width": "bottleneck width d (channels)", "expansion": "expansion ratio t"}


def _numbers(variants: Sequence[PlannedVariant], facet: str) -> tuple[str, dict[str, float]] | None:
    """What a facet's levels stand for, and each variant's number of it; None if they are no numbers.

    It is the one numeric setting that differs between the levels, or else what their names say.
    """
    settings = {v.name: _numeric_settings(v.settings) for v in variants}
    fixed: dict[tuple[str, ...], list[str]] = {}
    for variant in variants:
        fixed.setdefault(others(variant, facet), []).append(variant.name)
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    differing = [
        key
        for key in keys
        if any(len({settings[name].get(key) for name in names}) > 1 for names in fixed.values())
    ]
    if len(differing) == 1 and all(differing[0] in found for found in settings.values()):
        _, name = key = differing[0]
        return LABELS.get(name, name.replace("_", " ")), {v: found[key] for v, found in settings.items()}
    named = {v.name: number(v.levels[facet]) for v in variants}
    numbers = {name: found for name, found in named.items() if found is not None}
    return (facet, numbers) if len(numbers) == len(named) else None


def _numeric_settings(settings: PlannedSettings) -> dict[tuple[str, str], float]:
    return {
        (section, key): value
        for section, values in settings.sections().items()
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
