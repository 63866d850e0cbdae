"""What networks were measured to take, as plain data: figures of it are drawn without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Ways to execute a network; see `SplitCost`.
AS_BUILT, PLAIN, CHANNELS, CHANNELS_AND_ROWS = "as built", "plain", "channels", "channels, rows"
Way = tuple[str, int | None]  # and the number of parts


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """That of some values."""
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        return cls(median, low, high)


@dataclass(frozen=True)
class NetworkCost:
    """What one forward pass of a network takes.

    Args:
        name: of the network.
        width: its width multiplier.
        resolution: edge of the images, in pixels.
        batch: images at once.
        parameters: of the network, batch norms not yet folded.
        madds: for one image.
        allocator_bytes: peak of what torch's allocator gives out, images and weights excepted.
        seconds: of the whole batch.
    """

    name: str
    width: float
    resolution: int
    batch: int
    parameters: int
    madds: int
    allocator_bytes: int
    seconds: Spread


@dataclass(frozen=True)
class SplitCost:
    """What one forward pass takes, executed one way.

    Args:
        way: `as built`: the modules as they are trained. `plain`: batch norms folded, activations in place.
            `channels`: each block in parts of its channels. `channels, rows`: and the first layers fused over
            rows.
        parts: into how many each block is split; None where it is not.
        allocator_bytes: peak of what torch's allocator gives out, images and weights excepted.
        live_bytes: peak of the tensors alive, without what kernels need for themselves.
        equation_bytes: eq. (2), which counts the images too; None where it says nothing of that way.
        seconds: of the pass.
        times_plain: time as a multiple of plain's in the same round.
        error: largest difference from the logits of the network as built, over its largest logit.
    """

    way: str
    parts: int | None
    allocator_bytes: int
    live_bytes: int
    equation_bytes: int | None
    seconds: Spread
    times_plain: Spread
    error: float


@dataclass(frozen=True)
class TrainingCost:
    """What a step of training takes, with one kernel.

    Args:
        kernel: `eager` or `fused`.
        kept_bytes: what each place of the network keeps in forward for the backward pass, measured.
        counted_bytes: the same, as a count of tensors says.
        seconds: of a step: forward, backward and SGD.
        times_eager: how many times as fast as eager, in the same round.
    """

    kernel: str
    kept_bytes: dict[str, int]
    counted_bytes: dict[str, int]
    seconds: Spread
    times_eager: Spread
