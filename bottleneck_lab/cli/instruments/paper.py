"""`paper`: the paper's own numbers, recomputed."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from bottleneck_lab.instruments.paper import Row

_STYLES = {"agrees": "green", "agrees after rounding": "cyan", "differs": "bold yellow"}


def paper(
    json_: Annotated[bool, typer.Option("--json", help="Print the rows as JSON and nothing else.")] = False,
) -> None:
    """Print every table and countable claim of the paper beside what this project computes.

    Shapes, parameters and MAdds are counted on the networks as they are built here. A number agrees after
    rounding if it is less than one unit of the paper's last place away.
    """
    from bottleneck_lab.instruments.paper import compare_with_paper

    rows = compare_with_paper()
    if json_:
        print(json.dumps([asdict(row) for row in rows], allow_nan=False))
        return
    _print(rows)


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.instruments.paper import CAPTIONS, NOT_COMPUTED

    console = Console(highlight=False)
    for title, group in itertools.groupby(rows, key=lambda row: row.table):
        of_table = list(group)
        notes = list(dict.fromkeys(row.note for row in of_table if row.note))
        say(f"{title}: {CAPTIONS[title]}", style="bold")
        console.print(_table(of_table, notes))
        for number, note in enumerate(notes, start=1):
            say(f"[{number}] {note}", style="dim")
        console.print()
    counts = (f"{sum(row.agrees == mark for row in rows)} {_plural(mark)}" for mark in _STYLES)
    say(f"{len(rows)} numbers: {', '.join(counts)}.", style="bold")
    say(NOT_COMPUTED)


def _plural(mark: str) -> str:
    verb, space, rest = mark.partition(" ")
    return verb.removesuffix("s") + space + rest


def _table(rows: Sequence[Row], notes: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", overflow="fold")
    for name in ("paper", "ours"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        note = f" [{notes.index(row.note) + 1}]" if row.note else ""
        mark = row.agrees.removeprefix("agrees ")
        table.add_row(
            *map(Text, (row.row, row.paper, row.ours)), Text(mark + note, style=_STYLES[row.agrees])
        )
    return table
