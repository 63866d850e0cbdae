"""What several sections say alike."""

from __future__ import annotations

from bottleneck_lab.records.results.summary import ClaimFinding, VariantFinding
from bottleneck_lab.report.document import Cell
from bottleneck_lab.report.sentences import numbers


def oneline(text: str) -> str:
    """Text in one line, whatever lines a file has it in."""
    return " ".join(text.split())


def count(value: int | None) -> Cell:
    """A number of things."""
    return Cell(numbers.DASH) if value is None else Cell(f"{value:,}", value)


def seeds_of(row: VariantFinding | ClaimFinding) -> str:
    """For how many seeds there is a number; and of how many, where some are missing."""
    few = row.n_seeds != row.n_planned
    return f"{row.n_seeds} of {row.n_planned}" if few else str(row.n_seeds)
