"""One number of the paper beside ours, and whether the two agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Agreement = Literal["agrees", "agrees after rounding", "differs"]


@dataclass(frozen=True)
class Row:
    """What the paper says and what was computed; a `note` gives the reason of a difference.

    Args:
        table: the table, figure or section of the paper, such as `Table 3`.
        row: what is compared.
        paper: the paper's value, as it prints it.
        ours: the computed value, with a digit more than the paper's where there is one.
        agrees: whether they are the same, the same after rounding, or differ.
        note: why they differ, or how it was rounded; empty where there is nothing to say.
    """

    table: str
    row: str
    paper: str
    ours: str
    agrees: Agreement
    note: str = ""


def same(table: str, row: str, paper: str, ours: str, note: str = "") -> Row:
    """A row of texts, which agree where they are equal; the note is for where they are not."""
    agrees: Agreement = "agrees" if paper == ours else "differs"
    return Row(table, row, paper, ours, agrees, note if agrees == "differs" else "")


def close(table: str, row: str, paper: str, ours: float, note: str = "", *, zeros_round: bool = False) -> Row:
    """A row of numbers, which agree as `agreement` says; the note is for where they do not."""
    agrees = agreement(paper, ours, zeros_round=zeros_round)
    if agrees == "differs":
        return Row(table, row, paper, shown(ours, paper), agrees, note)
    nearest = abs(Decimal(ours) - Decimal(paper)) * 2 <= last_place(paper, zeros_round=zeros_round)
    rounding = "" if nearest else "Cut off, not rounded." if ours > float(paper) else "Rounded up."
    return Row(table, row, paper, shown(ours, paper), agrees, rounding)


def agreement(paper: str, ours: float, *, zeros_round: bool = False) -> Agreement:
    """Whether `ours` is the printed number, or lies less than one unit of its last place from it.

    That allows rounding up and cutting off besides rounding to the nearest: the paper does all three.
    """
    difference = abs(Decimal(ours) - Decimal(paper))
    if difference == 0:
        return "agrees"
    within = difference < last_place(paper, zeros_round=zeros_round)
    return "agrees after rounding" if within else "differs"


def last_place(printed: str, *, zeros_round: bool = False) -> Decimal:
    """The unit of a printed number's last place; with `zeros_round` zeros at its end are no places.

    >>> last_place("3.4"), last_place("1600"), last_place("1600", zeros_round=True)
    (Decimal('0.1'), Decimal('1'), Decimal('1E+2'))
    """
    number = Decimal(printed)
    exponent = (number.normalize() if zeros_round else number).as_tuple().exponent
    assert isinstance(exponent, int), "no paper prints NaN"
    return Decimal(1).scaleb(exponent)


def shown(ours: float, paper: str) -> str:
    """Our number with one digit more than the paper's; a whole number, where the paper's is, as it is."""
    places = len(paper.partition(".")[2])
    if math.isclose(ours, round(ours, places), abs_tol=1e-12):
        return f"{ours:.{places}f}"
    return f"{ours:.{places + 1}f}"
