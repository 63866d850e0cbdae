"""`report.tex`: text that pdflatex takes as it is, and tables that fit the page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bottleneck_lab.report.document import Bar, Cell, Code, Forest, Link, Span, Strong, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # else an argument of the \\ before it
    "]": "{]}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "{-}",  # no ligature: two of them are an option, not a dash
    "*": r"\textasteriskcentered{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{SOFT HYPHEN}": "",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{RIGHT SINGLE QUOTATION MARK}": r"\textquoteright{}",
    "\N{LEFT SINGLE QUOTATION MARK}": r"\textquoteleft{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": r"\textquotedblleft{}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": r"\textquotedblright{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{RIGHTWARDS ARROW}": r"\ensuremath{\rightarrow}",
    "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\leq}",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\geq}",
}
_LATIN_1 = range(0xA1, 0x100)
_LONGEST = 18  # characters of a word that a narrow column holds in one line


def escape(text: str) -> str:
    """Text as pdflatex prints it: nothing in it is a command.

    A character that the fonts may not have is named by its number, `[U+03B8]`; one that is for machines is
    a space. Words that no column would hold may be broken.
    """
    return re.sub(r"\S+", lambda word: _word(word[0]), _printable(text))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c in _SPECIAL else " " for c in text)


def _word(word: str) -> str:
    escaped = [_character(c) for c in word]
    if len(word) <= _LONGEST:
        return "".join(escaped)
    return r"\allowbreak{}".join("".join(escaped[at : at + 6]) for at in range(0, len(escaped), 6))


def _character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    known = ord(c) < 0x7F or ord(c) in _LATIN_1
    return c if known else f"{{[}}U+{ord(c):04X}{{]}}"


def spans(parts: Sequence[Span]) -> str:
    """A paragraph."""
    return "".join(map(_span, parts))


def _span(part: Span) -> str:
    if isinstance(part, str):
        return escape(part)
    if isinstance(part, Link):
        return escape(part.text)  # a file beside the report: nothing that a printed page could follow
    command = {Code: "texttt", Strong: "textbf"}[type(part)]
    return f"\\{command}{{{escape(part.text)}}}"


def cell(content: Cell) -> str:
    """One cell of a table; a number that may change has a star, a verdict is bold."""
    mark = r"\textasteriskcentered{}" if content.open else ""
    if content.verdict is None:
        return escape(content.text) + mark
    return f"\\textbf{{{escape(content.verdict)}}}{mark}{escape(content.text)}"


def bar(drawn: Bar, forest: Forest) -> str:
    """A claim on the axis of its forest: interval, estimate, 0, and the paper's number as a diamond."""
    low, high = forest.axis

    def at(value: float) -> str:
        return f"{_AXIS * (value - low) / (high - low):.1f}"

    marks = [rf"\put({at(0.0)},-4){{\line(0,1){{8}}}}"]
    if drawn.low is not None and drawn.high is not None:
        length = f"{_AXIS * (drawn.high - drawn.low) / (high - low):.1f}"
        marks.append(rf"\put({at(drawn.low)},0){{\line(1,0){{{length}}}}}")
    for _, points in drawn.predicted:
        marks.append(rf"\put({at(points)},-5){{\makebox(0,0){{$\triangle$}}}}")
    if drawn.paper is not None:
        marks.append(rf"\put({at(drawn.paper)},0){{\makebox(0,0){{$\diamond$}}}}")
    if drawn.estimate is not None:
        marks.append(rf"\put({at(drawn.estimate)},0){{\circle*{{4}}}}")
    return rf"\begin{{picture}}({_AXIS:g},8)(0,-3){''.join(marks)}\end{{picture}}"


_AXIS = 130.0  # points across


def columns(table: Table) -> str:
    """The columns of a `longtable`: as they are where they fit, else as wide as the page together.

    There a column has what its longest word needs; what is left goes to those whose text is longest.
    """
    points = _points(table)
    cells = [
        [Cell(column.name), *(row[place] for row in table.rows)] for place, column in enumerate(table.columns)
    ]
    least = [points * max(map(_longest_word, each)) + _BETWEEN for each in cells]
    whole = [points * max(map(_width_of, each)) + _BETWEEN for each in cells]
    if sum(whole) < _PAGE:
        return "".join("r" if column.number else "l" for column in table.columns)
    room = max(0.0, _PAGE - sum(least))
    more = [max(0, long - short) ** 0.7 for long, short in zip(whole, least, strict=True)]
    got = [short + room * part / (sum(more) or 1.0) for short, part in zip(least, more, strict=True)]
    total = sum(got)
    return "".join(
        f">{{\\{'raggedleft' if column.number else 'raggedright'}\\arraybackslash}}"
        f"p{{\\dimexpr {width / total:.4f}\\linewidth-2\\tabcolsep\\relax}}"
        for column, width in zip(table.columns, got, strict=True)
    )


_PAGE = 494.0  # points across, 174 mm
_BETWEEN = 6.0  # points between columns, twice \tabcolsep

# Widths in Latin Modern at 7 points as shares of that size, rounded up; larger sizes are narrower.
_WIDTHS = {
    **dict.fromkeys("ijl.,:;'|!I()[]/", 0.4),
    **dict.fromkeys("frts-", 0.51),
    **dict.fromkeys("mw%", 0.95),
    **dict.fromkeys("MW@", 1.1),
}
_CAPITAL, _OTHER = 0.87, 0.62
_BOLD = 1.15  # times as wide


def _width(text: str) -> float:
    return sum(_WIDTHS.get(c, _CAPITAL if c.isupper() else _OTHER) for c in text)


def _width_of(cell: Cell) -> float:
    """Of what a cell has in one line, in sizes of its type."""
    return _BOLD * _width(cell.verdict or "") + _width(f"{cell.text}{'*' if cell.open else ''}")


def _longest_word(cell: Cell) -> float:
    """The width of what cannot be broken."""
    words = [word[:_LONGEST] for word in f"{cell.text}{'*' if cell.open else ''}".split()]
    verdict = f"{cell.verdict}{'*' if cell.open else ''}" if cell.verdict else ""
    return max([_BOLD * _width(verdict), *map(_width, words)])


def _points(table: Table) -> int:
    return 7 if len(table.columns) > 6 else 8


def size(table: Table) -> str:
    """The size of type that a table of so many columns is set in."""
    return {7: r"\scriptsize", 8: r"\footnotesize"}[_points(table)]
