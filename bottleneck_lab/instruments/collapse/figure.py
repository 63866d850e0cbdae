"""Figures of the collapse lab: the panels of Fig. 1, and the collapsed share beside Theorem 1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from bottleneck_lab.instruments.collapse import OF_EVERY_REPORT
from bottleneck_lab.instruments.collapse.record import Left
from bottleneck_lab.instruments.collapse.result import CollapseResult
from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.manifold.activations import FloatArray
from bottleneck_lab.manifold.invertibility import collapsed_in_theory
from bottleneck_lab.manifold.shapes import CURVES
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.document import Picture
from bottleneck_lab.report.drawing.style import COLOURS, styled

_ACROSS = 3
PICTURES, TRIALS = Path(__file__).parent / "pictures", 4  # a few matrices are enough to see both
_PIECES = 80


def collapse_figures(path: Path) -> Figures:
    """Both figures of a `collapse.json`; raises LabError for one of another form."""
    left = read_left(Left, path)
    yield "panels", draw_panels(left.result, curve=left.settings.shape in CURVES)
    yield "collapsed", draw_collapsed(left.result)


def draw_panels(result: CollapseResult, *, curve: bool = False) -> Figure:
    """Fig. 1: the points, and where pinv(T) puts them back after the activation, a panel for each dim.

    Each output is that of the matrix whose scaled pseudo-inverse error is the median of all. A colour is a
    distance from the mean of the input (along a circle, the order of the points), so that it can be followed
    from panel to panel. `curve` joins the points in their order. Of points in more than two dimensions the
    first two coordinates are drawn.
    """
    colour = np.linalg.norm(result.drawn - result.drawn.mean(axis=0), axis=1)
    if np.ptp(colour) < 0.01 * colour.max():
        colour = np.arange(len(colour), dtype=np.float64)
    panels = [("Input", result.drawn)]
    panels += [(f"Output, dim = {collapse.dim}", collapse.output) for collapse in result.collapses]
    across = min(_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    with styled():
        figure = Figure(figsize=(2.3 * across, 2.3 * down))
        grid = np.asarray(figure.subplots(down, across, squeeze=False)).ravel()
        for axes, (title, points) in zip(grid, panels, strict=False):
            _draw_points(axes, points, colour, curve)
            axes.set_title(title, fontsize=9)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        figure.supxlabel("first coordinate", fontsize=8)
        figure.supylabel("second coordinate", fontsize=8)
    return figure


def draw_collapsed(result: CollapseResult) -> Figure:
    """The collapsed share against the number of channels, beside Theorem 1 and the sampling error it implies.

    The grey bars are two standard errors either side of the theorem, where these are known. A share of 0
    has no place on the logarithmic axis; an open triangle stands for it at 1 / (points x matrices), the
    smallest share that could have been seen.
    """
    dims = np.array([collapse.dim for collapse in result.collapses])
    order = np.argsort(dims)
    dims, collapses = dims[order], [result.collapses[k] for k in order]
    share = np.array([collapse.collapsed for collapse in collapses])
    resolution = np.array([1 / (result.points * collapse.trials) for collapse in collapses])
    theory = np.array([collapse.collapsed_theory for collapse in collapses], dtype=float)  # NaN for none
    seen = share > 0
    with styled():
        figure = Figure(figsize=(3.5, 2.8))
        axes = figure.subplots()
        if (theory > 0).all():
            every = np.arange(dims[0], dims[-1] + 1)
            exact = [collapsed_in_theory(int(dim), result.drawn.shape[1]) for dim in every]
            name = "Theorem 1" if result.activation == "relu" else "Theorem 1 (at least)"
            axes.plot(every, exact, color=COLOURS[-1], linewidth=1, label=name)
            errors = [collapse.collapsed_theory_se for collapse in collapses]
            known = np.array([error for error in errors if error is not None])
            if len(known) == len(theory):
                below = np.minimum(2 * known, theory * (1 - 1e-9))  # to the bottom of the axis, but not to 0
                axes.errorbar(
                    dims,
                    theory,
                    yerr=np.stack([below, 2 * known]),
                    fmt="none",
                    ecolor=COLOURS[-1],
                    elinewidth=3,
                    alpha=0.25,
                    label="± 2 standard errors",
                )
        if seen.any():
            axes.plot(dims[seen], share[seen], "o", color=COLOURS[0], label="measured")
        if not seen.all():
            label = "measured: none (here: one)"
            axes.plot(dims[~seen], resolution[~seen], "v", color=COLOURS[0], fillstyle="none", label=label)
        axes.set_yscale("log")
        axes.set_ylim(np.concatenate([theory[theory > 0], resolution]).min() / 5, 1.5)
        axes.set_xlabel("channels (dim)")
        axes.set_ylabel("share of points collapsed")
        figure.legend(loc="outside upper center", ncols=2, fontsize=7)
    return figure


def _draw_points(axes: Axes, points: FloatArray, colour: FloatArray, curve: bool) -> None:
    x, y = points[:, 0], points[:, 1] if points.shape[1] > 1 else np.zeros(len(points))
    if curve:
        # A few dozen pieces of one colour each, not a thousand segments: the SVG is a tenth of the size.
        edges = np.linspace(0, len(x) - 1, min(len(x), _PIECES)).round().astype(np.intp)
        pieces = [np.column_stack([x[a : b + 1], y[a : b + 1]]) for a, b in pairwise(edges)]
        axes.add_collection(LineCollection(pieces, array=colour[edges[1:]], cmap="viridis", linewidths=0.9))
        axes.autoscale_view()
    else:
        axes.scatter(x, y, c=colour, cmap="viridis", s=1.5, linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=5)


def collapse_pictures() -> Iterator[tuple[Picture, dict[str, bytes]]]:
    """The two figures of every report and their files, by suffix: Fig. 1, and the share beside Theorem 1.

    They are the same whatever was trained and take longer than all else of a small report, so they come with
    the package, in `pictures/`; a test draws them and compares.
    """
    said = (
        (
            "A spiral, and what ReLU leaves of it in 2, 3, 5, 15 and 30 channels",
            "What ReLU leaves of a spiral, as in Fig. 1: a typical one of a few random matrices for each "
            "number of channels.",
        ),
        (
            "Share of points that ReLU collapses by number of channels, beside Theorem 1",
            f"The share of points that no longer can be told from others, over {TRIALS} random matrices, "
            "beside Theorem 1.",
        ),
    )
    for stem, (alt, caption) in zip(OF_EVERY_REPORT, said, strict=True):
        content = {suffix: (PICTURES / f"{stem}{suffix}").read_bytes() for suffix in (".svg", ".png")}
        yield Picture(stem, alt, caption, of_runs=False), content
