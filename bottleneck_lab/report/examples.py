"""How sure a claim is over held-out examples, from what each network got right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bottleneck_lab.report.collect import Results
from bottleneck_lab.stats import bootstrap_examples

Correct = np.ndarray[Any, np.dtype[np.bool_]]


class Answers:
    """Whether the networks of one data set are right, bool `[n]`; each file is read once, when needed."""

    def __init__(self, results: Results, dataset: str) -> None:
        self._results = results
        done = (run for run in results.runs if (run.dataset, run.status) == (dataset, "done"))
        self._runs = {(run.variant, run.seed): run for run in done}
        self._read: dict[tuple[str, int], Correct | None] = {}

    def correct(self, variant: str, seed: int) -> Correct | None:
        """Example by example; None where the finished run has not left it, or what it left is damaged."""
        which = variant, seed
        if which not in self._read:
            self._read[which] = self._results.correct(self._runs[which])
        return self._read[which]


def interval_over_examples(
    contrast: Mapping[str, float], seeds: Sequence[int], answers: Answers
) -> tuple[float | None, float | None]:
    """The ends of the 95 % interval of a contrast of accuracies over held-out examples (0 to 1).

    It is about these very networks: what a variant gets right is averaged over `seeds`, of which every
    variant must have finished all. Where seeds have examples of their own, as points do, those of one place
    in their order count as one.

    None, None where a run has not left its answers, or where they are not equally many: they make no pairs.
    """
    right: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for name in contrast:
        found = [answer for seed in seeds if (answer := answers.correct(name, seed)) is not None]
        if not found or len(found) < len(seeds) or len({answer.size for answer in found}) > 1:
            return None, None
        right[name] = np.mean(found, axis=0)
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
