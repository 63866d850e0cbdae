"""What `bench` leaves as JSON, and its form where it is read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field

from bottleneck_lab.instruments.bench.costs import (
    AS_BUILT,
    PLAIN,
    NetworkCost,
    SplitCost,
    TrainingCost,
)
from bottleneck_lab.records.provenance import environment

ENVIRONMENT = ("bottleneck_lab", "commit", "python", "torch", "cpu", "threads")  # what times depend on


@dataclass(frozen=True)
class Networks:
    """`networks.json`, as far as it is drawn."""

    rows: Annotated[tuple[NetworkCost, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Split:
    """`split.json`, as far as it is drawn."""

    rows: Annotated[tuple[SplitCost, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        if missing := {AS_BUILT, PLAIN} - {cost.way for cost in self.rows}:
            raise ValueError(f"no row is of the way {missing.pop()!r}")


@dataclass(frozen=True)
class Training:
    """`training.json`, as far as it is drawn."""

    rows: Annotated[tuple[TrainingCost, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        places = self.rows[0].counted_bytes.keys()
        counts = [counted for cost in self.rows for counted in (cost.kept_bytes, cost.counted_bytes)]
        if any(not places <= counted.keys() for counted in counts):
            raise ValueError("the rows are of networks with other places")


@dataclass(frozen=True)
class NetworksSettings:
    """How networks were timed; `load` is that of the machine before."""

    rounds: int
    load: float


@dataclass(frozen=True)
class TrainingSettings:
    """How training was measured, and of which network."""

    network: str
    width: float
    resolution: int
    batch: int
    rounds: int
    load: float


@dataclass(frozen=True)
class SplitSettings:
    """How execution in parts was measured, and of which network."""

    network: str
    width: float
    resolution: int
    batch: int
    rows: int
    fused: int
    rounds: int
    load: float


AnySettings = NetworksSettings | TrainingSettings | SplitSettings
AnyCost = NetworkCost | SplitCost | TrainingCost


def contents_of(costs: Iterable[AnyCost], how: AnySettings) -> dict[str, object]:
    """The settings of a measurement, where it was made, and its rows."""
    here = environment("cpu")
    return {
        "settings": asdict(how),
        "environment": {key: here[key] for key in ENVIRONMENT},
        "rows": [asdict(cost) for cost in costs],
    }
