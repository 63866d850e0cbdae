"""`report.html`: the report as one page that asks for nothing, small enough to be mailed."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup, escape

from bottleneck_lab.records.names import TABLE
from bottleneck_lab.report.document import Bar, Code, Content, Forest, Link, Picture, Span, Strong
from bottleneck_lab.report.drawing.shown import Point
from bottleneck_lab.report.writers.svg import inline_svg
from bottleneck_lab.report.writers.template import environment

LARGEST_PAGE = 2_000_000  # bytes


@dataclass(frozen=True)
class Drawing:
    """A figure for a page: its SVG, and what its lines show, as far as they were marked."""

    svg: bytes
    points: Sequence[Point] = ()


def report_page(
    content: Content,
    drawings: Mapping[str, Drawing],
    largest: int = LARGEST_PAGE,
    on_phones: Mapping[str, Drawing] | None = None,
    refresh: float | None = None,
) -> str:
    """The page with its figures in it.

    Where it would be larger than `largest` bytes it goes without those for phones, and then the largest
    figures are links to their files instead, as few as will do.

    Args:
        content: what it says.
        drawings: every picture in it, by stem.
        largest: bytes.
        on_phones: those that take the place of others on a narrow screen.
        refresh: seconds until it loads itself again; None for a page that stays as it is.
    """
    pictures = [
        block for section in content.sections for block in section.blocks if isinstance(block, Picture)
    ]
    wide = _inline(pictures, drawings, "figure")
    narrow = _inline(pictures, on_phones or {}, "phone")
    template = page_template("report.html.j2")

    def rendered() -> str:
        return template.render(content=content, drawings=wide, on_phones=narrow, refresh=refresh, runs=TABLE)

    page = rendered()
    for left in (narrow, wide):
        while len(page.encode()) > largest and left:
            del left[max(left, key=lambda stem: len(left[stem].svg))]
            page = rendered()
    return page


@dataclass(frozen=True)
class _Inline:
    """A drawing as elements of a page."""

    svg: Markup
    points: Markup


def _inline(pictures: Sequence[Picture], drawings: Mapping[str, Drawing], prefix: str) -> dict[str, _Inline]:
    """What there is of the pictures, by stem; ids begin with `prefix`."""
    found = {}
    for place, picture in enumerate(pictures):
        if (made := drawings.get(picture.stem)) is not None:
            described = _described(picture, made.points)
            svg = inline_svg(made.svg, f"{prefix}{place}-", picture.alt, described)
            found[picture.stem] = _Inline(svg, _json(made.points) if made.points else Markup(""))
    return found


def bar(drawn: Bar, forest: Forest) -> Markup:
    """A claim on the axis of its forest, as wide as there is room: places are in percent."""
    low, high = forest.axis

    def at(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    def width(wide: float) -> str:
        return f"{100 * wide / (high - low):.2f}%"

    begin, end = max(low, -drawn.margin), min(high, drawn.margin)
    parts = [
        f'<rect class="margin" x="{at(begin)}" width="{width(end - begin)}" y="0" height="34"/>',
        f'<line class="zero" x1="{at(0)}" x2="{at(0)}" y1="0" y2="34"/>',
    ]
    parts += [
        f'<circle class="seed" cx="{at(value)}" cy="{25 + place % 2 * 4}" r="2.2" '
        f'data-tip="seed {seed}: {value:+.3g}"/>'
        for place, (seed, value) in enumerate(drawn.seeds)
    ]
    if drawn.low is not None and drawn.high is not None:
        parts.append(
            f'<rect class="bar" x="{at(drawn.low)}" width="{width(drawn.high - drawn.low)}" y="9" height="6" '
            f'rx="3" data-tip="{escape(drawn.found)}"/>'
        )
    marks = [("prediction", "M-5 20 0 12 5 20z", f"{name} predicts", each) for name, each in drawn.predicted]
    marks += [("paper", "M0 6 6 12 0 18-6 12z", "the paper", drawn.paper)] if drawn.paper is not None else []
    parts += [
        f'<svg x="{at(value)}" width="1" height="1" class="{kind}">'
        f'<path d="{path}" data-tip="{escape(what)}: {value:+.3g}"/></svg>'
        for kind, path, what, value in marks
    ]
    if drawn.estimate is not None:
        parts.append(
            f'<circle class="estimate" cx="{at(drawn.estimate)}" cy="12" r="5.5" '
            f'data-tip="{escape(drawn.found)}"/>'
        )
    said = "; ".join([drawn.found, *drawn.more, f"{len(drawn.seeds)} seeds"])
    return Markup(
        f'<svg class="plot {drawn.verdict}" width="100%" height="34" role="img" tabindex="0" '
        f'aria-label="{escape(said)}">'
        f"{''.join(parts)}</svg>"
    )


def ticks(forest: Forest) -> list[tuple[str, str]]:
    """Round numbers on the axis of a forest, and where they stand, in percent."""
    low, high = forest.axis
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (factor * step) <= 6)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [
        (f"{100 * (place * step - low) / (high - low):.2f}%", f"{place * step:+g}" if place else "0")
        for place in range(first, last + 1)
    ]


def _described(picture: Picture, points: Sequence[Point]) -> str:
    """What a figure shows, for those who cannot see it: where each of its lines ends."""
    ends = {(point.panel, point.arm): point for point in points}
    said = [
        f"{', '.join(each for each in (panel, arm) if each)}: {point.y:.3g}"
        for (panel, arm), point in ends.items()
    ]
    lines = f"At the right end of the lines: {'; '.join(said)}. " if 0 < len(said) <= _MOST_SAID else ""
    return f"{picture.caption}. {lines}The numbers are in the tables of this page."


_MOST_SAID = 16


def page_template(name: str) -> jinja2.Template:
    """The template of a page: nothing that comes from a file is markup."""
    made = environment(autoescape=True)
    made.filters.update(spans=spans, plot=bar, ticks=ticks)
    return made.get_template(name)


def _json(points: Sequence[Point]) -> Markup:
    """Points for the script of the page: whose, panel, place in the figure, numbers."""
    text = json.dumps([dataclasses.astuple(point) for point in points], separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def spans(parts: tuple[Span, ...]) -> Markup:
    """A paragraph as HTML."""
    return Markup("").join(map(_span, parts))


def _span(part: Span) -> Markup:
    if isinstance(part, Code):
        return Markup("<code>{}</code>").format(part.text)
    if isinstance(part, Strong):
        return Markup("<strong>{}</strong>").format(part.text)
    if isinstance(part, Link):
        return Markup('<a href="{}">{}</a>').format(part.href, part.text)
    return escape(part)
