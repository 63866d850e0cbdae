"""What a map loses of points: `bottleneck_lab.collapse`, on one's own arrays and modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bottleneck_lab.api.arguments import whole
from bottleneck_lab.api.frame import Frame
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse.measure import default_dims, measure_collapse
from bottleneck_lab.instruments.collapse.result import CollapseResult
from bottleneck_lab.manifold.activations import activation_named, activation_of
from bottleneck_lab.manifold.decoders import affine_error, moments
from bottleneck_lab.manifold.distances import (
    continuity,
    effective_rank,
    merged_pairs,
    nearest_codes,
    nearest_neighbour_error,
    neighbourhoods,
    participation_ratio,
    principal_variances,
    trustworthiness,
    two_nn_dimension,
)
from bottleneck_lab.manifold.rows import rows
from bottleneck_lab.manifold.shapes import as_points, make_shape
from bottleneck_lab.seeds import stream

if TYPE_CHECKING:
    from bottleneck_lab.manifold.activations import FloatArray

Mapping = Callable[[Any], Any]
MOST_COMPARED = 400  # points that are compared with each other
LARGEST_CODE = 1e100  # whose squares can still be added


@dataclass(frozen=True)
class Lost:
    """What is lost on the way from points (N, n) to their codes (N, m).

    Args:
        points: N.
        dim: n.
        channels: m.
        merged_pairs: share of pairs of distinct points that have one code, 0 to 1.
        affine_error: of the best affine decoder of the points, 0 to 1.
        neighbour_error: of answering the point with the nearest code; 0 is perfect, 1 what the mean gets.
        effective_rank: of the codes, 1 to m.
        effective_rank_of_points: of the points.
        participation_ratio: of the codes' variances, 1 to m.
        two_nn_dimension: intrinsic dimension of the codes; None where fewer than three differ.
        two_nn_dimension_of_points: of the points.
        trustworthiness: are neighbours among the codes neighbours among the points? 1 if all are.
        continuity: are neighbours among the points neighbours among the codes?
    """

    points: int
    dim: int
    channels: int
    merged_pairs: float
    affine_error: float
    neighbour_error: float
    effective_rank: float
    effective_rank_of_points: float
    participation_ratio: float
    two_nn_dimension: float | None
    two_nn_dimension_of_points: float | None
    trustworthiness: float
    continuity: float


class Collapsed(Frame):
    """A row per number of channels, and as `result` what `instruments.collapse.measure` found.

    Its columns are those of `bottleneck-lab collapse --json`: shares and errors, 0 to 1, and ranks, 1 to
    `dim`.
    """

    def __init__(self, result: CollapseResult) -> None:
        super().__init__(result.rows())
        self.result = result


def collapse(
    points: ArrayLike | str = "spiral",
    *,
    activation: str | dict[str, Any] | Mapping = "relu",
    dims: Sequence[int] | None = None,
    embedding: str = "gaussian",
    bias: bool = False,
    trials: int = 400,
    seed: int = 0,
) -> Collapsed:
    """Embed points in few channels by random matrices, activate, and measure what is lost (Fig. 1).

    >>> import bottleneck_lab as lab
    >>> lost = lab.collapse("circle", dims=[2, 15], trials=20)
    >>> lost["dim"].tolist()
    [2, 15]
    >>> lost[0]["collapsed"] > 0.5 > lost[1]["collapsed"]
    True

    Args:
        points: one a row, (N, n), as a NumPy array, a torch tensor or lists; or the name of a shape:
            `spiral`, `circle`, `swiss-roll`, `gaussian`, `grid`.
        activation: one that networks may have: `"relu6"`, `{"kind": "leaky", "slope": 0.25}`; or a
            `torch.nn.Module`, or a function of NumPy arrays, that maps each number by itself.
        dims: numbers of channels; those of Fig. 1 that are not below n if absent, else n and 6n.
        embedding: law of the matrices: `gaussian`, `uniform`, `orthonormal`, or `paper`.
        bias: whether a standard normal bias is added.
        trials: random matrices for each of `dims`.
        seed: another one, other matrices.

    Raises:
        LabError: points that nothing can be measured on, or an unknown name.
    """
    given = make_shape(points, seed=seed) if isinstance(points, str) else as_points(_array(points))
    chosen = activation_named(activation) if isinstance(activation, str | dict) else activation_of(activation)
    result = measure_collapse(
        given,
        default_dims(given.shape[1], embedding) if dims is None else _wholes("dims", dims),
        embedding=embedding,
        bias=bias,
        activation=chosen,
        trials=whole("trials", trials),
        seed=whole("seed", seed),
    )
    return Collapsed(result)


def lost(points: ArrayLike, codes: ArrayLike | Mapping, *, seed: int = 0) -> Lost:
    """What is lost on the way from points to codes: arrays of one's own, or a module that maps them.

    >>> import numpy as np, bottleneck_lab as lab
    >>> points = np.random.default_rng(0).normal(size=(500, 2))
    >>> lab.lost(points, points @ [[1.0, 1.0], [0.0, 1.0]]).affine_error < 1e-6
    True
    >>> lab.lost(points, lambda x: np.maximum(x, 0)).merged_pairs > 0.05
    True

    Points are compared with each other on a random 400 of them.

    Args:
        points: (N, n), a NumPy array, a torch tensor or lists. More axes, as of images `[N, C, H, W]`, become
            pixels: a row for each place of each image.
        codes: (N, m), one for each point; or a `torch.nn.Module`, or a function, that makes them of the
            points. A module is given a float32 tensor, and is put into evaluation mode meanwhile.
        seed: another one, another 400.

    Raises:
        LabError: arrays that nothing can be measured on, or that do not go together.
    """
    x = as_points(rows(_array(points)), "points")
    h = rows(_array(_applied(codes, points) if callable(codes) else codes))
    if h.ndim != 2 or len(h) != len(x) or not h.shape[1]:
        raise LabError(f"codes of shape {h.shape} for {len(x)} points: give one code a row, (N, m)")
    if not np.abs(h).max() < LARGEST_CODE:
        raise LabError(f"codes: NaN, infinity, or numbers beyond {LARGEST_CODE:g} among them")
    chosen = np.random.default_rng(stream(whole("seed", seed), "sample")).choice(
        len(x), min(len(x), MOST_COMPARED), replace=False
    )
    some, theirs = x[np.sort(chosen)], np.ascontiguousarray(h[np.sort(chosen)])
    near, near_codes = nearest_codes(some), nearest_codes(theirs)
    if len(near.nearest) == 1:
        raise LabError("points: nearly all are in one place, and there is nothing to compare")
    around, around_codes = neighbourhoods(some), neighbourhoods(theirs)
    both = moments(x, h)
    variances, own = principal_variances(both.code_covariance), principal_variances(both.point_covariance)
    return Lost(
        points=len(x),
        dim=x.shape[1],
        channels=h.shape[1],
        merged_pairs=float(merged_pairs(near, near_codes)),
        affine_error=float(affine_error(both)),
        neighbour_error=float(nearest_neighbour_error(some, near_codes)),
        effective_rank=float(effective_rank(variances)),
        effective_rank_of_points=float(effective_rank(own)),
        participation_ratio=float(participation_ratio(variances)),
        two_nn_dimension=_finite(two_nn_dimension(near_codes)),
        two_nn_dimension_of_points=_finite(two_nn_dimension(near)),
        trustworthiness=trustworthiness(around, around_codes),
        continuity=continuity(around, around_codes),
    )


def _wholes(name: str, values: Iterable[int]) -> list[int]:
    if not isinstance(values, Iterable):
        raise LabError(f"{name} = {values!r}: give a list of whole numbers, such as [2, 3, 5]")
    return [whole(name, value) for value in values]


def _finite(value: FloatArray) -> float | None:
    return float(value) if np.isfinite(value) else None


def _array(values: Any) -> FloatArray:
    """A NumPy array of what may be a torch tensor on any device."""
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = (values if values.is_complex() else values.double()).numpy()
        if np.iscomplexobj(values):
            raise TypeError
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise LabError("not an array of real numbers") from None


def _applied(map_points: Mapping, points: Any) -> Any:
    """What a module or a function makes of points."""
    if not hasattr(map_points, "parameters"):
        return map_points(points)
    import torch

    from bottleneck_lab.api.evaluation import in_evaluation

    module: Any = map_points
    first = next(module.parameters(), torch.zeros(()))
    with in_evaluation(module):
        return module(torch.as_tensor(points).to(first.device, first.dtype))
