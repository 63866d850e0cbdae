"""What `patterns` leaves as JSON, and its form where it is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bottleneck_lab.manifold.positives import PAPER, Positives, State

if TYPE_CHECKING:
    from bottleneck_lab.instruments.trained import TrainedRun


@dataclass(frozen=True)
class Row:
    """The positive channels of one layer in one state, as far as they are drawn."""

    state: State
    channels: Annotated[int, Field(ge=1)]
    threshold: int
    minimum: int
    mean: float
    maximum: int
    deviation: float

    @property
    def positives(self) -> Positives:
        """The numbers alone."""
        return Positives(self.channels, self.threshold, self.minimum, self.mean, self.maximum, self.deviation)


@dataclass(frozen=True)
class Patterns:
    """`patterns.json`, as far as it is drawn."""

    rows: Annotated[tuple[Row, ...], Field(min_length=1)]

    @property
    def measured(self) -> dict[State, list[Positives]]:
        """The layers of each state, in order."""
        found: dict[State, list[Positives]] = {}
        for row in self.rows:
            found.setdefault(row.state, []).append(row.positives)
        return found


def contents_of(run: TrainedRun, images: int, rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The run, on how many images it was looked at, every row, and the paper's numbers."""
    return {
        "run": json.loads(run.settings.model_dump_json()),
        "accuracy": run.accuracy,
        "images": images,
        "rows": list(rows),
        "paper": {state: [asdict(layer) for layer in layers] for state, layers in PAPER.items()},
    }
