"""`quantise`: one trained network in few bits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import DataDir, Include, make_folder
from bottleneck_lab.errors import LabError
from bottleneck_lab.quantise.scheme import EXAMPLE, parse_scheme
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bottleneck_lab.instruments.trained import TrainedRun
    from bottleneck_lab.quantise.scheme import Scheme
    from bottleneck_lab.quantise.table import Integers, Reach, Row, Subject


def quantise(
    run_folder: Annotated[
        Path,
        typer.Argument(help="Folder of a finished run on images, or of a network that `convert` has left."),
    ],
    scheme: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this way to round, as {EXAMPLE} (repeat for more)."),
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=2, help="Only the first so many held-out images (default: all).")
    ] = None,
    data_dir: DataDir = None,
    include: Include = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print all numbers as JSON and nothing else.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figure of ranges (SVG, PNG) and all numbers (JSON).")
    ] = None,
) -> None:
    """Round a trained network to 8, 6 and 4 bits, and say what that costs.

    Weights with a grid for each channel or for the whole tensor, batch norm folded in or not; activations
    unsigned, symmetric or asymmetric, with ranges from min to max, by percentiles, or by least squared error
    on 500 training images. Whatever the bits, images, first layer, classifier's weights and logits keep 8.
    Nothing is trained again.
    """
    from bottleneck_lab.instruments.ranges.record import contents_of
    from bottleneck_lab.instruments.trained import open_run
    from bottleneck_lab.quantise.table import Subject, default_schemes, reaches
    from bottleneck_lab.training.device import find_device, settle_process

    schemes = list(dict.fromkeys(map(_read, scheme or [])))
    settle_process()
    extend.include_all(include or [])
    run = open_run(run_folder, data_dir, find_device())
    if out is not None:
        make_folder(out)
        check_drawing()
    subject = Subject(run.network("trained"), _first(run, images))
    rows = [subject.row(each) for each in _with_progress(schemes or default_schemes())]
    integers = subject.integers()
    layers = list(reaches(subject.network, subject.spreads))
    contents = contents_of(run, subject, rows, integers, layers)
    if out is not None:
        from bottleneck_lab.instruments.ranges.figure import draw_ranges
        from bottleneck_lab.records.files import write_json
        from bottleneck_lab.report.drawing.style import save

        save(draw_ranges(contents), out / "ranges")
        write_json(out / "ranges.json", contents)
    if json_:
        print(json.dumps(contents, allow_nan=False))
        return
    _print(run, subject, rows, integers, layers)


def _read(name: str) -> Scheme:
    try:
        return parse_scheme(name)
    except ValueError as error:
        raise LabError(f"--scheme {error}") from None


def _first(run: TrainedRun, count: int | None) -> Any:
    from dataclasses import replace

    from bottleneck_lab.data.images import Images

    held_out = run.data.held_out
    return replace(run.data, held_out=Images(held_out.pixels[:count], held_out.labels[:count]))


def _with_progress(schemes: Sequence[Scheme]) -> Any:
    from rich.console import Console
    from rich.progress import track

    stderr = Console(stderr=True)
    return track(schemes, "ways to round", console=stderr, transient=True, disable=not stderr.is_terminal)


def _print(
    run: TrainedRun, subject: Subject, rows: Sequence[Row], integers: Integers | str, layers: Sequence[Reach]
) -> None:
    from rich.console import Console

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.quantise.scheme import BITS

    settings = run.settings
    known = "" if math.isnan(run.accuracy) else f", seed {settings.seed}"
    say(
        f"{settings.variant}{known}: {settings.model.network} on {settings.dataset}, "
        f"{len(subject.logits):,} held-out images"
    )
    if subject.accuracy is None:
        say("Its classifier tells nothing, so this is signal over noise of the features before it, in dB:")
    else:
        say(f"{100 * subject.accuracy:.1f} % right as it is; in few bits, % right:")
    console = Console(highlight=False)
    console.print(_table(subject, rows))
    say(_said_of_integers(integers), style="dim")
    for of in ("weights", "activations"):
        mine = [layer for layer in layers if layer.of == of]
        total = sum(len(layer.low) for layer in mine)
        lost = ", ".join(f"{sum(layer.all_zero(bits) for layer in mine)} in {bits} bits" for bits in BITS)
        say(f"Of {total:,} channels of {of}, one grid a layer makes all 0: {lost}.", style="dim")


def _table(subject: Subject, rows: Sequence[Row]) -> Any:
    from rich.table import Table

    from bottleneck_lab.quantise.scheme import BITS
    from bottleneck_lab.quantise.table import KINDS

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    found = {row.scheme: row for row in rows}
    kinds = [kind for kind, name in KINDS.items() if name.format(bits=BITS[0]) in found]
    if set(found) != {KINDS[kind].format(bits=bits) for kind in kinds for bits in BITS}:  # what was asked for
        table.add_column("way to round", overflow="fold")
        table.add_column("", justify="right")
        for row in rows:
            table.add_row(row.scheme, _cell(row))
        return table
    table.add_column("bits", overflow="fold")
    for bits in BITS:
        table.add_column(str(bits), justify="right", no_wrap=True)
    for kind in kinds:
        table.add_row(kind, *(_cell(found[KINDS[kind].format(bits=bits)]) for bits in BITS))
    return table


def _cell(row: Row) -> str:
    if row.accuracy is not None:
        return f"{100 * row.accuracy:.1f}"
    return "-" if row.signal is None else f"{row.signal:.1f}"


def _said_of_integers(integers: Integers | str) -> str:
    if isinstance(integers, str):
        return f"Not checked in integers: {integers}."
    right = ""
    if integers.accuracy is not None and integers.accuracy_floats is not None:
        integer, rounded = 100 * integers.accuracy, 100 * integers.accuracy_floats
        right = f"{integer:.2f} % right ({rounded:.2f} % in rounded floats), "
    return (
        f"In torch's 8-bit integers ({integers.scheme}): {right}{100 * integers.same:.2f} % of the images "
        f"get the same class; no logit is further off than {integers.steps:.0f} of its 256 steps."
    )
