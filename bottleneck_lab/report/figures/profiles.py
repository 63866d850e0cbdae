"""What was measured block by block: how it goes from the first to the last, before and after training."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.drawing.lettering import in_legend
from bottleneck_lab.report.drawing.lines import BAND, MOST_LINES, drawn_as, legend, others
from bottleneck_lab.report.drawing.shown import mark_arm
from bottleneck_lab.report.drawing.style import is_for_phone, styled, subplots
from bottleneck_lab.report.findings.references import reference_of
from bottleneck_lab.report.reading.results import Profile, Results

_COLUMNS = 3
_FAINT = "#BBBBBB"
_LABELS = {"gradient_growth": "second moment of the gradient, beside the last block's"}


def profiles_figure(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """A panel a measure, blocks from first to last: means over seeds, dotted those before training.

    Bands reach from the lowest seed to the highest. Where there are more variants than an eye follows, those
    of the headline claims and what they are compared with have colours, and the others are grey. None where
    no block was measured.
    """
    variants = results.plan.on(dataset)
    after = {v.name: results.profiles(v.name, dataset) for v in variants}
    before = {v.name: results.profiles(v.name, dataset, at_start=True) for v in variants}
    names = [
        name for name in results.plan.part_on(dataset).measures if any(name in of for of in after.values())
    ]
    if not names:
        return None
    known = summary.on(dataset)[0].measures
    shown = _shown(results, dataset)
    columns = 1 if is_for_phone() else min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    with styled():
        figure, axes = subplots(rows, columns, figsize=(6.6, 0.7 + 2.1 * rows), sharex=True, squeeze=False)
        panels: list[Axes] = list(axes.flat)
        for panel in panels[len(names) :]:
            panel.set_visible(False)
        for panel, name in zip(panels, names, strict=False):
            share, relative = known[name].share, name == "gradient_growth"
            label = _LABELS.get(name, known[name].label)
            panel.set_title(textwrap.fill(f"{label}{' (%)' if share else ''}", 34), fontsize=8)
            if relative:
                panel.set_yscale("log")
            for variant in (v for v in variants if v not in shown):
                _faint(panel, _values(after[variant.name].get(name), share, relative))
            for place, variant in enumerate(shown):
                text = ", ".join(others(variant))
                colour = drawn_as(text, place)[0]
                _line(panel, _values(after[variant.name].get(name), share, relative), colour, "-", text)
                _line(panel, _values(before[variant.name].get(name), share, relative), colour, ":", text)
        panels[0].xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        dotted = "; dotted: before training" if any(before.values()) else ""
        figure.supxlabel(f"block, from first to last{dotted}", fontsize=9)
        legend(figure, panels)
    return figure


def _shown(results: Results, dataset: str) -> list[PlannedVariant]:
    """The variants that have colours, in their order."""
    variants, claims = results.plan.on(dataset), results.plan.part_on(dataset).claims
    if len(variants) <= MOST_LINES:
        return list(variants)
    headlines = [claim for claim in claims if claim.headline] or claims[:1]
    asked = {name for claim in headlines for name in claim.contrast}
    contrasts = [claim.contrast for claim in claims if claim.measure == "accuracy"]
    asked |= {reference_of(v, variants, contrasts).name for v in variants if v.name in asked}
    return [v for v in variants if v.name in asked or not asked][:MOST_LINES]


def _values(profile: Profile | None, share: bool, relative: bool) -> Profile | None:
    """As they are drawn: shares in percent, gradients beside that of the last block."""
    if profile is None or not relative:
        return profile if profile is None or not share else 100 * profile
    last = profile[:, -1:]
    return profile[(last > 0).all(1)] / last[(last > 0).all(1)] if (last > 0).any() else None


def _faint(panel: Axes, profile: Profile | None) -> None:
    if profile is not None:
        panel.plot(_blocks(profile), profile.mean(0), color=_FAINT, linewidth=0.7, zorder=1)


def _line(panel: Axes, profile: Profile | None, colour: str, style: str, label: str) -> None:
    if profile is None:
        return
    low, high = profile.min(0), profile.max(0)
    blocks, after = _blocks(profile), style == "-"
    (line,) = panel.plot(
        blocks, profile.mean(0), style, color=colour, label=in_legend([label]) if after else None
    )
    mark_arm(line, label, low, high)
    if after:
        mark_arm(panel.fill_between(blocks, low, high, color=colour, alpha=BAND, linewidth=0), label)


def _blocks(profile: Profile) -> Sequence[int]:
    return range(1, profile.shape[1] + 1)
