"""`bridge`: from Lemma 2 to accuracy, layer by layer, in the networks of a results folder."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import DataDir, Include, make_folder
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from rich.table import Table

    from bottleneck_lab.instruments.bridge.blocks import Bridge
    from bottleneck_lab.instruments.bridge.record import Comparison, Row


def bridge(
    results_folder: Annotated[
        Path, typer.Argument(help="Folder of an ablation and tier with image runs: results/NAME/TIER.")
    ],
    data_dir: DataDir = None,
    include: Include = None,
    images: Annotated[
        int | None,
        typer.Option(min=20, help="At most so many training and so many held-out images (default: all)."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print rows and comparisons as JSON only.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for table and figure (default: the results folder).")
    ] = None,
) -> None:
    """Measure what every bottleneck loses, in all finished image runs, beside the accuracy they reached.

    For each block, before and after training: pixels that fail Lemma 2, channels clipped, effective rank, a
    linear probe, and where batch norm has moved. Writes bridge.csv, bridge.json and a figure per data set.
    """
    from rich.console import Console
    from rich.progress import Progress

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.instruments.bridge.measure import build_bridge
    from bottleneck_lab.instruments.bridge.record import contents_of
    from bottleneck_lab.training.device import find_device, settle_process

    settle_process()
    extend.include_all(include or [])
    if out is not None:
        make_folder(out)
        check_drawing()
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("runs", total=None)
        found = build_bridge(
            results_folder,
            data_dir,
            find_device(),
            images,
            lambda done, of: progress.update(task, completed=done, total=of),
        )
    written = _write(out or results_folder, found, images)
    if json_:
        print(json.dumps(contents_of(found), allow_nan=False))
        return
    _print(found)
    say(f"table and figure: {', '.join(map(str, written))}")


def _write(folder: Path, found: Bridge, images: int | None) -> list[Path]:
    """The files that hold the means as a table, the figures, and everything, seed by seed."""
    from bottleneck_lab.instruments.bridge.figure import figures_in
    from bottleneck_lab.instruments.bridge.record import record_of
    from bottleneck_lab.records.files import write_json, write_text
    from bottleneck_lab.report.drawing.style import save

    stream = io.StringIO()
    rows = [asdict(row) for row in found.rows()]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "bridge.csv", stream.getvalue())
    write_json(folder / "bridge.json", record_of(found, images))
    figures = [save(figure, folder / stem)[0] for stem, figure in figures_in(found.drawn())]
    return [folder / "bridge.csv", *figures]


def _print(found: Bridge) -> None:
    from rich.console import Console

    from bottleneck_lab.cli.text import say

    console = Console(highlight=False)
    rows = found.rows()
    for dataset, variant in found.settings:
        own = [row for row in rows if (row.dataset, row.variant) == (dataset, variant)]
        console.print()
        seeds = "one seed" if own[0].seeds == 1 else f"mean of {own[0].seeds} seeds"
        say(f"{dataset}: {variant}: {100 * own[0].accuracy:.1f} % right ({seeds})", style="bold")
        console.print(_blocks_table(own))
    say(
        "expand, lost: share of pixels that fail Lemma 2 after the expansion, and after the bottleneck's own "
        "activation (a shortcut carries its input past that all the same). at 0, at 6: % of the bottleneck's "
        "channels clipped. rank: effective rank before and after the activation. affine: error of the best "
        "affine map back through it. probe: % a linear probe gets right on the block's output. shift, scale: "
        "batch norm of the projection. An arrow leads from the network before training to the trained one; "
        "all else is of the trained one.",
        style="dim",
    )
    if found.course:
        console.print()
        console.print(_course_table(found))
        say(
            "Share of bottleneck pre-activations below 0 and above 6 after each epoch, mean over blocks and "
            "seeds: whether training moves batch norm into the linear range of a ReLU6.",
            style="dim",
        )
    comparisons = found.comparisons()
    if comparisons:
        console.print()
        console.print(_comparisons_table(comparisons))
        say(
            "Points lost to the linear variant that is the same otherwise, over common seeds: accuracy with "
            "its 95 % interval, and the probe on the first and the last bottleneck. clipped: channels of all "
            "bottlenecks, before and after training. lost: pixels that fail Lemma 2 there.",
            style="dim",
        )


def _blocks_table(rows: list[Row]) -> Table:
    names = ("block", "width", "expand", "lost", "at 0", "at 6", "rank", "affine", "probe", "shift", "scale")
    table = _table(*names)
    initial = {row.block: row for row in rows if row.state == "initial"}
    for row in rows:
        if row.state == "trained":
            start = initial[row.block]
            table.add_row(
                str(row.block),
                str(row.width),
                _share(row.expansion_lost),
                _share(row.lost),
                f"{100 * start.clipped_low:.0f}→{100 * row.clipped_low:.0f}",
                f"{100 * start.clipped_high:.0f}→{100 * row.clipped_high:.1f}",
                f"{row.rank_before:.1f} {row.rank_after:.1f}",
                f"{row.affine_error:.2f}",
                f"{100 * start.probe:.0f}→{100 * row.probe:.1f}",
                f"{round(row.norm_bias, 2) + 0.0:.2f}",  # no -0.00
                f"{row.norm_scale:.2f}",
            )
    return table


MOST_EPOCHS = 6  # columns of a table


def _course_table(found: Bridge) -> Table:
    """A row for each variant, a column for each of at most `MOST_EPOCHS` epochs, evenly chosen."""
    epochs = sorted({moment.epoch for moment in found.course})
    most = min(MOST_EPOCHS, len(epochs)) - 1
    shown = sorted(
        {epochs[round(place * (len(epochs) - 1) / most)] if most else epochs[-1] for place in range(most + 1)}
    )
    table = _table("", *(f"epoch {epoch}" for epoch in shown))
    for dataset, variant in found.settings:
        shares = {m.epoch: m for m in found.course if (m.dataset, m.variant) == (dataset, variant)}
        cells = (
            f"{100 * shares[epoch].below_zero:.0f}, {100 * shares[epoch].above_six:.1f} %"
            if epoch in shares
            else "-"
            for epoch in shown
        )
        table.add_row(f"{dataset}: {variant}", *cells)
    return table


def _comparisons_table(comparisons: list[Comparison]) -> Table:
    table = _table("", "accuracy lost", "first probe", "last probe", "clipped", "lost")
    for compared in comparisons:
        interval = ""
        if compared.ci_low is not None and compared.ci_high is not None:
            interval = f" [{100 * compared.ci_low:.1f}, {100 * compared.ci_high:.1f}]"
        table.add_row(
            f"{compared.dataset}: {compared.variant}",
            f"{100 * compared.accuracy_lost:.1f}{interval}",
            f"{100 * compared.probe_lost_first:.1f}",
            f"{100 * compared.probe_lost_last:.1f}",
            f"{100 * compared.clipped_initial:.0f}→{100 * compared.clipped:.0f} %",
            _share(compared.lost),
        )
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        justify = "right" if name else "left"
        table.add_column(name, justify=justify, no_wrap=bool(name))  # type: ignore[arg-type]
    return table


def _share(share: float | None) -> str:
    """A share in few characters."""
    if share is None:
        return "-"
    return f"{share:.3f}" if 1e-3 <= share < 0.9995 else f"{share:.2g}" if share < 1e-3 else f"{share:.4g}"
