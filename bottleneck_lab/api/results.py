"""Results on disk as frames and figures: `bottleneck_lab.read_results`."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottleneck_lab.api.frame import Frame
from bottleneck_lab.config.problems import nearest
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.lenient import Stray
from bottleneck_lab.records.names import PLAN
from bottleneck_lab.records.results.folders import result_folders
from bottleneck_lab.records.results.summary import Summary, VariantFinding
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading import results as reading
from bottleneck_lab.report.reading.collect import collect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def read_results(folder: str | Path) -> Results:
    """Read what an ablation has left: every run, what came out for each variant, and every verdict.

    Nothing is trained. What is damaged, or of another ablation, counts nowhere, and is named in `strays`.

    Args:
        folder: results/NAME/TIER, a folder above that holds one such, or figures/NAME of published results.

    Raises:
        LabError: no results there, or several, or a plan or an archive of runs that is damaged.
    """
    folder = Path(folder)
    if not os.path.exists(folder / PLAN):
        found = result_folders(folder)
        if len(found) > 1:
            names = ", ".join(str(each.relative_to(folder)) for each in found)
            raise LabError(f"{folder}: holds several results; name one of them: {names}")
        if not found:
            raise LabError(f"{folder}: holds no results; give the folder of one tier, as results/NAME/TIER")
        folder = found[0]
    return Results(collect(folder))


class Results:
    """What an ablation has left in a folder. Accuracies are 0 to 1, and so are measures that are shares."""

    def __init__(self, collected: reading.Results) -> None:
        self._collected = collected

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._collected.folder

    @property
    def name(self) -> str:
        """The ablation."""
        return self._summary.ablation

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets that it was run on."""
        return tuple(self._summary.datasets)

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be known of the data before anything is concluded."""
        return tuple(self._summary.notices)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every number of the report, as `summary.json` has it."""
        return self._summary.to_json()

    @cached_property
    def _summary(self) -> Summary:
        return summarise(self._collected)

    @cached_property
    def runs(self) -> Frame:
        """A row for every run that was planned: variant, data set, seed, status, accuracy, loss, measures.

        `run` is its id, as in `results.csv`, and names its folder.
        """
        rows = []
        for run in self._collected.runs:
            row = asdict(run)
            measures = row.pop("measures")
            rows.append({"run" if name == "id" else name: value for name, value in row.items()} | measures)
        return Frame(rows)

    @cached_property
    def variants(self) -> Frame:
        """A row for every variant and data set: its levels, cost, mean accuracy with its 95 % interval.

        A measure has the columns `NAME`, `NAME_low` and `NAME_high`.
        """
        return Frame(_variant(variant) for variant in self._summary.variants)

    @cached_property
    def claims(self) -> Frame:
        """A row for every claim and data set: its statement, estimate, interval and verdict."""
        return Frame(self.summary["claims"])

    @cached_property
    def strays(self) -> Frame:
        """The files that count nowhere, and why."""
        return Frame(map(asdict, self._summary.strays), [field.name for field in fields(Stray)])

    @property
    def figures(self) -> Frame:
        """The figures that there are: what to give to `figure` and `plot`."""
        from bottleneck_lab.report.figures.of_results import FIGURES  # matplotlib takes a second

        return Frame(
            {"figure": name, "dataset": dataset, "shows": alt}
            for dataset in self.datasets
            for name, figure in FIGURES.items()
            if (alt := figure.alt(self._collected, dataset))
            and figure.draw(self._collected, self._summary, dataset) is not None
        )

    def figure(self, name: str = "accuracy", dataset: str | None = None) -> Figure:
        """A figure of the report, drawn anew.

        Args:
            name: `accuracy`, `curves`, `madds`, or another that `figures` lists.
            dataset: the first one if absent.

        Raises:
            LabError: no such figure or data set, or one that these results have nothing for.
        """
        from bottleneck_lab.report.figures.of_results import FIGURES

        if name not in FIGURES:
            raise LabError(f"{name!r}: no such figure; {nearest(name, FIGURES)}")
        dataset = dataset or self.datasets[0]
        if dataset not in self.datasets:
            raise LabError(
                f"{dataset!r}: no such data set in these results; {nearest(dataset, self.datasets)}"
            )
        drawn = FIGURES[name].draw(self._collected, self._summary, dataset)
        if drawn is None:
            raise LabError(f"{name}: there is nothing to draw of {dataset}; `figures` lists what there is")
        return drawn

    def plot(self, name: str = "accuracy", dataset: str | None = None) -> list[Axes]:
        """The panels of a figure, to change or add to; `plot(...)[0].figure` is the figure.

        Args:
            name: as for `figure`.
            dataset: likewise.

        Raises:
            LabError: likewise.
        """
        return [axes for axes in self.figure(name, dataset).axes if axes.get_visible()]

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self._summary.runs.items())
        return f"<Results of {self.name} in {self.folder}: {counts}>"


def _variant(variant: VariantFinding) -> dict[str, object]:
    row = {name: value for name, value in asdict(variant).items() if name not in ("levels", "measures")}
    levels = {axis: level for axis, level in variant.levels.items() if axis not in row}
    measures: dict[str, float | None] = {}
    for name, found in variant.measures.items():
        measures |= {name: found.mean, f"{name}_low": found.ci_low, f"{name}_high": found.ci_high}
    return {"name": row.pop("name"), "dataset": row.pop("dataset"), **levels, **row, **measures}
