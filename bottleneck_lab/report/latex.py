"""`report.tex`: text that pdflatex takes as it is, and tables that fit the page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bottleneck_lab.report.content import Cell, Code, Link, Span, Strong, Table

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


def columns(table: Table) -> str:
    """The columns of a `longtable`: as they are where they fit, else as wide as the page together.

    There a column has what its longest word needs; what is left goes to those whose text is longest.
    """
    texts = [
        [column.name, *(f"{row[place].verdict or ''}{row[place].text}*" for row in table.rows)]
        for place, column in enumerate(table.columns)
    ]
    least = [max(min(len(word), _LONGEST) for text in each for word in text.split() or "-") for each in texts]
    whole = [max(map(len, each)) for each in texts]
    if sum(whole) + 2 * len(whole) < _SURE_TO_FIT:
        return "".join("r" if column.number else "l" for column in table.columns)
    room = max(0.0, _PER_LINE - sum(least))
    more = [max(0, long - short) ** 0.7 for long, short in zip(whole, least, strict=True)]
    got = [short + room * part / (sum(more) or 1.0) for short, part in zip(least, more, strict=True)]
    total = sum(got)
    return "".join(
        f">{{\\{'raggedleft' if column.number else 'raggedright'}\\arraybackslash}}"
        f"p{{\\dimexpr {width / total:.4f}\\linewidth-2\\tabcolsep\\relax}}"
        for column, width in zip(table.columns, got, strict=True)
    )


_SURE_TO_FIT = 85
_PER_LINE = 120.0  # characters of the smallest type across a page


def size(table: Table) -> str:
    """The size of type that a table of so many columns is set in."""
    return r"\scriptsize" if len(table.columns) > 6 else r"\footnotesize"
