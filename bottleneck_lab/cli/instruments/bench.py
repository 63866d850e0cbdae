"""`bench`: time and memory of inference and training on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bottleneck_lab.cli.commands import App
from bottleneck_lab.cli.options import make_folder
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from bottleneck_lab.config import MobileNetV2Settings
    from bottleneck_lab.instruments.bench.record import AnyCost, AnySettings
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
    _begin(out)

    from bottleneck_lab.cli.instruments.bench_tables import print_networks
    from bottleneck_lab.instruments.bench.measure import measure_networks
    from bottleneck_lab.instruments.bench.record import NetworksSettings

    how = NetworksSettings(rounds, _load())
    costs = measure_networks(settings, chosen_resolutions, chosen_batches, rounds)
    if not _left("networks", costs, how, json_, out):
        print_networks(costs, how)


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
    settings = _inverted(network, width, "can be split")
    _begin(out)

    from bottleneck_lab.cli.instruments.bench_tables import print_split
    from bottleneck_lab.instruments.bench.measure import measure_split
    from bottleneck_lab.instruments.bench.record import SplitSettings

    how = SplitSettings(network, width, resolution, batch, rows, fused, rounds, _load())
    costs = measure_split(settings, resolution, batch, chosen_parts, rows, fused, rounds)
    if not _left("split", costs, how, json_, out):
        print_split(costs, how)


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
    settings = _inverted(network, width, "have the fused kernel")
    _begin(out)

    from bottleneck_lab.cli.instruments.bench_tables import print_training
    from bottleneck_lab.instruments.bench.measure import measure_training
    from bottleneck_lab.instruments.bench.record import TrainingSettings
    from bottleneck_lab.models import fused

    how = TrainingSettings(network, width, resolution, batch, rounds, _load())
    costs = measure_training(settings, resolution, batch, rounds)
    if not _left("training", costs, how, json_, out):
        print_training(costs, how, fused.why_not())


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


def _inverted(name: str, width: float, what: str) -> MobileNetV2Settings:
    """The same for what networks of inverted residuals alone have or can."""
    settings = _settings(name, width)
    if settings.family != "mobilenet_v2":
        raise LabError(f"--network {name}: only networks of inverted residual blocks {what}")
    return settings


def _begin(out: Path | None) -> None:
    """See that all can be written; one thread, and a profiler silent about its own work.

    The profiler looks whether it is to be when torch is loaded.
    """
    if out is not None:
        make_folder(out)
        check_drawing()
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    from bottleneck_lab.training.device import settle_process

    settle_process()


def _left(
    stem: str,
    costs: Sequence[AnyCost],
    how: AnySettings,
    json_: bool,
    out: Path | None,
) -> bool:
    """Leave figure and numbers in `out`, if there is one; print the numbers as JSON if asked; whether so."""
    from bottleneck_lab.instruments.bench import figure
    from bottleneck_lab.instruments.bench.record import contents_of
    from bottleneck_lab.records.files import write_json
    from bottleneck_lab.report.drawing.style import save

    contents = contents_of(costs, how)
    if out is not None:
        save(getattr(figure, f"draw_{stem}")(costs), out / stem)
        write_json(out / f"{stem}.json", contents)
    if json_:
        print(json.dumps(contents, allow_nan=False))
    return json_


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
