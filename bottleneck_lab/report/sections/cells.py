"""What several sections say alike."""

from __future__ import annotations

from typing import Any

from bottleneck_lab.report.document import Cell
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import numbers


def oneline(text: str) -> str:
    """Text in one line, whatever lines a file has it in."""
    return " ".join(text.split())


def count(value: int | None) -> Cell:
    """A number of things."""
    return Cell(numbers.DASH) if value is None else Cell(f"{value:,}", value)


def seeds_of(row: dict[str, Any]) -> str:
    """For how many seeds there is a number; and of how many, where some are missing."""
    few = row["n_seeds"] != row["n_planned"]
    return f"{row['n_seeds']} of {row['n_planned']}" if few else str(row["n_seeds"])


def draws_points(results: Results, dataset: str) -> bool:
    """Whether every seed has points of its own; networks for points are toys."""
    first = next(v for v in results.plan["variants"] if v["dataset"] == dataset)
    return bool(first["settings"]["model"].get("family") == "toy")


def part_of(results: Results, dataset: str) -> dict[str, Any]:
    """The part of the ablation that a data set belongs to, as the plan has it."""
    part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
    shape: dict[str, Any] = results.plan["ablation"]["parts"][part]
    return shape
