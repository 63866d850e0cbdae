"""What `collapse` leaves as JSON, and the result that its figures are drawn again from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from bottleneck_lab.instruments.collapse.measure import measure_collapse
from bottleneck_lab.instruments.collapse.result import MEASURES, Band, Collapse, CollapseResult
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.manifold.invertibility import bounds_of_mobilenet_blocks
from bottleneck_lab.manifold.shapes import make_shape
from bottleneck_lab.records.files import read_left

Coordinates = list[list[float]]
_COLUMNS = {field.name for field in fields(Collapse)} - {"bands", "output"} | {
    f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")
}
_DIGITS = 5  # of the coordinates that are drawn, which is finer than any figure


def contents_of(result: CollapseResult, settings: Mapping[str, object]) -> dict[str, object]:
    """Settings, every number, and the coordinates (a list for each) of the points that are drawn."""
    bounds = [
        {**asdict(bound), "last_bound_holds": bound.last_bound_holds}
        for bound in bounds_of_mobilenet_blocks()
    ]
    return {
        "settings": dict(settings),
        "input": result.of_input,
        "rows": result.rows(),
        "log2_bounds_of_mobilenet_blocks": bounds,
        "drawn": {
            "input": _coordinates(result.drawn),
            "outputs": [_coordinates(collapse.output) for collapse in result.collapses],
        },
    }


@dataclass(frozen=True)
class Settings:
    """What was measured, and how."""

    shape: str
    points: int
    embedding: str
    bias: bool
    activation: str
    seed: int


@dataclass(frozen=True)
class Drawn:
    """The points that are drawn, a list for each coordinate: of the input, and of the output for each row."""

    input: Coordinates
    outputs: list[Coordinates]


@dataclass(frozen=True)
class Left:
    """`collapse.json`: what it is drawn and measured again from."""

    settings: Settings
    input: dict[str, float | None]
    rows: Annotated[list[dict[str, int | float | None]], Field(min_length=1)]
    drawn: Drawn

    def __post_init__(self) -> None:
        for row in self.rows:
            if missing := _COLUMNS - row.keys():
                raise ValueError(f"a row has no {min(missing)}")
        for points in (self.drawn.input, *self.drawn.outputs):
            if len({len(coordinate) for coordinate in points}) != 1 or len(points) < 2 or not points[0]:
                raise ValueError("coordinates are missing of points that are drawn")
        if len(self.drawn.outputs) != len(self.rows):
            raise ValueError("a row has no points to draw")

    @property
    def result(self) -> CollapseResult:
        """The result that was left; points to as many digits as there are."""
        return CollapseResult(
            points=self.settings.points,
            activation=self.settings.activation,
            drawn=np.array(self.drawn.input).T,
            of_input=self.input,
            collapses=tuple(map(_collapse, self.rows, self.drawn.outputs)),
        )


def contents_again(path: Path) -> dict[str, object]:
    """What a `collapse.json` should hold: the measurement made anew from its settings.

    Raises:
        LabError: a file of another form, or one of points in a file that is no longer there.
    """
    left = read_left(Left, path)
    settings = left.settings
    result = measure_collapse(
        make_shape(settings.shape, settings.points, settings.seed),
        [int(row["dim"] or 0) for row in left.rows],
        embedding=settings.embedding,
        bias=settings.bias,
        activation=settings.activation,
        trials=int(left.rows[0]["trials"] or 0),
        seed=settings.seed,
    )
    return contents_of(result, asdict(settings))


def _collapse(row: Mapping[str, Any], output: list[list[float]]) -> Collapse:
    named = {field.name: row[field.name] for field in fields(Collapse) if field.name in row}
    bands = {name: Band(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in MEASURES}
    return Collapse(**named, bands=bands, output=np.array(output).T)


def _coordinates(points: FloatArray) -> list[list[float]]:
    largest = float(np.abs(points).max()) or 1.0
    decimals = _DIGITS - 1 - math.floor(math.log10(largest))
    rounded: list[list[float]] = points.T.round(decimals).tolist()
    return rounded
