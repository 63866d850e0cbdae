"""A results folder, read: its plan, its runs, and what they have recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bottleneck_lab.records.left import Epoch, RunFiles
from bottleneck_lab.records.lenient import Stray
from bottleneck_lab.records.results.plan import PlanRecord
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.reading.course import Course

Curves = dict[str, dict[int, np.ndarray[Any, np.dtype[np.float64]]]]
"""Values by name (`accuracy`, or a measure) and epoch, one for each run that has it."""

Profile = np.ndarray[Any, np.dtype[np.float64]]
"""A measure of every block, first to last: `[runs, blocks]`."""


@dataclass(frozen=True)
class Results:
    """A results folder, read.

    Args:
        folder: of one ablation and tier.
        plan: what was to be run (`plan.json`); of planned looks, what has been called for so far.
        runs: every run of the plan, whatever has become of it.
        courses: how far the looks on each data set have come; without data sets that have no design.
        other_plans: how many folders in `runs/` are of an earlier plan of this ablation, of other seeds or
            settings.
    """

    folder: Path
    plan: PlanRecord
    runs: tuple[Run, ...]
    courses: dict[str, Course]
    other_plans: int
    _left: RunFiles = field(repr=False)
    _environments: Mapping[str, Mapping[str, object]] = field(repr=False)

    def planned(self, variant: str, dataset: str) -> list[Run]:
        """The runs of one variant on one data set, whatever has become of them."""
        return self._by_variant.get((variant, dataset), [])

    def of(self, variant: str, dataset: str) -> list[Run]:
        """The finished runs of one variant on one data set."""
        return [run for run in self.planned(variant, dataset) if run.status == "done"]

    @cached_property
    def _by_variant(self) -> dict[tuple[str, str], list[Run]]:
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs:
            found.setdefault((run.variant, run.dataset), []).append(run)
        return found

    def troubled(self) -> list[Run]:
        """The runs that did not end well, and that a new start may or may not mend."""
        return [run for run in self.runs if run.status in ("failed", "diverged", "damaged")]

    @cached_property
    def strays(self) -> tuple[Stray, ...]:
        """The files that are damaged or foreign, by their paths. For this every file is looked into."""
        for variant, dataset in self._by_variant:
            self.curves(variant, dataset)
        for run in self.runs:
            if run.status == "done":
                self.correct(run)
                if self.plan.draws_points(run.dataset):  # of images no figure shows them
                    self.predicted(run)
            else:
                self._left.epochs(run.id)
        return tuple(sorted(self._left.strays))

    def curves(self, variant: str, dataset: str) -> Curves:
        """What the finished runs of a variant have recorded: values by name and epoch, in their order."""
        which = variant, dataset
        if which not in self._curves:
            self._curves[which] = _by_epoch(self._left.epochs(run.id) for run in self.of(*which))
        return self._curves[which]

    @cached_property
    def _curves(self) -> dict[tuple[str, str], Curves]:
        return {}

    def profiles(self, variant: str, dataset: str, *, at_start: bool = False) -> dict[str, Profile]:
        """What was measured of every block, by name: after training, or before.

        Of the finished runs of a variant that have it, unless they are of different depths.
        """
        found: dict[str, list[list[float]]] = {}
        for run in self.of(variant, dataset):
            epochs = self._left.epochs(run.id)
            taken = [epoch.blocks_at_start if at_start else epoch.blocks for epoch in epochs]
            for name, values in next((blocks for blocks in reversed(taken) if blocks), {}).items():
                found.setdefault(name, []).append(values)
        return {name: np.array(rows) for name, rows in found.items() if len(set(map(len, rows))) == 1}

    def measured(self, run: Run) -> dict[int, dict[str, float]]:
        """The measures of a run, as far as they are numbers, by the epoch that they were taken after."""
        return {epoch.number: epoch.measures for epoch in self._left.epochs(run.id) if epoch.measures}

    def correct(self, run: Run) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Whether a finished run is right about each held-out example, bool `[n]`.

        None where it has not said so, or says what does not agree with its accuracy.
        """
        return None if run.accuracy is None else self._left.correct(run.id, run.accuracy)

    def predicted(self, run: Run) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        """The class a finished run gives each held-out example, uint8 `[n]`; None where it is not said."""
        return self._left.predicted(run.id)

    def environment(self, run: Run) -> Mapping[str, object]:
        """Where a run was made, as far as it says; without its times."""
        return self._environments[run.id]


def _by_epoch(histories: Iterable[list[Epoch]]) -> Curves:
    found: dict[str, dict[int, list[float]]] = {}
    accuracies = found.setdefault("accuracy", {})
    for history in histories:
        for epoch in history:
            if epoch.accuracy is not None:
                accuracies.setdefault(epoch.number, []).append(epoch.accuracy)
            for name, value in epoch.measures.items():
                found.setdefault(name, {}).setdefault(epoch.number, []).append(value)
    return {
        name: {epoch: np.array(values, dtype=np.float64) for epoch, values in by_epoch.items()}
        for name, by_epoch in found.items()
    }
