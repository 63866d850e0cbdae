"""Training length as an axis: what is compared at every length, and by which rules that is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from bottleneck_lab.config.base import Settings
from bottleneck_lab.config.problems import Problems


class BudgetRules(Settings):
    """When the loss of the slower arm counts as a matter of speed, and when as one that stays.

    It is speed if its gap (in accuracy) at `late` is at most `halved` times that at `early`, the interval of
    that ratio excludes 1, and the time stretch has changed by no more than `steady` between the two. A loss
    stays if the lower end of the gap's interval at `late` is at least `stays`, and the gap at `before` is
    larger than that by less than `still`. Both may hold; where neither does, the question is open.

    Args:
        early, before, late: levels of the axis of lengths.
        halved: the largest ratio of gaps.
        steady: the smallest and the largest ratio of time stretches.
        stays, still: accuracies (0 to 1).
    """

    early: str
    before: str
    late: str
    halved: float = Field(0.5, gt=0, lt=1)
    steady: tuple[float, float] = (0.8, 1.25)
    stays: float = Field(0.01, gt=0, lt=1)
    still: float = Field(0.005, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> BudgetRules:
        if not 0 < self.steady[0] < 1 < self.steady[1]:
            raise ValueError("steady holds a ratio below 1 and one above it")
        return self


class Budget(Settings):
    """Two arms that are compared at every length of training.

    Args:
        axis: the one whose levels differ in `train.epochs`.
        arms: the axis of what is compared.
        fast: its level that may need less training for the same loss.
        slow: the other level.
        rules: how the result is read.
    """

    axis: str
    arms: str
    fast: str
    slow: str
    rules: BudgetRules | None = None

    def check(self, here: str, axes: Mapping[str, Mapping[str, Any]], problems: Problems) -> None:
        """Add what does not fit the axes of the part to `problems`."""
        for key, axis in (("axis", self.axis), ("arms", self.arms)):
            if axis not in axes:
                problems.add(f"{here}.{key}", f"{axis!r} is no axis", axis, axes)
        if further := [axis for axis in axes if axis not in (self.axis, self.arms)]:
            problems.add(here, f"needs a part with no further axes than these two: {further[0]!r} is one")
        if self.axis == self.arms:
            problems.add(f"{here}.arms", "must be another axis than that of the lengths")
        for key, arm in (("fast", self.fast), ("slow", self.slow)):
            if arm not in (arms := axes.get(self.arms, {})):
                problems.add(f"{here}.{key}", f"{arm!r} is no level of {self.arms}", arm, arms)
        if self.fast == self.slow:
            problems.add(f"{here}.slow", "must be another arm than the fast one")
        lengths = axes.get(self.axis, {})
        for key in ("early", "before", "late") if self.rules else ():
            if (level := getattr(self.rules, key)) not in lengths:
                problems.add(f"{here}.rules.{key}", f"{level!r} is no level of {self.axis}", level, lengths)
        for level in lengths:
            if "epochs" not in getattr(lengths[level], "train", {}):
                problems.add(f"{here}.axis", f"{level!r} sets no train.epochs")
