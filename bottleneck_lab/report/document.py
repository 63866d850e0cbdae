"""A document: sections of text, tables and figures; writers dress it, so that no two disagree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A name of a file or setting."""

    text: str


@dataclass(frozen=True)
class Strong:
    """What nobody may overlook."""

    text: str


@dataclass(frozen=True)
class Link:
    """The file beside the report, or the address, that a text leads to."""

    text: str
    href: str


Span = str | Code | Strong | Link


@dataclass(frozen=True)
class Cell:
    """One cell: as it is read, the number it sorts by, whether it may change, and the verdict that it is."""

    text: str
    value: float | None = None
    open: bool = False
    verdict: str | None = None


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers stand to the right."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for every column, and what they are of."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    spans: tuple[Span, ...]
    kind: str = "text"


@dataclass(frozen=True)
class Note:
    """A paragraph that nobody may overlook, and the word that it begins with."""

    word: str
    text: str
    kind: str = "note"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[tuple[Span, ...], ...]
    kind: str = "bullets"


@dataclass(frozen=True)
class Picture:
    """A figure that lies beside the report as `stem`.svg and `stem`.png, and what it shows in words."""

    stem: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Listing:
    """Lines that are to be copied as they are, and what they are."""

    id: str
    title: str
    text: str
    kind: str = "listing"


Block = Text | Note | Bullets | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """A heading (level 2, or 3 within the one before it) and what stands below it."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True)
class Content:
    """A report: what was asked, how it came out, and the sections below."""

    name: str
    tier: str
    question: str
    preamble: tuple[Block, ...]
    sections: tuple[Section, ...]
