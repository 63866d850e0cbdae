"""Which class the networks of two variants give to each part of a spiral's plane, seed by seed."""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import ValidationError

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.config.ablations.parts import SEPARATOR
from bottleneck_lab.report.drawing.style import COLOURS, PHONE, is_for_phone, styled, subplots
from bottleneck_lab.report.findings.headline import pairs_of
from bottleneck_lab.report.reading.results import Results

SEEDS, ON_A_PHONE = 6, 3  # the first ones
CELLS = 36  # along each side: of 1,500 points nearly every cell on a spiral then has one
Points = NDArray[np.float64]
Classes = NDArray[np.uint8]


def regions_figure(results: Results, dataset: str) -> Figure | None:
    """A row a variant, a column a seed: the plane in cells, in the colour that most points in it are given.

    Variants are those of the first claim on accuracy that is about two, headline claims before the others;
    seeds the first that both have finished. Points are held-out ones, and cells without any stay white. None
    where points are not those of a spiral in a plane, of as many arms as there are colours, or a network has
    not left what it says of each.
    """
    if not results.plan.draws_points(dataset):
        return None
    claims = sorted(results.plan.part_on(dataset).claims, key=lambda claim: not claim.headline)
    pair = next(pairs_of(results, dataset, claims), None)
    if pair is None:
        return None
    *variants, seeds = pair
    seeds = seeds[: ON_A_PHONE if is_for_phone() else SEEDS]
    said = [[_said(results, dataset, variant, seed) for seed in seeds] for variant in variants]
    with styled():
        width = 0.5 + 1.03 * len(seeds)
        size = min(PHONE, width) if is_for_phone() else width, 2.6
        figure, axes = subplots(2, len(seeds), figsize=size, squeeze=False)
        for row, variant, of_seeds in zip(axes, variants, said, strict=True):
            for panel, seed, found in zip(row, seeds, of_seeds, strict=True):
                if found is None:
                    return None
                points, given, accuracy = found
                _draw(panel, points, given)
                above = f"seed {seed}\n" if variant == variants[0] else ""
                panel.set_title(f"{above}{100 * accuracy:.0f} %", fontsize=8)
            levels = (textwrap.fill(level, 16) for level in variant.split(SEPARATOR))
            row[0].set_ylabel("\n".join(levels), fontsize=7)
    return figure


def _said(results: Results, dataset: str, variant: str, seed: int) -> tuple[Points, Classes, float] | None:
    """Held-out points, the class that the network of a seed gives each, and its accuracy.

    None where they do not agree: of damaged predictions, or points that another torch draws otherwise.
    """
    (run,) = (run for run in results.of(variant, dataset) if run.seed == seed)
    settings, given = _spiral(results, dataset, variant), results.predicted(run)
    if settings is None or given is None or given.size != settings.held_out or run.accuracy is None:
        return None
    from bottleneck_lab.data.spiral import spiral  # which needs torch

    points, arms = spiral(settings, seed, "held_out")
    if not math.isclose((given == arms.numpy()).mean(), run.accuracy, abs_tol=1e-6):
        return None
    return points.double().numpy().round(4), given, run.accuracy


def _spiral(results: Results, dataset: str, variant: str) -> SpiralSettings | None:
    planned = next(each for each in results.plan.on(dataset) if each.name == variant)
    try:
        settings = SpiralSettings.model_validate(planned.settings.data)
    except ValidationError:  # other points, or those of another version
        return None
    return settings if settings.dimensions == 2 and settings.arms <= len(COLOURS) else None


def _draw(panel: Axes, points: Points, given: Classes) -> None:
    edge = 1.05 * max(1.0, float(np.abs(points).max()))
    cell = np.clip(((points / edge + 1) / 2 * CELLS).astype(int), 0, CELLS - 1)
    votes = np.zeros((CELLS, CELLS, len(COLOURS)), dtype=np.int64)
    np.add.at(votes, (cell[:, 1], cell[:, 0], given % len(COLOURS)), 1)
    colours = np.array([to_rgb(colour) for colour in COLOURS])
    image = np.where(votes.sum(axis=2, keepdims=True) > 0, colours[votes.argmax(2)], 1.0)
    panel.imshow(image, origin="lower", interpolation="nearest", extent=(-edge, edge, -edge, edge))
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(visible=False)
    for side in panel.spines.values():
        side.set_visible(False)
