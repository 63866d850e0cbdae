"""What a tracker is told, and what it must do. Knows no tracker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class FinishedRun:
    """One run that is done or has diverged, in values that any tracker can take.

    Args:
        id: the hash of its settings, which names its folder.
        name: variant, data set and seed, for people.
        status: `done` or `diverged`.
        settings: by dotted name (`train.learning_rate`); lists as JSON, what is not set left out.
        epochs: by epoch, in order, the numbers of its record (`accuracy`, `measures/below_zero`).
        result: the numbers of its result; no accuracy where it has diverged.
    """

    id: str
    name: str
    status: str
    settings: dict[str, str | int | float | bool]
    epochs: dict[int, dict[str, float]]
    result: dict[str, float]


class Tracker(Protocol):
    """A place for the runs of one results folder. Whatever it raises turns it off, and stops no run.

    Attributes:
        look: how to look at what it holds.
    """

    look: str

    def __init__(self, results: Path) -> None:
        """Open it, or make it, for the results folder of one ablation and tier."""

    def has(self, run_id: str) -> bool:
        """Whether it holds all of this run."""

    def log(self, run: FinishedRun) -> None:
        """Take in a run of which it holds nothing."""

    def forget(self, run_id: str) -> None:
        """Drop whatever it holds of this run, which may be nothing or a half."""
