"""What `bridge` leaves as JSON and CSV, and its form where it is read again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from bottleneck_lab.instruments.bridge.blocks import Bridge

Width = Annotated[float, Field(gt=0)]  # of channels, on a logarithmic axis


class Row(TypedDict):
    """A block of a variant in one state, means over seeds, as far as it is drawn."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    dataset: str
    variant: str
    projection: str
    state: str
    block: int
    width: Width
    accuracy: float
    expansion_lost: float | None
    lost: float
    clipped_low: float
    clipped_high: float
    rank_after: float
    probe: float
    probe_lost: float | None


class Compared(TypedDict):
    """A variant beside its linear counterpart, as far as it is drawn."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    dataset: str
    variant: str
    accuracy_lost: float
    ci_low: float | None
    ci_high: float | None
    mean_width: Width


@dataclass(frozen=True)
class Drawn:
    """`bridge.json`, as far as it is drawn."""

    rows: Annotated[list[Row], Field(min_length=1)]
    comparisons: list[Compared]

    def __post_init__(self) -> None:
        variants = {(row["dataset"], row["variant"]) for row in self.rows}
        trained = {(row["dataset"], row["variant"]) for row in self.rows if row["state"] == "trained"}
        if variants != trained:
            raise ValueError("a variant has no row of its trained network")
        for compared in self.comparisons:
            if (compared["dataset"], compared["variant"]) not in variants:
                raise ValueError(f"a comparison is of {compared['variant']!r}, which has no rows")
            if (compared["ci_low"] is None) != (compared["ci_high"] is None):
                raise ValueError("an interval has one end")


def contents_of(found: Bridge, images: int | None) -> dict[str, Any]:
    """How many images were looked at, all that is printed and drawn, and every block, seed by seed."""
    return {"images": images, **found.contents(), "runs": [asdict(block) for block in found.blocks]}
