"""What `bridge` leaves as JSON and CSV, and its form where it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from bottleneck_lab.instruments.bridge.blocks import Bridge

Width = Annotated[float, Field(gt=0)]  # of channels, on a logarithmic axis


@dataclass(frozen=True)
class Row:
    """A block of a variant in one state, means over seeds.

    `probe_lost` is the probe accuracy lost against the linear variant, over the seeds that both have; what
    else is measured, `blocks.Measures` says.
    """

    dataset: str
    variant: str
    projection: str
    state: str
    block: int
    width: Annotated[int, Field(gt=0)]
    shortcut: bool
    seeds: int
    accuracy: float
    expansion_lost: float | None
    lost: float
    clipped_low: float
    clipped_high: float
    rank_before: float
    rank_after: float
    affine_error: float
    probe: float
    norm_bias: float
    norm_scale: float
    probe_lost: float | None


@dataclass(frozen=True)
class Comparison:
    """A variant with a non-linear projection beside the one that differs from it in nothing else.

    Args:
        against: that linear variant.
        seeds: that both have finished.
        accuracy_lost: by the non-linear one, mean of the differences by seed; 1 is everything.
        ci_low: lower end of its 95 % interval; None for one seed.
        ci_high: upper end.
        probe_lost_first: the same difference for the probe on the first bottleneck.
        probe_lost_last: on the last one.
        probe_lost_last_initial: on the last one before training.
        lost: pixels of a bottleneck that fail Lemma 2 in the non-linear one, mean over blocks.
        expansion_lost: the same after expansions.
        clipped_initial: channels clipped, at 0 or 6, mean over blocks, before training.
        clipped: after training.
        affine_error: mean over blocks.
        mean_width: of its bottlenecks.
    """

    dataset: str
    variant: str
    against: str
    seeds: int
    accuracy_lost: float
    ci_low: float | None
    ci_high: float | None
    probe_lost_first: float
    probe_lost_last: float
    probe_lost_last_initial: float
    lost: float
    expansion_lost: float | None
    clipped_initial: float
    clipped: float
    affine_error: float
    mean_width: Width


@dataclass(frozen=True)
class Drawn:
    """`bridge.json`, as far as it is drawn."""

    rows: Annotated[list[Row], Field(min_length=1)]
    comparisons: list[Comparison]

    def __post_init__(self) -> None:
        variants = {(row.dataset, row.variant) for row in self.rows}
        trained = {(row.dataset, row.variant) for row in self.rows if row.state == "trained"}
        if variants != trained:
            raise ValueError("a variant has no row of its trained network")
        for compared in self.comparisons:
            if (compared.dataset, compared.variant) not in variants:
                raise ValueError(f"a comparison is of {compared.variant!r}, which has no rows")
            if (compared.ci_low is None) != (compared.ci_high is None):
                raise ValueError("an interval has one end")


def contents_of(found: Bridge) -> Mapping[str, object]:
    """Rows, comparisons and course as JSON has them: all that is printed and drawn."""
    return {**asdict(found.drawn()), "course": [asdict(moment) for moment in found.course]}


def record_of(found: Bridge, images: int | None) -> Mapping[str, object]:
    """How many images were looked at, all that is printed and drawn, and every block, seed by seed."""
    return {"images": images, **contents_of(found), "runs": [asdict(block) for block in found.blocks]}
