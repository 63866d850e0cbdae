"""Which colour, line, marker and panel stands for which variant, however many there are; and their legend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.records.results.summary import VariantFinding
from bottleneck_lab.report.drawing.lettering import SHOWN, in_legend
from bottleneck_lab.report.drawing.shown import mark_arm, mark_name
from bottleneck_lab.report.drawing.style import COLOURS, LINES, MARKERS, is_for_phone, subplots

BAND = 0.18
MOST_LINES = 8  # that an eye follows in one panel
MATCHED_WITHIN = 1.05  # the largest ratio of MAdds at which variants still cost the same

Variant = PlannedVariant | VariantFinding
V = TypeVar("V", PlannedVariant, VariantFinding)
Values = np.ndarray[Any, np.dtype[np.float64]]  # of the seeds
Band = np.ndarray[Any, np.dtype[np.float64]]  # means, lower and upper ends


class Look(NamedTuple):
    """How a variant is drawn, everywhere in one figure."""

    colour: str
    line: str
    marker: str
    band: float  # opacity of its interval
    fill: Literal["full", "none"] = "full"  # of its marker


# An activation has one colour and one marker in every figure, by the beginning of a level's name.
ACTIVATIONS = {
    "linear": (COLOURS[0], "o"),
    "relu6": (COLOURS[3], "^"),
    "relu": (COLOURS[1], "s"),
    "leaky relu": (COLOURS[2], "D"),
    "gelu": (COLOURS[4], "v"),
    "silu": (COLOURS[5], "P"),
    "hard swish": (COLOURS[6], "X"),
}


def others(variant: Variant, *axes: str | None) -> tuple[str, ...]:
    """The variant's levels on all axes but these."""
    return tuple(level for axis, level in variant.levels.items() if axis not in axes)


def look(variant: Variant, variants: Sequence[Variant], *axes: str | None) -> Look:
    """Colour by the first of the axes that are not among `axes`, line and marker by the rest.

    Where the levels of an axis are activations, they have the colours and markers of `ACTIVATIONS`, and the
    rest has lines, and empty markers after the first. Else the first axes are as many as it takes for the
    rest to have no more levels than there are lines. More levels than there are colours are shades from dark
    to light if they are numbers on one axis, and else begin the colours anew with other lines.
    """
    names = [others(other, *axes) for other in variants]
    mine = others(variant, *axes)
    band = BAND if len(set(names)) <= MOST_LINES else BAND / 3  # many lie over each other
    if known := _by_activation(mine, names):
        colour, marker, rest = known
        return Look(colour, LINES[rest], marker, band, "none" if rest else "full")
    split = next(n for n in range(1, len(mine) + 2) if len({name[n:] for name in names}) <= len(LINES))
    firsts = list(dict.fromkeys(name[:split] for name in names))
    rests = list(dict.fromkeys(name[split:] for name in names))
    first, rest = firsts.index(mine[:split]), rests.index(mine[split:])
    if len(firsts) > len(COLOURS) and split == 1 and all(number(level) is not None for level, *_ in firsts):
        shade = to_hex(mpl.colormaps["viridis"](0.92 * first / (len(firsts) - 1)))
        return Look(shade, LINES[rest], MARKERS[rest], band)
    again, colour_number = divmod(first, len(COLOURS))
    rest += again * len(rests)
    return Look(COLOURS[colour_number], LINES[rest % len(LINES)], MARKERS[rest % len(MARKERS)], band)


def _by_activation(mine: tuple[str, ...], names: Sequence[tuple[str, ...]]) -> tuple[str, str, int] | None:
    """Colour and marker of a variant's activation, and which of the variants with it this is.

    None where no axis is one of activations, or one of them has more variants than there are lines.
    """
    for axis in range(len(mine)):
        kinds = [_activation(name[axis]) for name in names]
        if None not in kinds:
            kind = _activation(mine[axis])
            alike = list(dict.fromkeys(name for name, its in zip(names, kinds, strict=True) if its == kind))
            if max(len({n for n, its in zip(names, kinds, strict=True) if its == k}) for k in kinds) > len(
                LINES
            ):
                return None
            assert kind is not None
            return (*ACTIVATIONS[kind], _order(mine, axis, alike, names))
    return None


def _order(
    mine: tuple[str, ...], axis: int, alike: list[tuple[str, ...]], names: Sequence[tuple[str, ...]]
) -> int:
    """The place of a variant among those of its activation: as its other levels have it, where they can."""
    rests = list(dict.fromkeys((*name[:axis], *name[axis + 1 :]) for name in names))
    by_rest = [rests.index((*name[:axis], *name[axis + 1 :])) for name in alike]
    place = alike.index(mine)
    fits = len(set(by_rest)) == len(by_rest) and max(by_rest) < len(LINES)
    return by_rest[place] if fits else place


def drawn_as(level: str, place: int) -> tuple[str, str]:
    """Colour and marker of a level alone: of its activation, if it is one, else by its place."""
    known = _activation(level)
    return ACTIVATIONS[known] if known else (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])


def _activation(level: str) -> str | None:
    """The activation that a level is called by: `relu6` of `relu6 after addition`."""
    return next((name for name in ACTIVATIONS if re.match(rf"{name}\b", level)), None)


def number(level: str) -> float | None:
    """The number in a level's name: 2 in `d=2`."""
    found = re.search(r"-?\d+(\.\d+)?", level)
    return float(found.group()) if found else None


def spread(variants: Iterable[Variant]) -> float:
    """The largest number of MAdds over the smallest."""
    madds = [v.madds for v in variants]
    return float(max(madds) / max(min(madds), 1))


def levels_of(variants: Sequence[Variant], axis: str | None) -> list[str]:
    """The levels on an axis in their order; one without a name for no axis."""
    return list(dict.fromkeys(v.levels[axis] for v in variants)) if axis else [""]


def panel_axis(
    variants: Sequence[Variant], facet: str | None = None, along: str | None = None, most: int | None = None
) -> str | None:
    """The axis that has a panel for each of its levels, so that no panel has more lines than an eye follows.

    Lines run `along` an axis, or none. It is the `facet` if there is one, else the axis with the fewest
    levels that are enough, else the one with the most; where there is room for `most` panels only, the best
    that fits. None where one panel will do, and where a panel would have a single line or none would fit.
    """
    counts = {axis: len(levels_of(variants, axis)) for axis in variants[0].levels if axis != along}
    free = sorted((axis for axis, count in counts.items() if count > 1), key=lambda axis: counts[axis])
    fit = [axis for axis in free if most is None or counts[axis] <= most]
    lines = len({others(variant, along) for variant in variants})
    if len(free) < 2 or not fit or (facet is None and lines <= MOST_LINES):
        return None
    enough = [axis for axis in fit if lines <= MOST_LINES * counts[axis]]
    return facet if facet in fit else enough[0] if enough else fit[-1]


def panel_grid(levels: Sequence[str], alone: tuple[float, float], height: float) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each level, titled by it, with common scales; `close` it when it is drawn.

    Args:
        levels: one for a single panel.
        alone: width and height of a figure with one panel, in inches.
        height: of a row of three panels, where there are more.
    """
    columns = 1 if is_for_phone() else min(3, len(levels))
    rows = -(-len(levels) // columns)
    size = alone if len(levels) == 1 else (6.6, height * rows + 0.7)
    figure, axes = subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    panels = list(axes.flat)
    for panel in panels[len(levels) :]:
        panel.set_visible(False)
    for place, (panel, level) in enumerate(zip(panels, levels, strict=False)):
        panel.set_title(level, fontsize=9)
        panel.tick_params(labelbottom=place + columns >= len(levels))
    return figure, panels[: len(levels)]


def mean_line(
    panel: Axes,
    values: Mapping[int, Values],
    band: Callable[[Sequence[Values]], Band],
    look: Look,
    label: str,
    scale: float = 1.0,
) -> None:
    """The mean of the `values` (one a seed) at every x, with a band for its interval; nothing for none."""
    if not values:
        return
    x = sorted(values)
    mean, low, high = scale * band([values[place] for place in x])
    marker = "o" if len(x) == 1 else ""
    (line,) = panel.plot(x, mean, look.line, color=look.colour, label=in_legend([label]), marker=marker)
    mark_arm(line, label, low, high)
    if np.isfinite(low).all():
        band_of = panel.fill_between(x, low, high, color=look.colour, alpha=look.band, linewidth=0)
        mark_arm(band_of, label)


def legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One legend for all panels: above them, or to their right where that would take half the figure.

    What is for a phone is made higher instead.
    """
    named: dict[str, Artist] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        named = {**dict(zip(labels, handles, strict=True)), **named}
    if not any(named):
        return
    width, height = figure.get_size_inches()
    entry = 0.5 + 0.065 * max(map(len, named))  # inches
    if len(named) <= MOST_LINES or is_for_phone():
        columns = max(1, min(2 if len(named) <= 4 else 3, int(width / entry)))
        if is_for_phone():
            figure.set_size_inches(width, height + 0.16 * -(-len(named) // columns))
        _marked(
            figure.legend(named.values(), named, loc="outside upper center", ncols=columns, fontsize=8), named
        )
        return
    figure.set_size_inches(width + entry, max(height, 0.4 + 0.16 * len(named)))
    _marked(figure.legend(named.values(), named, loc="outside right upper", fontsize=8), named)


def _marked(made: Legend, names: Iterable[str]) -> None:
    """Let a page find the names of a legend."""
    for text, name in zip(made.get_texts(), names, strict=True):
        mark_name(text, name.lstrip(SHOWN))


def panel_legend(panel: Axes, fontsize: float) -> None:
    """The legend of one panel, inside it."""
    made = panel.legend(fontsize=fontsize)
    _marked(made, [text.get_text() for text in made.get_texts()])
