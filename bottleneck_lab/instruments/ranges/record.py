"""What `quantise` leaves as JSON, and its form where it is drawn again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from bottleneck_lab.instruments.trained import TrainedRun
    from bottleneck_lab.quantise.table import Integers, Reach, Row, Subject


@dataclass(frozen=True)
class Layer:
    """Where the channels of a layer reach, 0 to 1 of its grid."""

    of: str
    layer: str
    reach: list[float]


@dataclass(frozen=True)
class Ranges:
    """`ranges.json`, as far as it is drawn."""

    layers: Annotated[list[Layer], Field(min_length=1)]


def contents_of(
    run: TrainedRun, subject: Subject, rows: Sequence[Row], integers: Integers | str, layers: Sequence[Reach]
) -> dict[str, object]:
    """The run, how right it is as it is and by each way to round, the check in integers, and every range."""
    return {
        "run": json.loads(run.settings.model_dump_json()),
        "images": len(subject.logits),
        "accuracy": subject.accuracy,
        "rows": [asdict(row) for row in rows],
        "integers": integers if isinstance(integers, str) else asdict(integers),
        "layers": [
            {**asdict(layer), "reach": [float(f"{each:.4g}") for each in layer.reach()]} for layer in layers
        ],
    }
