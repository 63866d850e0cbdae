"""What variants differ by from the one they are compared with, over training; each line says whose it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.lines import (
    Values,
    legend,
    levels_of,
    look,
    mean_line,
    others,
    panel_axis,
    panel_grid,
)
from bottleneck_lab.report.drawing.shown import mark_name
from bottleneck_lab.report.drawing.style import is_for_phone, styled
from bottleneck_lab.report.findings.references import reference_of
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import mean_band, paired_contrast

_APART = 0.055  # of a panel's height, from one label to the next
_MOST_LABELLED = 16  # lines of one panel; of more it has those that claims are about
_MOST_NAMED = 2  # references that find room in a line
_ROOM = 0.42  # of a panel's width, for labels


def accuracy_differences(results: Results, dataset: str) -> Figure | None:
    """Held-out accuracy minus that of the reference, seed by seed, against epochs: means with 95 % bands.

    Where length of training is an axis, it is the longest that is drawn: the others branch off from it. The
    reference of a variant is as in the tables. With few panels the names stand at the lines' ends, with
    many, and on a phone, in a legend. Of more variants than have room in one panel it shows those that claims
    are about. None where no variant has a pair.
    """
    variants, part = results.plan.on(dataset), results.plan.part_on(dataset)
    contrasts = [claim.contrast for claim in part.claims if claim.measure == "accuracy"]
    references = {v.name: reference_of(v, variants, contrasts) for v in variants}
    if part.budget is not None:
        longest = max(v.settings.train["epochs"] for v in variants)
        variants = [v for v in variants if v.settings.train["epochs"] == longest]
    found = {
        v.name: differences(results, dataset, references[v.name].name, v.name)
        for v in variants
        if references[v.name] is not v and references[v.name] in variants
    }
    axis = panel_axis(variants, part.facet)
    if axis is None and len(found) > _MOST_LABELLED:
        asked = {name for contrast in contrasts for name in contrast}
        found = {name: values for name, values in found.items() if name in asked}
    if not any(found.values()):
        return None
    levels = levels_of([v for v in variants if found.get(v.name)], axis)
    with styled():
        figure, panels = panel_grid(levels, alone=(6.6, 3.8), height=2.2)
        for panel, level in zip(panels, levels, strict=True):
            here = [v for v in variants if found.get(v.name) and (not axis or v.levels[axis] == level)]
            for variant in here:
                label = ", ".join(others(variant, axis))
                mean_line(panel, found[variant.name], mean_band, look(variant, variants, axis), label, 100)
            panel.hlines(0, *_epochs(found), color="#000000", linewidth=0.8)  # not through the names beyond
            if len(levels) == 1:
                if not is_for_phone():
                    _label_lines(panel, here, found, variants)
                _label_references(panel, references, found, results, dataset)
        names = dict.fromkeys(", ".join(others(references[name], axis)) for name in found)
        of = f'"{next(iter(names))}"' if len(names) == 1 else "the reference"
        figure.supylabel(textwrap.fill(f"points above {of}", 36), fontsize=9)
        panels[0].set_xticks(MaxNLocator(nbins=5, integer=True, min_n_ticks=1).tick_values(*_epochs(found)))
        figure.supxlabel("full-batch steps" if results.plan.draws_points(dataset) else "epochs", fontsize=9)
        if len(levels) > 1 or is_for_phone():
            legend(figure, panels)
    return figure


def differences(results: Results, dataset: str, reference: str, name: str) -> dict[int, Values]:
    """What a variant has more than the reference (0 to 1) by epoch, one for each seed that both have."""
    by_epoch = {of: results.curves(of, dataset).get("accuracy", {}) for of in (reference, name)}
    seeds = {of: [run.seed for run in results.of(of, dataset)] for of in (reference, name)}
    found = {}
    for epoch in sorted(by_epoch[reference].keys() & by_epoch[name].keys()):
        values = {of: by_epoch[of][epoch] for of in (reference, name)}
        if all(len(values[of]) == len(seeds[of]) for of in values):  # else it is not known whose they are
            per_seed = {of: dict(zip(seeds[of], values[of].tolist(), strict=True)) for of in values}
            if pairs := paired_contrast(per_seed, {name: 1, reference: -1}):
                found[epoch] = np.array(list(pairs.values()))
    return found


def _epochs(found: dict[str, dict[int, Values]]) -> tuple[int, int]:
    every = {epoch for values in found.values() for epoch in values}
    return min(every), max(every)


def _label_references(
    panel: Axes,
    references: dict[str, PlannedVariant],
    found: dict[str, dict[int, Values]],
    results: Results,
    dataset: str,
) -> None:
    """What 0 stands for: the accuracy that each reference ends with."""
    last = _epochs(found)[1]
    accuracies = {references[name].name: None for name in found}
    said = [
        f'"{name}": {100 * float(np.mean(values)):.1f} %'
        for name in accuracies
        if (values := results.curves(name, dataset).get("accuracy", {}).get(last)) is not None
    ]
    if len(said) > _MOST_NAMED:
        return
    panel.set_title("0 is " + ", ".join(said), fontsize=8, loc="left")


def _label_lines(
    panel: Axes,
    here: Sequence[PlannedVariant],
    found: dict[str, dict[int, Values]],
    variants: Sequence[PlannedVariant],
) -> None:
    """The name of each variant at the end of its line, as near as other names leave room."""
    low, high = panel.get_ylim()
    begin, end = panel.get_xlim()
    ends = []
    for variant in here:
        last = max(found[variant.name])
        ends.append((100 * float(np.mean(found[variant.name][last])), last, variant))
    ends.sort(key=lambda each: each[0])
    places = _spread([value for value, *_ in ends], _APART * (high - low))
    panel.set_xlim(begin, end + _ROOM * (end - begin))
    for place, (value, last, variant) in zip(places, ends, strict=True):
        drawn = look(variant, variants)
        label = panel.annotate(
            in_legend(others(variant)),
            (last, value),
            (last + 0.04 * (end - begin), place),
            fontsize=8,
            va="center",
            arrowprops={"arrowstyle": "-", "color": drawn.colour, "linewidth": 1.2},
        )
        mark_name(label, ", ".join(others(variant)))


def _spread(values: Sequence[float], least: float) -> list[float]:
    """Increasing numbers, moved as little as it takes for neighbours to be `least` apart."""
    groups: list[tuple[float, int]] = []  # middle and size
    for value in values:
        groups.append((value, 1))
        while len(groups) > 1:
            (before, many), (after, more) = groups[-2:]
            if after - before >= least * (many + more) / 2:
                break
            groups[-2:] = [((before * many + after * more) / (many + more), many + more)]
    return [middle + least * (index - (size - 1) / 2) for middle, size in groups for index in range(size)]
