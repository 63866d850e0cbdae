"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab.errors import LabError

MOST_SEEDS = 10_000
LARGEST_SEED = 2**63 - 1

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
    if not ranges or not all(0 < len(numbers) <= MOST_SEEDS for numbers in ranges):
        raise LabError(f"--seeds {text}: give a number (5: seeds 0 to 4), a range (10-14) or a list (3,7,8)")
    return list(dict.fromkeys(seed for numbers in ranges for seed in numbers))


def _range(item: str) -> range:
    first, dash, last = item.strip().partition("-")
    numbers = range(int(first), int(last if dash else first) + 1)
    if numbers.stop > LARGEST_SEED:
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


def check_drawing() -> None:
    """Draw a little before anything long is begun, so that what is wrong with it shows in time.

    Raises:
        LabError: matplotlib cannot be used, as with a damaged matplotlibrc.
    """
    try:
        from bottleneck_lab.report.drawing.style import drawn_bytes, styled, subplots

        with styled():
            figure, _ = subplots(figsize=(1, 1))
        drawn_bytes(figure)
    except Exception as error:  # whatever it stumbles over, the figures at the end would do so, too
        raise LabError(
            f"matplotlib cannot draw here, and figures are to be drawn ({type(error).__name__}: {error}); "
            "mend or remove your matplotlibrc (in this folder, in $MATPLOTLIBRC, or in ~/.config/matplotlib)"
        ) from error
