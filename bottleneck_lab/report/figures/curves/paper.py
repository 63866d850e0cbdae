"""The paper's curves beside ours: accuracy over training, and how far variants stay below the reference."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.report.drawing.lines import Look, Values, legend, look, mean_line
from bottleneck_lab.report.drawing.style import COLOURS, styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import accuracy_band, mean_band, paired_contrast

Points = list[tuple[float, float]]  # how far training was, and a percentage or percentage points


def curves_beside_paper(results: Results, dataset: str) -> Figure | None:
    """Ours to the left, the paper's to the right: accuracy above, and below it what is lost to the reference.

    Only the variants of which the paper has a curve. Ours are means over seeds with 95 % bands; what is lost
    is the mean of the differences seed by seed. The paper has one run a curve, on its own data: levels of
    accuracy cannot be compared, so they have two scales; losses are in points and have one.

    None where the paper has no curves, or before the reference and another variant have a finished run.
    """
    planned = [v for v in results.plan["variants"] if v["dataset"] == dataset]
    paper = results.plan["ablation"]["parts"][planned[0]["part"]]["paper"]
    if paper is None or paper["curves"] is None:
        return None
    curves: dict[str, Points] = paper["curves"]["top1"]
    reference: str = paper["curves"]["reference"]
    variants = [v for v in planned if v["name"] in curves and results.of(v["name"], dataset)]
    names = [v["name"] for v in variants]
    if reference not in names or len(names) < 2:
        return None
    with styled():
        figure, ((ours, theirs), (our_loss, their_loss)) = subplots(2, 2, figsize=(6.6, 4.8), sharex="col")
        their_loss.sharey(our_loss)
        for variant in variants:
            name, drawn = variant["name"], look(variant, variants)
            accuracies = results.curves(name, dataset).get("accuracy", {})
            mean_line(ours, accuracies, accuracy_band, drawn, name, scale=100)
            _draw(theirs, curves[name], drawn)
            if name != reference:
                losses = _losses(results, dataset, reference, name)
                mean_line(our_loss, losses, mean_band, drawn, name, scale=100)
                _draw(their_loss, _lost(curves[reference], curves[name]), drawn)
        toy = variants[0]["settings"]["model"]["family"] == "toy"
        _label(ours, our_loss, f"ours, {dataset}", "full-batch steps" if toy else "epochs")
        _label(theirs, their_loss, f"the paper, {paper['data']}", paper["curves"]["unit"])
        ours.set_ylabel("held-out accuracy (%)", fontsize=8)
        our_loss.set_ylabel(f"points below\n{reference}", fontsize=8)
        legend(figure, [ours])
    return figure


def _losses(results: Results, dataset: str, reference: str, name: str) -> dict[int, Values]:
    """What a variant loses to the reference (0 to 1) by epoch, one for each seed that both have finished."""
    by_epoch = {of: results.curves(of, dataset).get("accuracy", {}) for of in (reference, name)}
    seeds = {of: [run.seed for run in results.of(of, dataset)] for of in (reference, name)}
    losses = {}
    for epoch in by_epoch[reference].keys() & by_epoch[name].keys():
        values = {of: by_epoch[of][epoch] for of in (reference, name)}
        if all(len(values[of]) == len(seeds[of]) for of in values):  # else it is not known whose they are
            per_seed = {of: dict(zip(seeds[of], values[of].tolist(), strict=True)) for of in values}
            pairs = paired_contrast(per_seed, {reference: 1, name: -1})
            if pairs:
                losses[epoch] = np.array(list(pairs.values()))
    return losses


def _lost(reference: Points, points: Points) -> Points:
    """What a curve of the paper loses to another one, where it has points of both."""
    of_reference = dict(reference)
    return [(time, of_reference[time] - top1) for time, top1 in points if time in of_reference]


def _draw(panel: Axes, points: Points, drawn: Look) -> None:
    """A curve of the paper, of one run: points that are joined, and no band."""
    if points:
        panel.plot(*np.array(points).T, drawn.line, marker=drawn.marker, color=drawn.colour)


def _label(accuracy: Axes, loss: Axes, title: str, unit: str) -> None:
    accuracy.set_title(title, fontsize=9)
    loss.set_xlabel(unit, fontsize=8)
    loss.axhline(0, color=COLOURS[-1], linewidth=0.8)
    loss.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))
