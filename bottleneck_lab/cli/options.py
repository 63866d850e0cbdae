"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab import seeds
from bottleneck_lab.errors import LabError

Out = Annotated[Path, typer.Option("--out", help="Folder for results; they go to OUT/NAME/TIER.")]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with CIFAR's binary files (or $BOTTLENECK_LAB_DATA)."),
]

Include = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH", help="A Python file (or folder of them) that adds to the lab (repeat for more)."
    ),
]


def parse_seeds(text: str | None) -> list[int] | None:
    """Read `--seeds`: `5` is the first five (0 to 4), `10-14` or `3,7,8` are just these.

    Raises:
        LabError: anything else.
    """
    if text is None:
        return None
    try:
        ranges = (
            [_range(f"0-{int(text) - 1}")]
            if text.strip().isdecimal()
            else [_range(item) for item in text.split(",")]
        )
    except ValueError:
        ranges = []
    if not ranges or not all(0 < len(numbers) <= seeds.MOST for numbers in ranges):
        raise LabError(f"--seeds {text}: give a number (5: seeds 0 to 4), a range (10-14) or a list (3,7,8)")
    return list(dict.fromkeys(seed for numbers in ranges for seed in numbers))


def _range(item: str) -> range:
    first, dash, last = item.strip().partition("-")
    numbers = range(int(first), int(last if dash else first) + 1)
    if numbers.stop > seeds.LARGEST:
        raise ValueError
    return numbers


def make_folder(out: Path) -> None:
    """Make the folder of an `--out` before anything long is begun.

    Raises:
        LabError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"--out {out}: {error.strerror}") from None
