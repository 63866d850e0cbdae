"""A results folder, read: its plan, its runs, and what they have recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bottleneck_lab.config import Design
from bottleneck_lab.config.ablations.parts import terms_of
from bottleneck_lab.records import files
from bottleneck_lab.records.folder import Status
from bottleneck_lab.records.lenient import Stray, json_lines, numbers, refused, share, stray
from bottleneck_lab.records.packed import Place
from bottleneck_lab.records.plan import PlanRecord
from bottleneck_lab.report.reading.course import Course

# A run is damaged if its result cannot be what a training has left: nothing of it is counted.
Condition = Literal[Status, "damaged"]


@dataclass(frozen=True)
class Run:
    """One row of `results.csv`; accuracies are 0 to 1, absent ones None. Measures are of the end."""

    variant: str
    dataset: str
    seed: int
    run: str
    status: Condition
    accuracy: float | None
    loss: float | None
    test_accuracy: float | None
    epochs: int | None
    wall_seconds: float | None
    cpu_seconds: float | None
    reason: str | None
    measures: dict[str, float]

    def value_of(self, measure: str) -> float | None:
        """Its accuracy, or its value of a measure, or of the difference of two, if it has them."""
        terms = terms_of(measure)
        values = [self.accuracy if term == "accuracy" else self.measures.get(term) for term in terms]
        known = [value for value in values if value is not None]
        if len(known) < len(terms):
            return None
        return known[0] if len(terms) == 1 else known[0] - known[1]


Curves = dict[str, dict[int, np.ndarray[Any, np.dtype[np.float64]]]]
"""Values by name (`accuracy`, or a measure) and epoch, one for each run that has it."""


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
    _place: Place = field(repr=False)  # of the runs
    _environments: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    _found: set[Stray] = field(default_factory=set, repr=False)
    _altered: frozenset[str] = field(default=frozenset(), repr=False)  # files that are not as a run left them

    def design(self, dataset: str) -> Design:
        """How the claims on a data set of `courses` are judged."""
        design = self.plan.designs[dataset]
        assert design is not None
        return design

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
            else:
                self._history(run)
        return tuple(sorted(self._found))

    def curves(self, variant: str, dataset: str) -> Curves:
        """What the finished runs of a variant have recorded: values by name and epoch, in their order."""
        which = variant, dataset
        if which not in self._curves:
            self._curves[which] = _by_epoch(self._history(run) for run in self.of(*which))
        return self._curves[which]

    @cached_property
    def _curves(self) -> dict[tuple[str, str], Curves]:
        return {}

    def measured(self, run: Run) -> dict[int, dict[str, float]]:
        """The measures of a run, as far as they are numbers, by the epoch that they were taken after."""
        return {epoch: numbers for epoch, _, numbers in self._history(run) if numbers}

    def _history(self, run: Run) -> list[_Epoch]:
        if f"{run.run}/metrics.jsonl" in self._altered:
            return []
        records, why = json_lines(self._place / run.run / "metrics.jsonl")
        history, others = _epochs(records)
        if others:
            why = f"{others} of {len(records)} lines are no records of an epoch"
        if why:
            self._found.add(stray(f"{run.run}/metrics.jsonl", why))
        return history

    def correct(self, run: Run) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Whether a finished run is right about each held-out example, bool `[n]`.

        None where it has not said so, or says what does not agree with its accuracy.
        """
        name = f"{run.run}/correct.npy"
        if run.accuracy is None or name in self._altered or (content := self._bytes(name)) is None:
            return None
        found = files.booleans(content)
        if found is None or found.size == 0:
            self._found.add(stray(name, "is no vector of true and false"))
            return None
        if not math.isclose(np.count_nonzero(found) / found.size, run.accuracy, abs_tol=1e-6):
            self._found.add(stray(name, "does not agree with the accuracy of the run"))
            return None
        return found

    def _bytes(self, name: str) -> bytes | None:
        try:
            return self._place.joinpath(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._found.add(stray(name, refused(error)))
            return None

    def environment(self, run: Run) -> dict[str, Any]:
        """Where a run was made, as far as it says."""
        seconds = {"wall_seconds": run.wall_seconds, "cpu_seconds": run.cpu_seconds}
        known = {name: value for name, value in seconds.items() if value is not None}
        return {**self._environments.get(run.run, {}), **known}


_Epoch = tuple[int, float | None, dict[str, float]]  # its number, accuracy and measures


def _epochs(records: Iterable[Any]) -> tuple[list[_Epoch], int]:
    """The evaluated epochs of a run, and how many records are none."""
    history: list[_Epoch] = []
    others = last = 0
    for record in records:
        epoch = record.get("epoch") if isinstance(record, dict) else None
        if type(epoch) is not int or not last < epoch < _MOST_EPOCHS:
            others += 1
            continue
        last = epoch
        told = record.get("accuracy")
        accuracy = share(told)
        others += told is not None and accuracy is None
        history.append((epoch, accuracy, numbers(record.get("measures"))))
    return history, others


_MOST_EPOCHS = 10**9


def _by_epoch(histories: Iterable[list[_Epoch]]) -> Curves:
    found: dict[str, dict[int, list[float]]] = {}
    accuracies = found.setdefault("accuracy", {})
    for history in histories:
        for epoch, accuracy, measures in history:
            if accuracy is not None:
                accuracies.setdefault(epoch, []).append(accuracy)
            for name, value in measures.items():
                found.setdefault(name, {}).setdefault(epoch, []).append(value)
    return {
        name: {epoch: np.array(values, dtype=np.float64) for epoch, values in by_epoch.items()}
        for name, by_epoch in found.items()
    }
