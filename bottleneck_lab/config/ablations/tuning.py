"""Choosing one setting for each arm before the comparison: on images and seeds that nothing else uses."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, field_validator

from bottleneck_lab.config.base import Settings, Unchecked
from bottleneck_lab.config.problems import Problems

Value = Annotated[float, Field(gt=0)]


class Tuning(Settings):
    """How one setting is chosen for each arm, before anything is compared.

    Every arm is trained with every value of the grid and every seed; the value with the highest mean accuracy
    is the arm's. While the best of any arm lies at an edge, the grid grows there by one value, for all arms
    alike, so that all have had equally many trials.

    Args:
        setting: what is chosen, as `train.learning_rate`.
        arms: the axis whose levels are the arms; other axes are left out of it.
        shared: the value that all arms would share without it.
        grid: values with one ratio between neighbours, the lowest first.
        most: how many values the grid may grow to.
        seeds: used for nothing else.
        data, train: how these trainings differ from the others; `data.tuning_images` says what the choice is
            made on, and must be set here or by every tier.
    """

    setting: str = Field("train.learning_rate", pattern=r"^(model|data|train)\.\w+$")
    arms: str
    shared: Value
    grid: tuple[Value, ...] = Field(min_length=3)
    most: int = Field(9, ge=3, le=99)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    data: Unchecked = Field(default_factory=dict)
    train: Unchecked = Field(default_factory=dict)

    @field_validator("grid")
    @classmethod
    def _logarithmic(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        ratios = [later / earlier for earlier, later in itertools.pairwise(grid)]
        if ratios[0] <= 1 or any(not math.isclose(ratio, ratios[0], rel_tol=1e-3) for ratio in ratios):
            raise ValueError("the values must rise by one ratio, as 0.05, 0.1, 0.2 do")
        return grid

    def check(self, here: str, axes: Mapping[str, Mapping[str, Any]], problems: Problems) -> None:
        """Add what does not fit the axes of the part to `problems`."""
        if self.arms not in axes:
            problems.add(f"{here}.arms", f"{self.arms!r} is no axis", self.arms, axes)

    def extended(self, grid: Sequence[float], best: Sequence[float]) -> tuple[float, ...]:
        """The grid with a value more beyond each edge that one of the `best` lies at, while there is room."""
        ratio = self.grid[1] / self.grid[0]
        grown = list(grid)
        if grid[0] in best and len(grown) < self.most:
            grown.insert(0, _rounded(grid[0] / ratio))
        if grid[-1] in best and len(grown) < self.most:
            grown.append(_rounded(grid[-1] * ratio))
        return tuple(grown)


def _rounded(value: float) -> float:
    """A value as one would write it, so that it is the same whichever way it was come to."""
    return float(f"{value:.6g}")


class TierTuning(Settings):
    """What one tier spends on tuning: instead of what the part says."""

    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(None, min_length=1)
    data: Unchecked = Field(default_factory=dict)
    train: Unchecked = Field(default_factory=dict)


class Trial(Settings):
    """One training of the tuning: its accuracy on the tuning images, 0 to 1; None where it diverged."""

    arm: str
    value: Value
    seed: int
    run: str
    accuracy: Annotated[float, Field(ge=0, le=1)] | None
    loss: float | None


class Tuned(Settings):
    """What was chosen on one data set, and every trial that it was chosen by.

    Args:
        part, dataset: where.
        setting, arms, shared: as in `Tuning`.
        grid: as far as it has grown.
        images: how many the choice was made on, of the training part.
        classes: of the data set; a trial that diverged counts as guessing.
        chosen: the value of every arm.
        at_edge: arms whose best value lies at an edge of a grid that could not grow further.
        trials: all of them.
    """

    part: str
    dataset: str
    setting: str
    arms: str
    shared: Value
    grid: tuple[Value, ...]
    images: int
    classes: Annotated[int, Field(ge=1)]
    chosen: dict[str, Value]
    at_edge: tuple[str, ...]
    trials: tuple[Trial, ...]

    def scores(self, arm: str, value: float | None = None) -> list[float]:
        """The accuracies of an arm's trials, of all or of those with one value."""
        return [
            1 / self.classes if trial.accuracy is None else trial.accuracy
            for trial in self.trials
            if trial.arm == arm and value in (None, trial.value)
        ]

    def best(self, arm: str) -> float:
        """The value with the highest mean accuracy of an arm; of several, the one nearest to the shared."""
        return max(
            self.grid, key=lambda value: (self.mean(arm, value), -abs(math.log(value / self.shared)), -value)
        )

    def mean(self, arm: str, value: float) -> float:
        """The mean accuracy of an arm with one value."""
        scores = self.scores(arm, value)
        return math.fsum(scores) / len(scores)

    @property
    def hash(self) -> str:
        """What a plan names it by."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
