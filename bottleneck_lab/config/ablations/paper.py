"""What the paper reports, as an experiment file says it: numbers, tables and curves to stand beside ours."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bottleneck_lab.config.base import Settings


class PaperTable(Settings):
    """A table of numbers from the paper, to be printed beside ours as it stands.

    Args:
        title: what it shows.
        columns: their names; the first is that of the rows.
        rows: each with as many cells as there are columns.
    """

    title: str
    columns: tuple[str, ...] = Field(min_length=1)
    rows: tuple[tuple[str | float, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rectangular(self) -> PaperTable:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")
        return self


Share = Annotated[float, Field(ge=0, le=100)]  # in percent


class PaperCurves(Settings):
    """Accuracy over training, as the paper draws it: one run a curve.

    Args:
        unit: what training is counted in, as "million steps".
        reference: the variant that the others are compared with.
        top1: points of each variant's curve: how far training was, and top-1 accuracy in percent then.
    """

    unit: str
    reference: str
    top1: dict[str, Annotated[tuple[tuple[float, Share], ...], Field(min_length=1)]] = Field(min_length=2)

    @model_validator(mode="after")
    def _are_curves(self) -> PaperCurves:
        if self.reference not in self.top1:
            raise ValueError(f"the reference {self.reference!r} has no curve")
        for name, points in self.top1.items():
            times = [time for time, _ in points]
            if any(later <= earlier for earlier, later in itertools.pairwise(times)):
                raise ValueError(f"the points of {name!r} are not in the order of training")
        return self


Costed = tuple[Annotated[float, Field(gt=0)], Share]  # millions of MAdds, and top-1 accuracy in percent


class Paper(Settings):
    """What the paper reports of a part's variants, on its own data.

    Args:
        data: the paper's data set, as it must stand beside every number.
        source: where the numbers stand.
        top1: top-1 accuracy of variants, in percent.
        curves: their accuracy over training.
        madds: accuracy against MAdds, by line: the points of its networks, the cheapest first.
        tables: further numbers.
    """

    data: str
    source: str
    top1: dict[str, Share] = Field(default_factory=dict)
    curves: PaperCurves | None = None
    madds: dict[str, Annotated[tuple[Costed, ...], Field(min_length=1)]] = Field(default_factory=dict)
    tables: tuple[PaperTable, ...] = ()

    @field_validator("madds")
    @classmethod
    def _are_in_order(cls, madds: dict[str, tuple[Costed, ...]]) -> dict[str, tuple[Costed, ...]]:
        for name, points in madds.items():
            if any(more <= less for (less, _), (more, _) in itertools.pairwise(points)):
                raise ValueError(f"the points of {name!r} are not in the order of their MAdds")
        return madds
