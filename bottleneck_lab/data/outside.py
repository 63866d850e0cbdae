"""What a data set that was added from outside returns, checked, so that nonsense is not trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.errors import LabError
from bottleneck_lab.extend.global_state import ChangedError, left_alone


def arrays(name: str, make: Callable[[], object], wanted: str, count: int) -> list[NDArray[Any]]:
    """The `count` arrays that the data set `name` makes; `wanted` says in words what they should be.

    Raises:
        LabError: it fails, or returns anything but so many arrays.
    """
    try:
        with left_alone():
            returned = make()
    except ChangedError as error:
        raise LabError(f"the data set {name!r}: {error}") from error
    except Exception as error:
        raise LabError(f"the data set {name!r} fails: {type(error).__name__}: {error}") from error
    if not isinstance(returned, tuple | list) or len(returned) != count:
        what = f"{len(returned)} things" if isinstance(returned, tuple | list) else type(returned).__name__
        raise LabError(f"the data set {name!r} must return {wanted} ({count} arrays), not {what}")
    return [np.asarray(array) for array in returned]


def check_classes(name: str, classes: NDArray[Any], count: int, part: str = "") -> None:
    """Refuse anything but whole numbers from 0 to `count` - 1.

    Raises:
        LabError: other numbers, or other types of number.
    """
    wanted = f"the data set {name!r} must return {part}classes as whole numbers from 0 to {count - 1}"
    if classes.dtype.kind not in "iub":
        raise LabError(f"{wanted}, not {classes.dtype}")
    if classes.min() < 0 or classes.max() >= count:
        raise LabError(f"{wanted}, not {classes.min()} to {classes.max()}")
