"""`report.html`: the report as one page that asks for nothing, small enough to be mailed."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2
from markupsafe import Markup, escape

from bottleneck_lab.report.document import Code, Content, Link, Picture, Span, Strong
from bottleneck_lab.report.writers.svg import inline_svg
from bottleneck_lab.report.writers.template import environment

LARGEST_PAGE = 3_000_000  # bytes


def report_page(content: Content, drawings: Mapping[str, bytes], largest: int = LARGEST_PAGE) -> str:
    """The page with its figures in it.

    Where it would be larger than `largest` bytes, the largest figures are links to their files instead, as
    few as will do.

    Args:
        content: what it says.
        drawings: the SVG of every picture in it, by stem.
        largest: bytes.
    """
    pictures = [
        block for section in content.sections for block in section.blocks if isinstance(block, Picture)
    ]
    inline = {
        picture.stem: inline_svg(
            drawings[picture.stem], f"figure{place}-", picture.alt, f"{picture.caption} {_TABLES}"
        )
        for place, picture in enumerate(pictures)
    }
    template = page_template("report.html.j2")
    page = template.render(content=content, drawings=inline)
    while len(page.encode()) > largest and inline:
        del inline[max(inline, key=lambda stem: len(inline[stem]))]
        page = template.render(content=content, drawings=inline)
    return page


_TABLES = "The numbers are in the tables of this page."


def page_template(name: str) -> jinja2.Template:
    """The template of a page: nothing that comes from a file is markup."""
    made = environment(autoescape=True)
    made.filters["spans"] = spans
    return made.get_template(name)


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
