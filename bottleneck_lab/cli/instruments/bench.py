"""`bench`: time and memory of inference and training on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bottleneck_lab.cli.commands import App
from bottleneck_lab.cli.options import make_folder
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from bottleneck_lab.instruments.bench import record
    from bottleneck_lab.instruments.bench.costs import NetworkCost, SplitCost, Spread, TrainingCost
    from bottleneck_lab.models import ImageNetworkSettings

Number = TypeVar("Number", int, float)

Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON and nothing else.")]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder for the figure (SVG and PNG) and all numbers (JSON).")
]
Rounds = Annotated[int, typer.Option(min=1, max=100_000, help="How often everything is timed, in turn.")]


def networks(
    names: Annotated[
        str, typer.Option("--networks", help="Tables of networks, with commas between.")
    ] = "mobilenet_v2",
    widths: Annotated[str, typer.Option(help="Width multipliers.")] = "0.35,0.5,0.75,1,1.4",
    resolutions: Annotated[str, typer.Option(help="Edges of the images, in pixels.")] = "96,160,224",
    batches: Annotated[str, typer.Option(help="Images at once.")] = "1,32",
    rounds: Rounds = 10,
    json_: Json = False,
    out: OutFolder = None,
) -> None:
    """Time networks, and measure the memory of their activations: MAdds are not time.

    Every network in every width, at every resolution and batch size; batch norms folded, activations in
    place, float32, initial weights, 1000 classes. The default takes about a minute.
    """
    chosen_widths = _numbers("--widths", widths, float, 0.01, 8)
    chosen_resolutions = _numbers("--resolutions", resolutions, int, 8, 1024)
    chosen_batches = _numbers("--batches", batches, int, 1, 1024)
    settings = [_settings(name, width) for name in names.split(",") for width in chosen_widths]
    if out is not None:
        make_folder(out)
        check_drawing()
    _settle()

    from bottleneck_lab.instruments.bench.measure import measure_networks
    from bottleneck_lab.instruments.bench.record import NetworksSettings, contents_of

    how = NetworksSettings(rounds, _load())
    costs = measure_networks(settings, chosen_resolutions, chosen_batches, rounds)
    if out is not None:
        from bottleneck_lab.instruments.bench.figure import draw_networks

        _write(out, "networks", draw_networks(costs), costs, how)
    if json_:
        print(json.dumps(contents_of(costs, how), allow_nan=False))
        return
    _print_networks(costs, how)


def split(
    network: Annotated[str, typer.Option(help="Table of a network of inverted residuals.")] = "mobilenet_v2",
    width: Annotated[float, typer.Option(min=0.01, max=8, help="Width multiplier.")] = 1.0,
    resolution: Annotated[int, typer.Option(min=8, max=1024, help="Edge of the image, in pixels.")] = 224,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Images at once.")] = 1,
    parts: Annotated[str, typer.Option(help="Numbers of parts s, with commas between.")] = "1,2,3,4,5,6",
    rows: Annotated[int, typer.Option(min=1, help="Rows of a tile of the fused layers.")] = 7,
    fused: Annotated[int, typer.Option(min=0, help="Blocks that are fused with the stem.")] = 2,
    rounds: Rounds = 50,
    json_: Json = False,
    out: OutFolder = None,
) -> None:
    """Execute a network with each block in s parts (Sec. 5), and measure memory and time.

    With and without its first layers fused over rows, against the same network executed operation by
    operation with batch norms folded and activations in place (plain), float32, initial weights.
    """
    chosen_parts = _numbers("--parts", parts, int, 1, 100_000)
    settings = _settings(network, width)
    if settings.family != "mobilenet_v2":
        raise LabError(f"--network {network}: only networks of inverted residual blocks can be split")
    if out is not None:
        make_folder(out)
        check_drawing()
    _settle()

    from bottleneck_lab.instruments.bench.measure import measure_split
    from bottleneck_lab.instruments.bench.record import SplitSettings, contents_of

    how = SplitSettings(network, width, resolution, batch, rows, fused, rounds, _load())
    costs = measure_split(settings, resolution, batch, chosen_parts, rows, fused, rounds)
    if out is not None:
        from bottleneck_lab.instruments.bench.figure import draw_split

        _write(out, "split", draw_split(costs), costs, how)
    if json_:
        print(json.dumps(contents_of(costs, how), allow_nan=False))
        return
    _print_split(costs, how)


def training(
    network: Annotated[
        str, typer.Option(help="Table of a network of inverted residuals.")
    ] = "mobilenet_v2_small",
    width: Annotated[float, typer.Option(min=0.01, max=8, help="Width multiplier.")] = 1.0,
    resolution: Annotated[int, typer.Option(min=8, max=1024, help="Edge of the images, in pixels.")] = 32,
    batch: Annotated[int, typer.Option(min=2, max=1024, help="Images at once.")] = 64,
    rounds: Rounds = 15,
    json_: Json = False,
    out: OutFolder = None,
) -> None:
    """Time a step of training, and measure what its forward pass keeps for the backward pass.

    Operation by operation (eager), and with the fused kernel, which makes wide tensors in cache instead of
    keeping them: what Section 5 saves in training. Beside what is measured stands what a plain count of
    tensors says.
    """
    settings = _settings(network, width)
    if settings.family != "mobilenet_v2":
        raise LabError(
            f"--network {network}: only networks of inverted residual blocks have the fused kernel"
        )
    if out is not None:
        make_folder(out)
    _settle()

    from bottleneck_lab.instruments.bench.measure import measure_training
    from bottleneck_lab.instruments.bench.record import TrainingSettings, contents_of
    from bottleneck_lab.models import fused

    how = TrainingSettings(network, width, resolution, batch, rounds, _load())
    costs = measure_training(settings, resolution, batch, rounds)
    if out is not None:
        from bottleneck_lab.instruments.bench.figure import draw_training

        _write(out, "training", draw_training(costs), costs, how)
    if json_:
        print(json.dumps(contents_of(costs, how), allow_nan=False))
        return
    _print_training(costs, how, fused.why_not())


def _numbers(
    option: str, text: str, kind: Callable[[str], Number], least: Number, most: Number
) -> list[Number]:
    """Read a list with commas between.

    Raises:
        LabError: not numbers, or some are out of range.
    """
    try:
        values = [kind(item) for item in text.split(",")]
    except ValueError:
        raise LabError(f"{option} {text}: give numbers with commas between, such as {least},{most}") from None
    if not all(least <= value <= most for value in values):
        raise LabError(f"{option} {text}: every number must be between {least} and {most}")
    return list(dict.fromkeys(values))


def _settings(name: str, width: float) -> ImageNetworkSettings:
    """The settings of a table at a width.

    Raises:
        LabError: there is no such table, or it cannot be that narrow.
    """
    from pydantic import TypeAdapter, ValidationError

    from bottleneck_lab.config import NETWORKS
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.config.settings import ModelSettings

    for_images = [network for network, table in NETWORKS.items() if table["family"] != "toy"]
    if name not in for_images:
        raise LabError(f"{name}: no such network; {nearest(name, for_images)}")
    content = {**NETWORKS[name], "network": name, "width_multiplier": width}
    try:
        settings: ModelSettings = TypeAdapter(ModelSettings).validate_json(json.dumps(content))
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise LabError(f"{name} at width {width:g}: {problem}") from None
    assert settings.family != "toy"
    return settings


def _settle() -> None:
    """One thread, and a profiler that is silent about its own work (it looks when torch is loaded)."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    from bottleneck_lab.training.device import settle_process

    settle_process()


def _write(
    out: Path,
    stem: str,
    figure: Any,
    costs: Sequence[record.AnyCost],
    how: record.AnySettings,
) -> None:
    from bottleneck_lab.instruments.bench.record import contents_of
    from bottleneck_lab.records.files import write_json
    from bottleneck_lab.report.drawing.style import save

    save(figure, out / stem)
    write_json(out / f"{stem}.json", contents_of(costs, how))


def _print_networks(costs: Sequence[NetworkCost], how: record.NetworksSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from bottleneck_lab.cli.text import say

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("network", no_wrap=True)
    for name in ("width", "pixels", "batch", "parameters", "M MAdds", "MB", "ms", "quartiles"):
        table.add_column(name, justify="right", no_wrap=True)
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


def _print_split(costs: Sequence[SplitCost], how: record.SplitSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.instruments.bench.costs import PLAIN

    size = f"{how.resolution} x {how.resolution}"
    say(f"{how.network} x{how.width:g} at {size}, batch {how.batch}, float32")
    plain = next(cost for cost in costs if cost.way == PLAIN)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("way", no_wrap=True)
    for name in ("s", "MB", "of plain", "tensors", "eq. (2)", "ms", "quartiles", "x plain"):
        table.add_column(name, justify="right", no_wrap=True)
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


def _print_training(costs: Sequence[TrainingCost], how: record.TrainingSettings, why_not: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from bottleneck_lab.cli.text import say

    size = f"{how.resolution} x {how.resolution}"
    say(f"{how.network} x{how.width:g}, batches of {how.batch} images of {size}, float32")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("kernel", no_wrap=True)
    for name in ("images/s", "ms", "quartiles", "x eager", "kept, MB", "counted", "of eager"):
        table.add_column(name, justify="right", no_wrap=True)
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


def _milliseconds(seconds: Spread) -> tuple[str, str]:
    return f"{1e3 * seconds.median:.1f}", f"{1e3 * seconds.low:.1f}-{1e3 * seconds.high:.1f}"


def _busy(how: record.AnySettings) -> str:
    return f"Load of the machine before: {how.load:.1f} on {os.cpu_count()} cores."


def _load() -> float:
    """Processes that were running in the last minute, on average; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


bench_app = App(
    no_args_is_help=True, help="Measure time and memory of inference and training here, on one thread."
)
bench_app.add(
    "networks",
    networks,
    "bottleneck-lab bench networks --widths 0.5,1 --batches 1 --out latency",
    short="Time networks and measure their memory.",
)
bench_app.add(
    "split",
    split,
    "bottleneck-lab bench split --parts 1,2,4,8 --out split",
    short="Execute a network in parts (Sec. 5).",
)
bench_app.add(
    "training",
    training,
    "bottleneck-lab bench training --out training",
    short="Time a step of training, eager and fused.",
)
