"""What a run leaves, as values: a record an epoch, predictions, weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor
from typing_extensions import NotRequired, TypedDict

from bottleneck_lab.measures import Blocks


class Evaluated(TypedDict):
    """What a network of held-out examples came to: its loss in nats and its accuracy, 0 to 1."""

    loss: float
    accuracy: float


class Record(TypedDict):
    """One epoch, a line of `metrics.jsonl`. What need not be there: what was evaluated or measured then."""

    epoch: int
    learning_rate: float
    train_loss: float
    loss: NotRequired[float]
    accuracy: NotRequired[float]
    unaveraged: NotRequired[Evaluated]
    measures: NotRequired[dict[str, float]]
    blocks: NotRequired[Blocks]
    blocks_at_start: NotRequired[Blocks]  # before training, with the first record
    train_seconds: NotRequired[float]  # of those since the record before, without evaluation
    seconds: NotRequired[float]
    cpu_seconds: NotRequired[float]


Progress = Callable[[int, list[Record]], None]
"""Called after every record with the index of the run in its batch and all records of that run so far."""

DIVERGED_ABOVE = 1e4
"""Mean cross-entropy, in nats, above which a run counts as diverged; guessing among 100 classes has 4.6."""


@dataclass(frozen=True)
class Outcome:
    """The end of one run.

    Args:
        status: `done`, or `diverged` where a loss was not a finite number or above `DIVERGED_ABOVE`; the last
            record then has that loss.
        records: one for each evaluated epoch; the last one's accuracy is the result.
        predictions: class of every held-out example, uint8 `[n]`; None for a run that diverged.
        correct: whether it is the right one, bool `[n]`; None likewise. So that a report, which has no data
            sets, can compare networks example by example.
        test_accuracy: on the official test part, evaluated once at the end; None where it is not at hand.
        weights: the network's final state by name.
        continued: how many of the first epochs another run had trained, and this one went on from.
        kernel: what computed its blocks in training: `eager`, `fused`, or `mixed` where it had to change.
    """

    status: Literal["done", "diverged"]
    records: list[Record]
    predictions: np.ndarray[Any, np.dtype[np.uint8]] | None
    correct: np.ndarray[Any, np.dtype[np.bool_]] | None
    test_accuracy: float | None
    weights: dict[str, Tensor]
    continued: int = 0
    kernel: str = "eager"


class Stopwatch:
    """Wall and CPU seconds of this process since it was last read."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Wall and CPU seconds since the last reading, and start again."""
        wall, cpu = time.perf_counter(), time.process_time()
        passed = wall - self._wall, cpu - self._cpu
        self._wall, self._cpu = wall, cpu
        return passed


def finite(record: Record) -> bool:
    """Whether a record's losses are numbers one can go on with: finite, and not above `DIVERGED_ABOVE`."""
    losses = record["train_loss"], record.get("loss", 0.0)
    return all(math.isfinite(loss) and loss <= DIVERGED_ABOVE for loss in losses)
