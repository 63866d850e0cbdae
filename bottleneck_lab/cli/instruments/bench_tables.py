"""What `bench` prints of what it has measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bottleneck_lab.cli.text import say

if TYPE_CHECKING:
    from bottleneck_lab.instruments.bench.costs import NetworkCost, SplitCost, Spread, TrainingCost
    from bottleneck_lab.instruments.bench.record import (
        AnySettings,
        NetworksSettings,
        SplitSettings,
        TrainingSettings,
    )


def print_networks(costs: Sequence[NetworkCost], how: NetworksSettings) -> None:
    """Print what inference of each network takes."""
    table = _table("network", "width", "pixels", "batch", "parameters", "M MAdds", "MB", "ms", "quartiles")
    for cost in costs:
        table.add_row(
            cost.name,
            f"{cost.width:g}",
            str(cost.resolution),
            str(cost.batch),
            f"{cost.parameters:,}",
            f"{cost.madds / 1e6:.1f}",
            f"{cost.allocator_bytes / 1e6:.1f}",
            *_milliseconds(cost.seconds),
        )
    Console(highlight=False).print(table)
    say(
        "MAdds: for one image. MB: peak of the activations of the whole batch, from the allocator, in 10^6 "
        f"bytes. ms: median and quartiles of {how.rounds} rounds, for the whole batch, on one thread. "
        + _busy(how),
        style="dim",
    )


def print_split(costs: Sequence[SplitCost], how: SplitSettings) -> None:
    """Print what each way to execute a network takes."""
    from bottleneck_lab.instruments.bench.costs import PLAIN

    size = f"{how.resolution} x {how.resolution}"
    say(f"{how.network} x{how.width:g} at {size}, batch {how.batch}, float32")
    plain = next(cost for cost in costs if cost.way == PLAIN)
    table = _table("way", "s", "MB", "of plain", "tensors", "eq. (2)", "ms", "quartiles", "x plain")
    for cost in costs:
        table.add_row(
            cost.way,
            "" if cost.parts is None else str(cost.parts),
            f"{cost.allocator_bytes / 1e6:.2f}",
            f"{100 * cost.allocator_bytes / plain.allocator_bytes:.0f} %",
            f"{cost.live_bytes / 1e6:.2f}",
            "" if cost.equation_bytes is None else f"{cost.equation_bytes / 1e6:.2f}",
            *_milliseconds(cost.seconds),
            f"{cost.times_plain.median:.2f}",
        )
    Console(highlight=False).print()
    Console(highlight=False).print(table)
    error = max(cost.error for cost in costs)
    say(
        "plain: operation by operation, batch norms folded, activations in place. channels: each block in s "
        f"parts. rows: stem and first {how.fused} blocks fused in tiles of {how.rows} rows. MB: peak "
        "from the allocator, images and weights excepted, in 10^6 bytes; tensors: the same without what "
        "kernels take for themselves; eq. (2) counts the images where they are read, but not what waits for "
        f"a shortcut. ms: median and quartiles of {how.rounds} rounds on one thread; x plain: median of "
        f"the ratios within rounds. Logits differ from those as built by {error:.0e} of the largest at most. "
        + _busy(how),
        style="dim",
    )


def print_training(costs: Sequence[TrainingCost], how: TrainingSettings, why_not: str | None) -> None:
    """Print what a step of training takes with each kernel."""

    size = f"{how.resolution} x {how.resolution}"
    say(f"{how.network} x{how.width:g}, batches of {how.batch} images of {size}, float32")
    table = _table("kernel", "images/s", "ms", "quartiles", "x eager", "kept, MB", "counted", "of eager")
    eager = sum(costs[0].kept_bytes.values())
    for cost in costs:
        kept = sum(cost.kept_bytes.values())
        table.add_row(
            cost.kernel,
            f"{how.batch / cost.seconds.median:,.0f}",
            *_milliseconds(cost.seconds),
            f"{cost.times_eager.median:.2f}",
            f"{kept / 1e6:.1f}",
            f"{sum(cost.counted_bytes.values()) / 1e6:.1f}",
            f"{100 * kept / eager:.0f} %",
        )
    Console(highlight=False).print()
    Console(highlight=False).print(table)
    say(
        f"ms: of a step (forward, backward, SGD), median and quartiles of {how.rounds} rounds on one "
        "thread; x eager: median of the ratios within rounds. kept: what the forward pass keeps for the "
        "backward pass, in 10^6 bytes, from autograd's own record; counted: by a plain count of tensors. "
        + _busy(how),
        style="dim",
    )
    if why_not is not None:
        say(f"No fused kernel here: {why_not}.")


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _milliseconds(seconds: Spread) -> tuple[str, str]:
    return f"{1e3 * seconds.median:.1f}", f"{1e3 * seconds.low:.1f}-{1e3 * seconds.high:.1f}"


def _busy(how: AnySettings) -> str:
    return f"Load of the machine before: {how.load:.1f} on {os.cpu_count()} cores."
