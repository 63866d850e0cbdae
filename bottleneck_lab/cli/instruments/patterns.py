"""`patterns`: Fig. 7 of any finished run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import DataDir, Include, make_folder
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from bottleneck_lab.instruments.trained import TrainedRun
    from bottleneck_lab.manifold.patterns import PixelCounts
    from bottleneck_lab.manifold.positives import Positives, State

    Counts = dict[State, dict[str, PixelCounts]]  # by state and layer


def patterns(
    run_folder: Annotated[
        Path, typer.Argument(help="Folder of a finished run on images: results/NAME/TIER/runs/ID.")
    ],
    data_dir: DataDir = None,
    include: Include = None,
    images: Annotated[
        int | None, typer.Option(min=2, help="Only the first so many held-out images (default: all).")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the rows as JSON and nothing else.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figure (SVG and PNG) and all numbers (JSON).")
    ] = None,
) -> None:
    """Count the positive channels per pixel after every expansion of a network, as in Fig. 7.

    Initial and trained, against the threshold of Lemma 2, beside the paper's own numbers; and the pixels
    that fail the lemma, for which rank and ReLU6's upper bound count as well.
    """
    from bottleneck_lab.instruments.trained import STATES, open_run
    from bottleneck_lab.measures.layers import count_expansions
    from bottleneck_lab.training.device import find_device, settle_process

    settle_process()
    extend.include_all(include or [])
    run = open_run(run_folder, data_dir, find_device())
    if out is not None:
        make_folder(out)
        check_drawing()
    held_out = run.data.held_out
    total = len(held_out) if images is None else min(images, len(held_out))
    counts: Counts = {}
    for state in STATES:
        network = run.network(state, images)
        batches = _with_progress(run.batches(held_out, images), total, state)
        counts[state] = count_expansions(network, batches)
    if not counts["trained"]:
        raise LabError(f"{run_folder}: this network has no expansions (t is 0 or 1 everywhere)")
    rows = [_row(state, layer, of) for state, layers in counts.items() for layer, of in layers.items()]
    if out is not None:
        _write(out, run, total, rows)
    if json_:
        print(json.dumps(rows, allow_nan=False))
        return
    _print(run, total, counts)


def _with_progress(batches: Iterable[Any], total: int, state: str) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import Progress

    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task(f"images, {state}", total=total)
        for batch in batches:
            yield batch
            progress.advance(task, len(batch))


def _row(state: str, layer: str, counts: PixelCounts) -> dict[str, str | int | float]:
    from dataclasses import asdict

    return {
        "state": state,
        "layer": layer,
        **asdict(counts.positives),
        "pixels": counts.pixels,
        "below_threshold": counts.share_of_pixels(counts.below_threshold),
        "lost_at_zero": counts.share_of_pixels(counts.lost_at_zero),
        "lost": counts.share_of_pixels(counts.lost),
        "clipped_low": counts.share_of_channels(counts.clipped_low),
        "clipped_high": counts.share_of_channels(counts.clipped_high),
    }


def _write(out: Path, run: TrainedRun, images: int, rows: Sequence[Mapping[str, object]]) -> None:
    from bottleneck_lab.instruments.patterns.figure import patterns_figures
    from bottleneck_lab.instruments.patterns.record import contents_of
    from bottleneck_lab.records.files import write_json
    from bottleneck_lab.report.drawing.style import save

    path = out / "patterns.json"
    write_json(path, contents_of(run, images, rows))
    for stem, figure in patterns_figures(path):
        save(figure, out / stem)


def _print(run: TrainedRun, images: int, counts: Counts) -> None:
    from rich.console import Console

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.instruments.patterns.figure import TITLES
    from bottleneck_lab.manifold.positives import PAPER

    settings = run.settings
    right = "" if math.isnan(run.accuracy) else f"{100 * run.accuracy:.1f} % right; "
    say(
        f"{settings.variant}, seed {settings.seed}: {settings.model.network} on {settings.dataset}, "
        f"{right}{images:,} held-out images"
    )
    console = Console(highlight=False)
    for state, layers in counts.items():
        console.print()
        console.print(_table(TITLES[state], layers))
    say(
        "Positive channels of m, per pixel; n is the threshold of Lemma 2. lost: share of pixels that fail "
        "the lemma if channels clipped at 0 are lost, and if those clipped at 6 are too. (The rank of the "
        "rows that are left is computed for pixels with n to n + 7 of them, and taken for n above that.) "
        "at 6: share of channels clipped there.",
        style="dim",
    )
    for state, paper in PAPER.items():
        console.print()
        console.print(_paper_table(f"the paper's Fig. 7, {'step 0' if state != 'trained' else state}", paper))
    say(_correspondence(list(counts["trained"].values())), style="dim")


def _table(title: str, layers: dict[str, PixelCounts]) -> Table:
    table = _empty(title, "lost, 0", "lost, 0, 6", "at 6")
    for name, counts in layers.items():
        table.add_row(
            name.removesuffix(".expansion"),
            *_cells(counts.positives),
            _number(counts.share_of_pixels(counts.lost_at_zero)),
            _number(counts.share_of_pixels(counts.lost)),
            _number(counts.share_of_channels(counts.clipped_high)),
        )
    return table


def _paper_table(title: str, layers: Sequence[Positives]) -> Table:
    table = _empty(title)
    for index, layer in enumerate(layers):
        table.add_row(f"layer {index}", *_cells(layer))
    return table


def _empty(title: str, *more: str) -> Table:
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    table.add_column("", no_wrap=True, min_width=9)
    for name in ("m", "n", "min", "mean", "max", "sd", "mean/m", "sd/m", *more):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(layer: Positives) -> list[str]:
    return [
        str(layer.channels),
        str(layer.threshold),
        str(layer.minimum),
        f"{layer.mean:.1f}",
        str(layer.maximum),
        f"{layer.deviation:.1f}",
        f"{layer.mean / layer.channels:.3f}",
        f"{layer.deviation / layer.channels:.3f}",
    ]


def _number(share: float) -> str:
    return "0" if share == 0 else f"{share:.4f}" if share >= 1e-3 else f"{share:.1e}"


def _correspondence(counts: Sequence[PixelCounts]) -> str:
    from bottleneck_lab.manifold.positives import PAPER

    sizes = [(of.channels, of.threshold) for of in counts]
    if sizes == [(layer.channels, layer.threshold) for layer in PAPER["trained"]]:
        return "This network's expansions are those of Fig. 7, one by one."
    return f"This network's {len(sizes)} expansions are not the 16 of Fig. 7: compare shares, not numbers."
