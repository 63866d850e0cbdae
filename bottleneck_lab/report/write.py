"""The report of one results folder: a page, Markdown, LaTeX, the numbers and the figures."""

from __future__ import annotations

import warnings
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from bottleneck_lab.instruments.collapse.explorer import explorer_page
from bottleneck_lab.instruments.collapse.figure import collapse_pictures
from bottleneck_lab.records import files
from bottleneck_lab.records.results.summary import Summary, write_summary
from bottleneck_lab.records.results.table import write_table
from bottleneck_lab.report.content import content_of, with_sections
from bottleneck_lab.report.document import Cell, Code, Content, Link, Picture, Span, Strong
from bottleneck_lab.report.drawing.shown import points_of
from bottleneck_lab.report.drawing.style import PHONE, drawn_svg, for_phone, save
from bottleneck_lab.report.figures.of_results import figures_of
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.sections.examples import examples
from bottleneck_lab.report.sentences import plain
from bottleneck_lab.report.writers import latex
from bottleneck_lab.report.writers.characters import forest_lines
from bottleneck_lab.report.writers.html import Drawing, report_page
from bottleneck_lab.report.writers.template import environment


def write_report(folder: Path, refresh: float | None = None) -> tuple[Path, Summary]:
    """Make the report of a results folder from what is on disk.

    Writes `report.html`, `report.md`, `report.tex`, `summary.json`, `results.csv`, `collapse.html` and every
    figure as SVG and PNG; returns the path of `report.md`, and the summary. While runs may go on, a page that
    is open loads itself again every `refresh` seconds; not for None.

    Raises:
        LabError: a folder without a plan, or with packed runs that are damaged.
    """
    results = collect(folder)
    summary = summarise(results)
    write_summary(folder, summary)
    write_table(folder, results.runs)
    files.write_text(folder / "collapse.html", explorer_page())
    pictures: dict[str, list[Picture]] = {}
    drawings: dict[str, Drawing] = {}
    on_phones: dict[str, Drawing] = {}
    for dataset in summary.datasets:
        pictures[dataset] = []
        for drawn in figures_of(results, summary, dataset):
            svg, _ = save(drawn.figure, folder / drawn.stem)
            drawings[drawn.stem] = Drawing(svg.read_bytes(), points_of(drawn.figure))
            pictures[dataset].append(Picture(drawn.stem, drawn.alt, drawn.alt))
        with for_phone():
            for drawn in figures_of(results, summary, dataset):
                if (small := _on_phone(drawn.figure)) is not None:
                    on_phones[drawn.stem] = small
    pictures["collapse"] = []
    for picture, content in collapse_pictures():
        for suffix, written in content.items():
            files.write_bytes(folder / f"{picture.stem}{suffix}", written)
        drawings[picture.stem] = Drawing(content[".svg"])
        pictures["collapse"].append(picture)
    said = content_of(results, summary, pictures)
    page = with_sections(said, tuple(examples(results, summary)))  # images are not at hand everywhere
    again = refresh if goes_on(summary) else None
    files.write_text(folder / "report.html", report_page(page, drawings, on_phones=on_phones, refresh=again))
    for name, text in documents(said).items():
        files.write_text(folder / name, text)
    return folder / "report.md", summary


def _on_phone(figure: Figure) -> Drawing | None:
    """A figure that was drawn for a phone; None where it, or a name in it, is too wide for one."""
    if figure.get_figwidth() > PHONE:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            return Drawing(drawn_svg(figure), points_of(figure))
        except UserWarning:
            return None


def goes_on(summary: Summary) -> bool:
    """Whether there are runs that have not ended."""
    return any(summary.runs.get(status) for status in ("unfinished", "not started"))


def documents(said: Content) -> dict[str, str]:
    """The report as text, by name: `report.md`, and `report.tex`, which needs booktabs and longtable."""
    markdown = _markdown().render(content=said).rstrip() + "\n"
    return {"report.md": markdown, "report.tex": _latex().render(content=said)}


def _markdown() -> jinja2.Template:
    made = environment(autoescape=False)  # Markdown, not HTML
    made.filters.update(
        cell=plain.cell, md=plain.markdown, md_cell=_md_cell, spans=_md_spans, forest=forest_lines
    )
    return made.get_template("report.md.j2")


def _latex() -> jinja2.Template:
    made = environment(
        autoescape=False,  # the filter `tex` escapes
        block_start_string="<%",  # braces are TeX's own
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    made.filters.update(
        drawn=latex.bar,
        tex=latex.escape,
        tex_cell=latex.cell,
        spans=latex.spans,
        columns=latex.columns,
        size=latex.size,
    )
    return made.get_template("report.tex.j2")


def _md_cell(content: Cell) -> str:
    mark = "\\*" if content.open else ""
    if content.verdict is None:
        return plain.cell(content.text) + mark
    rest = plain.cell(content.text)
    return f"**{content.verdict}**{mark}{' ' if rest else ''}{rest}"


def _md_spans(parts: tuple[Span, ...]) -> str:
    return "".join(map(_md_span, parts))


def _md_span(part: Span) -> str:
    if isinstance(part, Code):
        return plain.code(part.text)
    if isinstance(part, Strong):
        return f"**{plain.markdown(part.text)}**"
    if isinstance(part, Link):
        return f"[{plain.markdown(part.text)}]({part.href})"
    return plain.markdown(part)
