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
    """A figure that lies beside the report as `stem`.svg and `stem`.png, and what it shows in words.

    It is `of_runs`, unless it is the same whatever was trained.
    """

    stem: str
    alt: str
    caption: str
    of_runs: bool = True
    kind: str = "picture"


@dataclass(frozen=True)
class Listing:
    """Lines that are to be copied as they are, and what they are."""

    id: str
    title: str
    text: str
    kind: str = "listing"


@dataclass(frozen=True)
class Bar:
    """One claim in a forest: numbers in the unit of its axis, and the same in words.

    Args:
        name: a short one, of letters, digits and underscores.
        statement: the claim.
        verdict: how it came out; `open` says that this may change.
        estimate: its contrast; `low` and `high` are its interval, both None without one.
        seeds: every seed and its contrast.
        margin: what is smaller does not matter.
        paper: the same contrast in the paper.
        predicted: what hypotheses predicted, by name.
        found: estimate and interval in words.
        more: what else to say: the paper's number, what it takes to decide an open claim.
    """

    name: str
    statement: str
    verdict: str
    open: bool
    estimate: float | None
    low: float | None
    high: float | None
    seeds: tuple[tuple[int, float], ...]
    margin: float
    paper: float | None
    predicted: tuple[tuple[str, float], ...]
    found: str
    more: tuple[str, ...]

    @property
    def ends(self) -> tuple[float, ...]:
        """Everything of it that has a place on the axis, but for margin and seeds."""
        known = (self.estimate, self.low, self.high, self.paper, *(points for _, points in self.predicted))
        return tuple(each for each in known if each is not None)


@dataclass(frozen=True)
class Forest:
    """Claims above each other on one axis, what the axis is of, and where 0 lies on it."""

    dataset: str
    title: str
    unit: str
    bars: tuple[Bar, ...]
    kind: str = "forest"

    @property
    def axis(self) -> tuple[float, float]:
        """The ends of the axis: 0 and everything that has a place on it, with some room."""
        every = [end for bar in self.bars for end in (*bar.ends, *(value for _, value in bar.seeds))]
        low, high = min([0.0, *every]), max([0.0, *every])
        room = 0.04 * (high - low) or 1.0
        return low - room, high + room


@dataclass(frozen=True)
class Thumb:
    """A small picture: its PNG in base64, what it is in words, and a name to stand below it."""

    png: str
    alt: str
    name: str


@dataclass(frozen=True)
class Thumbs:
    """Small pictures beside each other, for pages alone."""

    title: str
    thumbs: tuple[Thumb, ...]
    kind: str = "thumbs"


Block = Text | Note | Bullets | Table | Picture | Listing | Forest | Thumbs


@dataclass(frozen=True)
class Section:
    """A heading (level 2, or 3 within the one before it) and what stands below it.

    Args:
        folded: whether a page shows no more than the heading until it is asked for the rest.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
    level: int = 2
    folded: bool = False


@dataclass(frozen=True)
class Content:
    """A report: what was asked, how it came out in a few sentences, and the sections below."""

    name: str
    tier: str
    question: str
    answer: tuple[Block, ...]
    sections: tuple[Section, ...]
