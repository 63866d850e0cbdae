"""How sure a claim is over held-out examples, from what each network got right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import bootstrap_examples

Shares = np.ndarray[Any, np.dtype[np.float64]]


class Answers:
    """How often the networks of one data set are right about each example; what was read is kept as sums."""

    def __init__(self, results: Results, dataset: str) -> None:
        self._results = results
        done = (run for run in results.runs if (run.dataset, run.status) == (dataset, "done"))
        self._runs = {(run.variant, run.seed): run for run in done}
        self._read: dict[tuple[str, tuple[int, ...]], Shares | None] = {}

    def right(self, variant: str, seeds: Sequence[int]) -> Shares | None:
        """The share of the networks of these seeds that are right, float `[n]`, example by example.

        None where a run has not left its answers, or damaged ones, or where they are not equally many.
        """
        which = variant, tuple(seeds)
        if which not in self._read:
            self._read[which] = self._mean([self._runs[variant, seed] for seed in seeds])
        return self._read[which]

    def _mean(self, runs: Sequence[Run]) -> Shares | None:
        total: np.ndarray[Any, np.dtype[np.int64]] | None = None
        for run in runs:
            correct = self._results.correct(run)
            if correct is None or (total is not None and total.size != correct.size):
                return None
            total = correct.astype(np.int64) if total is None else total + correct
        return None if total is None else total / len(runs)


def interval_over_examples(
    contrast: Mapping[str, float], seeds: Sequence[int], answers: Answers
) -> tuple[float | None, float | None]:
    """The ends of the 95 % interval of a contrast of accuracies over held-out examples (0 to 1).

    It is about these very networks: what a variant gets right is averaged over `seeds`, of which every
    variant must have finished all. Where seeds have examples of their own, as points do, those of one place
    in their order count as one.

    None, None where a run has not left its answers, or where they are not equally many: they make no pairs.
    """
    right: dict[str, Shares] = {}
    for name in contrast:
        mean = answers.right(name, seeds)
        if mean is None:
            return None, None
        right[name] = mean
    if len({mean.size for mean in right.values()}) > 1:
        return None, None
    # The weights of a contrast sum to 0, so it is the common weight of its two sides times the difference of
    # their weighted means, each of which is 0 to 1 again.
    weight = math.fsum(w for w in contrast.values() if w > 0)
    plus, minus = (
        np.sum([sign * w / weight * right[name] for name, w in contrast.items() if sign * w > 0], axis=0)
        for sign in (1, -1)
    )
    # Rounded, so that what is equal stays equal: the bootstrap is as fast as differences are few.
    interval = bootstrap_examples(np.clip(plus.round(9), 0, 1), np.clip(minus.round(9), 0, 1))
    if interval.low is None or interval.high is None:
        return None, None
    return weight * interval.low, weight * interval.high
