"""Figures inside a page: what matplotlib writes, made to stand beside others and to follow light and dark."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

# Whatever a page's colour scheme is, these take its colours; outside a page they are what they were.
_COLOURS = {
    "#ffffff": "var(--card, #ffffff)",
    "#000000": "currentColor",
    "#0072b2": "var(--blue, #0072b2)",
    "#d55e00": "var(--red, #d55e00)",
    "#009e73": "var(--green, #009e73)",
    "#56b4e9": "var(--sky, #56b4e9)",
    "#b0b0b0": "var(--grid, #b0b0b0)",
}
# Text on coloured ground, as in a map: it is read in the colours that were chosen for it, or not at all.
_ON_COLOUR = re.compile(r"<image |<text style=\"[^\"]*fill: #ffffff")
_MARK = re.compile(r'\bid="(arm|key)-([0-9a-f]{8})"')  # see drawing.shown
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')


def inline_svg(content: bytes, prefix: str, title: str, description: str) -> Markup:
    """An SVG file of matplotlib's as an element of a page.

    Args:
        content: the file.
        prefix: of every id in it; matplotlib gives the same ones in every figure.
        title: a name for those who cannot see it.
        description: what it shows.
    """
    text = content.decode()
    body = text[text.index("<svg") :]
    head, _, rest = body.partition(">")
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    rest = _MARK.sub(r'data-\1="\2"', rest)
    rest = _ID.sub(lambda found: found[1] + prefix, rest)
    rest = re.sub(r'( d|points|transform)="[^"]*"', lambda found: _NUMBER.sub(_rounded, found[0]), rest)
    on_paper = _ON_COLOUR.search(rest) is not None
    if not on_paper:
        for colour, variable in _COLOURS.items():
            rest = rest.replace(f": {colour}", f": {variable}")
    size = _SIZE.search(head)
    assert size is not None, "matplotlib writes width and height in points"
    width, height = (round(float(points) * 4 / 3, 1) for points in size.groups())  # in CSS pixels
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    ground = 'class="paper" ' if on_paper else ""
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]} '
        f'width="{width:g}" height="{height:g}" {ground}role="img" '
        f'aria-labelledby="{escape(prefix)}title '
        f'{escape(prefix)}desc"><title id="{escape(prefix)}title">{escape(title)}</title>'
        f'<desc id="{escape(prefix)}desc">{escape(description)}</desc>{rest.strip()}'
    )


def _rounded(number: re.Match[str]) -> str:
    """To a hundredth of a point, where it is 1 or more: finer than any screen, and half the size."""
    value = float(number[0])
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"
