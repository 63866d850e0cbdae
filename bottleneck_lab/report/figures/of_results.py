"""Every figure of a results folder, drawn from what is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from bottleneck_lab.report.figures.budget import budget_figure
from bottleneck_lab.report.figures.curves.accuracy import accuracy_against_facet, accuracy_curves
from bottleneck_lab.report.figures.curves.cost import accuracy_against_madds
from bottleneck_lab.report.figures.curves.measures import measure_curves
from bottleneck_lab.report.figures.curves.paper import curves_beside_paper
from bottleneck_lab.report.figures.heat_map import accuracy_map
from bottleneck_lab.report.figures.predictions import predictions_figure
from bottleneck_lab.report.figures.tuning import tuning_figure
from bottleneck_lab.report.reading.results import Results


@dataclass(frozen=True)
class Drawn:
    """A figure, the stem of its files (`curves-cifar10`), and what it shows for those who cannot see it."""

    stem: str
    alt: str
    figure: Figure


def figures_of(results: Results, summary: dict[str, Any], dataset: str) -> Iterator[Drawn]:
    """What there is to show of one data set of an ablation, in the order of a report."""
    part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
    facet = results.plan["ablation"]["parts"][part]["facet"]
    drawn = {
        "accuracy": (accuracy_against_facet(results, summary, dataset), f"Accuracy on {dataset} by {facet}"),
        "budget": (budget_figure(results, summary, dataset), f"Gap and time stretch on {dataset} by length"),
        "tuning": (tuning_figure(results, dataset), f"What was chosen on {dataset}, and by which trials"),
        "predictions": (
            predictions_figure(summary, dataset),
            f"Measured against predicted losses on {dataset}",
        ),
        "heatmap": (accuracy_map(results, summary, dataset), f"Map of accuracy on {dataset}"),
        "madds": (accuracy_against_madds(results, summary, dataset), f"Accuracy on {dataset} by MAdds"),
        "curves": (accuracy_curves(results, dataset), f"Accuracy on {dataset} by epoch"),
        "paper": (
            curves_beside_paper(results, dataset),
            f"Accuracy on {dataset} over training, beside the paper's",
        ),
        "measures": (measure_curves(results, summary, dataset), f"Measures on {dataset} by epoch"),
    }
    for name, (figure, alt) in drawn.items():
        if figure is not None:
            yield Drawn(f"{name}-{dataset}", alt, figure)
