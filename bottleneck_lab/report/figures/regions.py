"""What networks of two arms make of a spiral, seed by seed: a ReLU in few channels folds its turns."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import ValidationError

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.config.ablations.parts import SEPARATOR
from bottleneck_lab.report.drawing.lettering import plain
from bottleneck_lab.report.drawing.style import COLOURS, is_for_phone, styled, subplots
from bottleneck_lab.report.findings.disagreements import arms_of
from bottleneck_lab.report.reading.results import Results

SEEDS, ON_A_PHONE = 6, 3  # the first ones
CELLS = 36  # along each side: of 1,500 points nearly every cell on a spiral then has one
Points = NDArray[np.float64]
Classes = NDArray[np.uint8]


def regions_figure(results: Results, dataset: str) -> Figure | None:
    """A row an arm, a column a seed: the plane in cells, each in the colour that most points in it are given.

    Arms are those of the first claim on accuracy that is about two, headline claims before the others; seeds
    the first that both have finished. Points are held-out ones, and cells without any stay white. None where
    points are not those of a spiral in a plane, or networks have not left what they say.
    """
    settings = _spiral(results, dataset)
    if settings is None:
        return None
    claims = sorted(results.plan.part_on(dataset).claims, key=lambda claim: not claim.headline)
    pair = next(arms_of(results, dataset, claims), None)
    if pair is None:
        return None
    *arms, seeds = pair
    seeds = seeds[: ON_A_PHONE if is_for_phone() else SEEDS]
    said = {(arm, seed): _said(results, dataset, arm, seed, settings) for arm in arms for seed in seeds}
    if any(each is None for each in said.values()):
        return None
    with styled():
        size = 0.5 + 1.03 * len(seeds), 2.6
        figure, axes = subplots(2, len(seeds), figsize=size, squeeze=False)
        for row, arm in zip(axes, arms, strict=True):
            for panel, seed in zip(row, seeds, strict=True):
                found = said[arm, seed]
                assert found is not None
                _draw(panel, *found)
            row[0].set_ylabel("\n".join(map(plain, arm.split(SEPARATOR))), fontsize=8)
        for panel, seed in zip(axes[0], seeds, strict=True):
            panel.set_title(f"seed {seed}\n{panel.get_title()}", fontsize=8)
    return figure


def _spiral(results: Results, dataset: str) -> SpiralSettings | None:
    if not results.plan.draws_points(dataset):
        return None
    try:
        settings = SpiralSettings.model_validate(results.plan.on(dataset)[0].settings.data)
    except ValidationError:  # other points, or those of another version
        return None
    return settings if settings.dimensions == 2 else None


def _said(
    results: Results, dataset: str, arm: str, seed: int, settings: SpiralSettings
) -> tuple[Points, Classes, float] | None:
    """Held-out points, the class that the network of a seed gives each, and its accuracy."""
    (run,) = (run for run in results.of(arm, dataset) if run.seed == seed)
    given = results.predicted(run)
    if given is None or run.accuracy is None or given.size != settings.held_out:
        return None
    from bottleneck_lab.data.spiral import spiral  # which needs torch

    points, _ = spiral(settings, seed, "held_out")
    return points.double().numpy().round(4), given, run.accuracy


def _draw(panel: Axes, points: Points, given: Classes, accuracy: float) -> None:
    edge = 1.05 * max(1.0, float(np.abs(points).max()))
    cell = np.clip(((points / edge + 1) / 2 * CELLS).astype(int), 0, CELLS - 1)
    votes = np.zeros((CELLS, CELLS, int(given.max()) + 1), dtype=np.int64)
    np.add.at(votes, (cell[:, 1], cell[:, 0], given), 1)
    colours = np.array([to_rgb(COLOURS[kind % len(COLOURS)]) for kind in range(votes.shape[2])])
    image = np.where(votes.sum(axis=2, keepdims=True) > 0, colours[votes.argmax(2)], 1.0)
    panel.imshow(image, origin="lower", interpolation="nearest", extent=(-edge, edge, -edge, edge))
    panel.set_title(f"{100 * accuracy:.0f} %", fontsize=8)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(visible=False)
    for side in panel.spines.values():
        side.set_visible(False)
