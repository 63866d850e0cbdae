"""Figures of `bench`: memory and time of a split network (Sec. 5), and of networks against their MAdds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bottleneck_lab.instruments.bench.costs import (
    AS_BUILT,
    CHANNELS,
    CHANNELS_AND_ROWS,
    PLAIN,
    NetworkCost,
    SplitCost,
    TrainingCost,
)
from bottleneck_lab.instruments.bench.record import Networks, Split, Training
from bottleneck_lab.instruments.drawn import Figures
from bottleneck_lab.records.files import read_left
from bottleneck_lab.report.drawing.style import COLOURS, LINES, MARKERS, styled

MEMORY_ALLOWED, TIME_ALLOWED = 0.4, 1.5  # of plain's: what a split is asked to keep to

_Side = Literal["left", "right"]
_Level = Literal["above", "below"]
_LABELS = {CHANNELS: "blocks in s parts", CHANNELS_AND_ROWS: "and first layers fused over rows"}


def draw_split(costs: Sequence[SplitCost]) -> Figure:
    """Peak activation memory and time against the number of parts s, beside the plain network's.

    Left, in MB (10^6 bytes): what the allocator gave out. Right, as a multiple of the plain network's time in
    the same round: median, and bars from the first to the third quartile. Dotted: the plain network, the
    memory of the network as built, and the most that a split may take.
    """
    plain = next(cost for cost in costs if cost.way == PLAIN)
    with styled():
        figure = Figure(figsize=(6.6, 2.9))
        memory, times = figure.subplots(1, 2)
        for colour, line, marker, (way, label) in zip(COLOURS, LINES, MARKERS, _LABELS.items(), strict=False):
            of_way = [cost for cost in costs if cost.way == way and cost.parts is not None]
            parts = [cost.parts for cost in of_way if cost.parts is not None]
            memory.plot(
                parts,
                [cost.allocator_bytes / 1e6 for cost in of_way],
                line,
                marker=marker,
                color=colour,
                label=label,
            )
            spreads = [cost.times_plain for cost in of_way]
            times.errorbar(
                parts,
                [spread.median for spread in spreads],
                [
                    [spread.median - spread.low for spread in spreads],
                    [spread.high - spread.median for spread in spreads],
                ],
                fmt=line,
                marker=marker,
                color=colour,
                capsize=2,
            )
        share = MEMORY_ALLOWED * plain.allocator_bytes / 1e6
        _mark(memory, plain.allocator_bytes / 1e6, "plain")
        _mark(memory, share, f"{100 * MEMORY_ALLOWED:.0f} % of plain", ("right", "below"))
        _mark(times, 1, "plain")
        _mark(times, TIME_ALLOWED, f"{TIME_ALLOWED:g} times plain", ("left", "below"))
        as_built = next(cost for cost in costs if cost.way == AS_BUILT)
        _mark(memory, as_built.allocator_bytes / 1e6, "as built")
        memory.set_ylabel("peak activation memory (MB)")
        times.set_ylabel("time (multiple of plain)")
        for axes in (memory, times):
            axes.set_ylim(bottom=0)
            axes.set_xticks(sorted({cost.parts for cost in costs if cost.parts is not None}))
            axes.set_xlabel("parts s of each block")
        figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    return figure


def _mark(axes: Axes, height: float, text: str, place: tuple[_Side, _Level] = ("right", "above")) -> None:
    """A dotted line across, and its name beside it where no curve is."""
    side, level = place
    axes.axhline(height, color=COLOURS[-1], linestyle=":", linewidth=1)
    axes.annotate(
        text,
        (0.02 if side == "left" else 1, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2 if level == "above" else -2),
        textcoords="offset points",
        ha=side,
        va="bottom" if level == "above" else "top",
        fontsize=7,
    )


def draw_training(costs: Sequence[TrainingCost]) -> Figure:
    """What each place of a network keeps for its backward pass, with either kernel, in MB (10^6 bytes).

    Bars are measured; a tick across a bar is what a plain count of tensors says. The legend has the sums, and
    how many times as fast as eager a step is.
    """
    places = list(costs[0].counted_bytes)
    with styled():
        figure = Figure(figsize=(6.6, 2.9))
        axes = figure.subplots()
        thickness = 0.8 / len(costs)
        for number, (cost, colour) in enumerate(zip(costs, COLOURS, strict=False)):
            where = [place + (number - (len(costs) - 1) / 2) * thickness for place in range(len(places))]
            total = sum(cost.kept_bytes.values()) / 1e6
            label = f"{cost.kernel}: {total:.1f} MB"
            if cost.kernel != costs[0].kernel:
                label += f", {cost.times_eager.median:.1f} times as fast"
            axes.bar(
                where, [cost.kept_bytes[name] / 1e6 for name in places], thickness, color=colour, label=label
            )
            axes.hlines(
                [cost.counted_bytes[name] / 1e6 for name in places],
                [at - thickness / 2 for at in where],
                [at + thickness / 2 for at in where],
                color="black",
                linewidth=1,
            )
        axes.plot([], [], color="black", linewidth=1, label="by count of tensors")
        axes.set_xticks(range(len(places)), [name.removeprefix("blocks.") for name in places])
        axes.set_xlabel("stem, blocks by number, head")
        axes.set_ylabel("kept for the backward pass (MB)")
        figure.legend(loc="outside upper center", ncols=3, fontsize=8)
    return figure


def networks_figures(path: Path) -> Figures:
    """The figure of a `networks.json`; raises LabError for one of another form."""
    yield "networks", draw_networks(read_left(Networks, path).rows)


def split_figures(path: Path) -> Figures:
    """The figure of a `split.json`; raises LabError for one of another form."""
    yield "split", draw_split(read_left(Split, path).rows)


def training_figures(path: Path) -> Figures:
    """The figure of a `training.json`; raises LabError for one of another form."""
    yield "training", draw_training(read_left(Training, path).rows)


def draw_networks(costs: Sequence[NetworkCost]) -> Figure:
    """Time for one image against MAdds, a panel for each batch size: MAdds are not time.

    A point is a network at one width and resolution. Dashed: time in proportion to MAdds, through the network
    that needs most of them; what lies above it is paid for something else.
    """
    batches = sorted({cost.batch for cost in costs})
    with styled():
        figure = Figure(figsize=(3.3 * max(len(batches), 1.4), 3.4))
        panels = figure.subplots(1, len(batches), sharex=True, sharey=True, squeeze=False)[0]
        for axes, batch in zip(panels, batches, strict=True):
            of_batch = sorted((cost for cost in costs if cost.batch == batch), key=lambda cost: cost.madds)
            names = dict.fromkeys(cost.name for cost in costs)
            for name, colour, marker in zip(names, cycle(COLOURS), cycle(MARKERS), strict=False):
                drawn = [cost for cost in of_batch if cost.name == name]
                axes.plot(
                    [cost.madds / 1e6 for cost in drawn],
                    [_milliseconds(cost) for cost in drawn],
                    marker,
                    color=colour,
                    label=name,
                )
            least, most = of_batch[0].madds, of_batch[-1].madds
            slowest = _milliseconds(of_batch[-1])
            label = "in proportion to MAdds"
            ends = [least / 1e6, most / 1e6], [slowest * least / most, slowest]
            axes.plot(*ends, "--", color="grey", linewidth=1, label=label)
            axes.set_title(f"batch {batch}", fontsize=9)
            axes.set_xlabel("million MAdds an image")
            _plain_logarithms(axes)
        panels[0].set_ylabel("ms an image")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=7)
    return figure


def _milliseconds(cost: NetworkCost) -> float:
    return 1000 * cost.seconds.median / cost.batch


def _plain_logarithms(axes: Axes) -> None:
    """Logarithmic axes that read 10 and 100, not powers of ten."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
