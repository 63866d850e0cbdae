"""Numbers taken of a network besides its accuracy, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bottleneck_lab import extend
from bottleneck_lab.data.images import ImageData
from bottleneck_lab.errors import LabError
from bottleneck_lab.extend.global_state import ChangedError, left_alone
from bottleneck_lab.measures.clipping import share_above_six, share_below_zero
from bottleneck_lab.measures.fitting import epochs_to_fit
from bottleneck_lab.measures.low_precision import lost_bfloat16, lost_bits
from bottleneck_lab.measures.thin import PROFILES, as_at_first_step, of_images, of_toys, over_blocks
from bottleneck_lab.models import ToyNetworks
from bottleneck_lab.quantise.rounded import accuracy_lost
from bottleneck_lab.quantise.scheme import LOST, lost_by

Take = Callable[[nn.Module, ImageData], float]

TAKE: dict[str, Take] = {
    "below_zero": share_below_zero,
    "above_six": share_above_six,
    "lost_bfloat16": lost_bfloat16,
    "lost_int8": lambda network, data: lost_bits(network, data, 8),
    "lost_int6": lambda network, data: lost_bits(network, data, 6),
    "lost_int4": lambda network, data: lost_bits(network, data, 4),
}

OF_TRAINING: dict[str, Callable[[Sequence[Mapping[str, Any]]], float]] = {"epochs_to_fit": epochs_to_fit}


Blocks = dict[str, list[float]]
"""By measure, a value for each block of a network that has a thin tensor, first to last."""


def take(
    names: Iterable[str], network: nn.Module, data: ImageData, blocks: Blocks | None = None
) -> dict[str, float]:
    """The measures of that name of a network, which is left in evaluation mode and otherwise as it was.

    `blocks` is what `take_by_block` has found of the same network, where that is known already.

    Raises:
        LabError: a measure that cannot be taken of this network; an added one that fails, or returns no
            finite number.
    """
    names = [name for name in names if name not in OF_TRAINING]
    found = take_by_block(names, network, data) if blocks is None else blocks
    schemes = [scheme for name in names if (scheme := lost_by(name)) is not None]
    lost = accuracy_lost(network, data, schemes) if schemes else {}
    whole = {name: over_blocks(name, of) for name, of in found.items()}
    whole |= {LOST + scheme: value for scheme, value in lost.items()}
    return {name: whole[name] if name in whole else _take(name, network, data) for name in names}


def to_try(names: Iterable[str]) -> list[str]:
    """Those of the measures that may not be possible of a network, and so are tried beforehand."""
    return [name for name in names if lost_by(name) is None]


def take_by_block(names: Iterable[str], network: nn.Module, data: ImageData) -> Blocks:
    """Those of the measures that have a value for each block.

    Raises:
        LabError: a network without thin tensors.
    """
    wanted = [name for name in names if name in PROFILES and name not in TAKE]
    network.eval()
    seen = of_images(network, data) if wanted else []
    return {name: PROFILES[name](seen)[0] for name in wanted}


def take_at_start(names: Iterable[str], network: nn.Module, data: ImageData) -> Blocks:
    """The same of a network before its first step, which is left as it is.

    Its batch norms have seen no image yet; those of a copy have seen a batch, so that what lies behind them
    is what it is in training.
    """
    wanted = [name for name in names if name in PROFILES and name not in TAKE]
    return take_by_block(wanted, as_at_first_step(network, data), data) if wanted else {}


def take_of_toys(
    names: Sequence[str], networks: ToyNetworks, points: Tensor, classes: Tensor
) -> list[tuple[dict[str, float], Blocks]]:
    """The measures of each network of a batch, on points `[networks, points, dimensions]` of known classes.

    A network without blocks (expansion 0) has none.
    """
    if not names or not len(networks.blocks):
        return [({}, {}) for _ in range(len(points))]
    seen = of_toys(networks, points, classes)
    profiles = {name: PROFILES[name](seen) for name in names}
    return [
        (
            {name: over_blocks(name, of[place]) for name, of in profiles.items()},
            {name: of[place] for name, of in profiles.items()},
        )
        for place in range(len(points))
    ]


def take_of_training(names: Iterable[str], records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The measures of that name that are of a training so far, and not of its network: from its records."""
    return {name: OF_TRAINING[name](records) for name in names if name in OF_TRAINING}


def _take(name: str, network: nn.Module, data: ImageData) -> float:
    network.eval()
    if name in TAKE:
        return TAKE[name](network, data)
    added = extend.MEASURE_NAMES[name].take
    assert added is not None
    try:
        with left_alone(), torch.no_grad():
            taken = added(network, data)
    except ChangedError as error:
        raise LabError(f"the measure {name!r}: {error}") from error
    except LabError:
        raise
    except Exception as error:
        raise LabError(f"the measure {name!r} fails: {type(error).__name__}: {error}") from error
    return _number(name, taken)


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise LabError(f"the measure {name!r} must return a finite number, not {value!r}")
    return number
