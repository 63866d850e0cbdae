"""Every figure of a results folder, drawn from what is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.figures.budget import budget_figure
from bottleneck_lab.report.figures.curves.accuracy import accuracy_against_facet, accuracy_curves
from bottleneck_lab.report.figures.curves.cost import accuracy_against_madds
from bottleneck_lab.report.figures.curves.differences import accuracy_differences
from bottleneck_lab.report.figures.curves.measures import measure_curves
from bottleneck_lab.report.figures.curves.paper import curves_beside_paper
from bottleneck_lab.report.figures.heat_map import accuracy_map
from bottleneck_lab.report.figures.predictions import predictions_figure
from bottleneck_lab.report.figures.profiles import profiles_figure
from bottleneck_lab.report.figures.regions import regions_figure
from bottleneck_lab.report.figures.tuning import tuning_figure
from bottleneck_lab.report.reading.results import Results


@dataclass(frozen=True)
class Drawn:
    """A figure, the stem of its files (`curves-cifar10`), and what it shows for those who cannot see it."""

    stem: str
    alt: str
    figure: Figure


@dataclass(frozen=True)
class Kind:
    """A figure that results may have.

    Args:
        shows: what it shows, with `{dataset}` and `{facet}` to fill in.
        draw: draws it from results, their summary and a data set; None where there is nothing to draw.
    """

    shows: str
    draw: Callable[[Results, Summary, str], Figure | None]

    def alt(self, results: Results, dataset: str) -> str:
        """What it shows of a data set."""
        return self.shows.format(dataset=dataset, facet=results.plan.part_on(dataset).facet)


# In the order of a report.
FIGURES = {
    "accuracy": Kind("Accuracy on {dataset} by {facet}", accuracy_against_facet),
    "budget": Kind("Gap and time stretch on {dataset} by length", budget_figure),
    "predictions": Kind(
        "Measured against predicted losses on {dataset}",
        lambda _, summary, dataset: predictions_figure(summary, dataset),
    ),
    "heatmap": Kind("Map of accuracy on {dataset}", accuracy_map),
    "regions": Kind(
        "Classes that networks of two variants give to points of {dataset}, seed by seed",
        lambda results, _, dataset: regions_figure(results, dataset),
    ),
    "curves": Kind(
        "Accuracy on {dataset} beside that of the reference, by epoch",
        lambda results, _, dataset: (
            accuracy_differences(results, dataset) or accuracy_curves(results, dataset)
        ),
    ),
    "madds": Kind("Accuracy on {dataset} by MAdds", accuracy_against_madds),
    "paper": Kind(
        "Accuracy lost on {dataset} over training, beside what the paper's networks lose",
        lambda results, _, dataset: curves_beside_paper(results, dataset),
    ),
    "measures": Kind("Measures on {dataset} by epoch", measure_curves),
    "profiles": Kind("Measures on {dataset} block by block", profiles_figure),
    "tuning": Kind(
        "What was chosen on {dataset}, and by which trials",
        lambda results, _, dataset: tuning_figure(results, dataset),
    ),
}


def figures_of(results: Results, summary: Summary, dataset: str) -> Iterator[Drawn]:
    """What there is to show of one data set of an ablation, in the order of a report."""
    for name, kind in FIGURES.items():
        if (figure := kind.draw(results, summary, dataset)) is not None:
            yield Drawn(f"{name}-{dataset}", kind.alt(results, dataset), figure)
