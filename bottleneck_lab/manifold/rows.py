"""Activations as rows, one for each place of each example: what every measure of a tensor is taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", "Tensor", NDArray[Any])


def rows(values: Array, channels: int = 1) -> Array:
    """`[N, C, ...]` to rows of C channels, `[places, C]`, of NumPy or torch.

    Args:
        values: of two axes at least; of two they are rows already.
        channels: the axis of channels; -1 for tokens `[N, L, C]`.
    """
    if values.ndim <= 2:
        return values
    if isinstance(values, np.ndarray):
        last = np.moveaxis(values, channels, -1)
    else:
        last = values.movedim(channels, -1)
    return last.reshape(-1, last.shape[-1])
