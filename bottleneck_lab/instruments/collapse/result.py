"""What the collapse lab finds: a row for each number of channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bottleneck_lab.manifold.activations import FloatArray

# Measured for every matrix and reported as medians with quantiles: one ill-conditioned T ruins a mean.
MEASURES = (
    "pinv_error",
    "pinv_scaled_error",
    "affine_error",
    "neighbour_error",
    "effective_rank",
    "participation_ratio",
    "two_nn_dimension",
    "trustworthiness",
    "continuity",
)


@dataclass(frozen=True)
class Band:
    """The median over matrices, and the 5 % and 95 % quantiles; None where no matrix has the measure."""

    median: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: FloatArray) -> Band:
        """That of the values that are finite."""
        defined = values[np.isfinite(values)]
        if not len(defined):
            return cls(None, None, None)
        low, median, high = np.quantile(defined, [0.05, 0.5, 0.95])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class Collapse:
    """What is lost on the way into `dim` channels and through the activation, over all matrices.

    `collapsed`: the share of points that fail Lemma 2, averaged over matrices as in Theorem 1, with the
    standard error of that mean (None for one matrix; too small when only a few matrices collapse anything).
    Theorem 1 is about volumes and leaves out single points, such as the origin, which stands on every kink.
    `collapsed_theory`: Theorem 1; exact for ReLU, a lower bound for what is flat above some value too, 0 for
    what is flat nowhere. None where the lower kink is not at 0, of which the theorem says nothing.
    `collapsed_theory_se`: the standard error that the mean should have, for ReLU and random matrices;
    exact for Gaussian ones up to their common scale, close for the others.
    `lossy_matrices`: the share of matrices that collapse at least one point.
    `jacobian_rank`: mean over points and matrices.
    `merged_pairs`: mean over matrices of `distances.merged_pairs`.
    `bands`: the `MEASURES`.
    `output`: (drawn points, n), where pinv(T)(h - b) puts them for the matrix whose scaled pseudo-inverse
    error is the median one; a typical panel of Fig. 1, not a picked one.
    """

    dim: int
    trials: int
    collapsed: float
    collapsed_se: float | None
    collapsed_theory: float | None
    collapsed_theory_se: float | None
    lossy_matrices: float
    jacobian_rank: float
    merged_pairs: float
    bands: dict[str, Band]
    output: FloatArray

    def row(self) -> dict[str, float | int | None]:
        """One flat row for a table or JSON; the quantiles of a measure are `NAME_low` and `NAME_high`."""
        row: dict[str, float | int | None] = {
            "dim": self.dim,
            "trials": self.trials,
            "collapsed": self.collapsed,
            "collapsed_se": self.collapsed_se,
            "collapsed_theory": self.collapsed_theory,
            "collapsed_theory_se": self.collapsed_theory_se,
            "lossy_matrices": self.lossy_matrices,
            "jacobian_rank": self.jacobian_rank,
            "merged_pairs": self.merged_pairs,
        }
        for name, band in self.bands.items():
            row |= {name: band.median, f"{name}_low": band.low, f"{name}_high": band.high}
        return row


@dataclass(frozen=True)
class CollapseResult:
    """The collapses of one manifold, one per dim, and what to see them beside.

    `points`: how many were measured. `drawn`: at most 1,000 of them, (drawn, n), in their order. `of_input`:
    those measures that make sense for the points themselves, taken as if they were codes.
    """

    points: int
    activation: str
    drawn: FloatArray
    of_input: dict[str, float | None]
    collapses: tuple[Collapse, ...]

    def rows(self) -> list[dict[str, float | int | None]]:
        """A flat row per dim."""
        return [collapse.row() for collapse in self.collapses]
