"""What `collapse` leaves as JSON, and the result that its figures are drawn again from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from bottleneck_lab.instruments.collapse.measure import (
    MEASURES,
    Band,
    Collapse,
    CollapseResult,
    measure_collapse,
)
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.manifold.invertibility import bounds_of_mobilenet_blocks
from bottleneck_lab.manifold.shapes import make_shape

_DIGITS = 5  # of the coordinates that are drawn, which is finer than any figure


def contents_of(result: CollapseResult, settings: Mapping[str, Any]) -> dict[str, Any]:
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


def result_in(contents: Mapping[str, Any]) -> CollapseResult:
    """The result that such contents are of; points to as many digits as there are."""
    outputs = contents["drawn"]["outputs"]
    return CollapseResult(
        points=contents["settings"]["points"],
        activation=contents["settings"]["activation"],
        drawn=np.array(contents["drawn"]["input"]).T,
        of_input=contents["input"],
        collapses=tuple(map(_collapse, contents["rows"], outputs)),
    )


def measured_again(contents: Mapping[str, Any]) -> CollapseResult:
    """The measurement itself, made anew from its settings.

    Raises:
        LabError: it was of points in a file that is no longer there.
    """
    settings, rows = contents["settings"], contents["rows"]
    return measure_collapse(
        make_shape(settings["shape"], settings["points"], settings["seed"]),
        [row["dim"] for row in rows],
        embedding=settings["embedding"],
        bias=settings["bias"],
        activation=settings["activation"],
        trials=rows[0]["trials"],
        seed=settings["seed"],
    )


def _collapse(row: Mapping[str, Any], output: list[list[float]]) -> Collapse:
    named = {field.name: row[field.name] for field in fields(Collapse) if field.name in row}
    bands = {name: Band(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in MEASURES}
    return Collapse(**named, bands=bands, output=np.array(output).T)


def _coordinates(points: FloatArray) -> list[list[float]]:
    largest = float(np.abs(points).max()) or 1.0
    decimals = _DIGITS - 1 - math.floor(math.log10(largest))
    rounded: list[list[float]] = points.T.round(decimals).tolist()
    return rounded
