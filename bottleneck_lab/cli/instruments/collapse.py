"""`collapse`: Fig. 1 as a measurement."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.activations import KINDS, label_of
from bottleneck_lab.cli import completion
from bottleneck_lab.cli.options import Include, make_folder
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from rich.table import Table

    from bottleneck_lab.instruments.collapse.result import Band, CollapseResult


def collapse(
    shape: Annotated[
        str,
        typer.Option(
            help="spiral, circle, swiss-roll, gaussian, grid, or a .npy or .csv file of points.",
            autocompletion=completion.shapes,
        ),
    ] = "spiral",
    points: Annotated[int, typer.Option(help="Points of the shape; of a file all are taken.")] = 1000,
    embedding: Annotated[
        str, typer.Option(help="Law of T: gaussian, uniform, orthonormal; or paper, the T of Fig. 1.")
    ] = "gaussian",
    bias: Annotated[
        bool, typer.Option("--bias", help="Add a standard normal bias (Tx has mean square 1).")
    ] = False,
    activation: Annotated[
        str | None,
        typer.Option(help='One that networks may have, such as relu6 or { kind = "leaky", slope = 0.25 }.'),
    ] = None,
    dims: Annotated[
        str | None,
        typer.Option(help="Channels to embed into (default 2,3,5,15,30 as in Fig. 1; paper: 2,3)."),
    ] = None,
    trials: Annotated[int, typer.Option(help="Random matrices for each dim (paper: one).")] = 400,
    seed: Annotated[int, typer.Option(help="Another seed, other matrices and random points.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="Print the rows as JSON and nothing else.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures (SVG and PNG) and all numbers (JSON).")
    ] = None,
    covariates: Annotated[
        bool,
        typer.Option(
            "--covariates",
            help="Instead, print what activations do to a normal variable behind batch norm.",
        ),
    ] = False,
    include: Include = None,
) -> None:
    """Measure what ReLU loses of a manifold that is embedded in few channels, beside Theorem 1.

    Embeds the points by random matrices T, applies the activation, and asks what is left: which points can
    be recovered (Lemma 2), how well four decoders do, and what happens to distances and dimension.
    """
    from rich.console import Console
    from rich.progress import Progress

    from bottleneck_lab.instruments.collapse.measure import default_dims, measure_collapse
    from bottleneck_lab.manifold.shapes import make_shape

    extend.include_all(include or [])
    if covariates:
        _print_covariates(activation, json_)
        return
    activation = activation or "relu"
    data = make_shape(shape, points, seed)
    chosen = default_dims(data.shape[1], embedding) if dims is None else _parse_dims(dims)
    if out is not None:
        make_folder(out)
        check_drawing()
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("matrices", total=len(set(chosen)) * trials)
        result = measure_collapse(
            data,
            chosen,
            embedding=embedding,
            bias=bias,
            activation=activation,
            trials=trials,
            seed=seed,
            progress=lambda finished: progress.advance(task, finished),
        )
    settings = {
        "shape": shape,
        "points": len(data),
        "embedding": embedding,
        "bias": bias,
        "activation": activation,
        "seed": seed,
    }
    if out is not None:
        _write(out, result, settings)
    if json_:
        print(json.dumps(result.rows(), allow_nan=False))
        return
    _print(result, settings)


# What `--covariates` prints where no activation is named: those of the table, and a batch norm's shift
# before ReLU6.
_SHOWN = (
    *((name, 0.0) for name, kind in KINDS.items() if not kind.parameters),
    *((f'{{ kind = "leaky", slope = {slope} }}', 0.0) for slope in (0.75, 0.5, 0.25, 0.1, -0.5, -1)),
    *((f'{{ kind = "clip", limit = {limit} }}', 0.0) for limit in (0.5, 1, 2)),
    ('{ kind = "noise", variance = 0.223 }', 0.0),
    *((f'{{ kind = "bits", bits = {bits} }}', 0.0) for bits in (1, 2, 4)),
    *(("relu6", bias) for bias in (0.5, 1.0, 2.0, 3.0)),
)


def _print_covariates(name: str | None, as_json: bool) -> None:
    """A row for each activation: decodable, linearly decodable, growth of gradients."""
    from rich.console import Console

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.manifold.activations import setting_named
    from bottleneck_lab.manifold.covariates import covariates

    rows = []
    for given, bias in _SHOWN if name is None else [(name, 0.0)]:
        setting = setting_named(given)
        if (found := covariates(setting, bias)) is None:
            raise LabError(f"--activation {given}: a standard normal variable says nothing of it")
        shift = f", after a bias of {bias:g}" if bias else ""
        numbers = (found.decodable, found.linear, found.growth, math.log(found.growth))
        rows.append((f"{label_of(setting)}{shift}", numbers))
    if as_json:
        keys = ("decodable", "linear", "growth", "log_growth")
        named = [{"activation": label, **dict(zip(keys, numbers, strict=True))} for label, numbers in rows]
        print(json.dumps(named, allow_nan=False))
        return
    table = _table("activation", "decodable", "linearly", "growth", "ln growth")
    table.columns[0].justify = "left"
    for label, numbers in rows:
        table.add_row(label, *(f"{number:.3f}" for number in numbers))
    Console(highlight=False).print(table)
    say(
        "For a standard normal z, as batch norm leaves it. decodable: R^2 of the best decoder of z. "
        "linearly: of the best linear one. growth: E f'^2 / Var f, by which the mean square of gradients "
        "grows on its way back through activation and batch norm.",
        style="dim",
    )


def _parse_dims(text: str) -> list[int]:
    try:
        return [int(item) for item in text.split(",")]
    except ValueError:
        raise LabError(f"--dims {text}: give whole numbers with commas between, such as 2,3,5") from None


def _write(out: Path, result: CollapseResult, settings: dict[str, object]) -> None:
    from bottleneck_lab.instruments.collapse.figure import collapse_figures
    from bottleneck_lab.instruments.collapse.record import contents_of
    from bottleneck_lab.records.files import write_json
    from bottleneck_lab.report.drawing.style import save

    path = out / "collapse.json"
    write_json(path, contents_of(result, settings))
    for stem, figure in collapse_figures(path):
        save(figure, out / stem)


def _print(result: CollapseResult, settings: dict[str, object]) -> None:
    from rich.console import Console

    from bottleneck_lab.cli.text import say

    data_dim = result.drawn.shape[1]
    dimensions = f"{data_dim} dimension{'s' if data_dim > 1 else ''}"
    matrices = "the T of Fig. 1" if settings["embedding"] == "paper" else f"{settings['embedding']} T"
    with_bias = " and bias" if settings["bias"] else ""
    say(
        f"{settings['shape']}: {result.points:,} points in {dimensions}; "
        f"{matrices}{with_bias}, {result.collapses[0].trials:,} per dim; {settings['activation']}; "
        f"seed {settings['seed']}"
    )
    console = Console(highlight=False)
    for make in (_recovery_table, _decoder_table, _geometry_table, _bounds_table):
        table, meaning = make(result)
        console.print()
        console.print(table)
        say(meaning, style="dim")


def _recovery_table(result: CollapseResult) -> tuple[Table, str]:
    from bottleneck_lab.manifold.activations import activation_named

    exact = activation_named(result.activation).flat_above == math.inf
    theory = "Theorem 1" if exact else "Theorem 1 (at least)"
    table = _table("dim", "collapsed", theory, "lossy T", "rank", "merged pairs")
    for row in result.collapses:
        table.add_row(
            str(row.dim),
            _with_error(row.collapsed, row.collapsed_se),
            _with_error(row.collapsed_theory, row.collapsed_theory_se),
            f"{100 * row.lossy_matrices:.3g} %",
            f"{row.jacobian_rank:.3f}",
            _number(row.merged_pairs),
        )
    return table, (
        "collapsed: share of points that fail Lemma 2, mean over T ± standard error. lossy T: matrices that "
        "collapse any. rank: mean rank of the Jacobian. merged pairs: share of pairs with one code. "
        "Theorem 1 leaves out single points, such as the origin."
    )


def _decoder_table(result: CollapseResult) -> tuple[Table, str]:
    names = ("pinv_error", "pinv_scaled_error", "affine_error", "neighbour_error")
    table = _table("dim", "pinv", "pinv, scaled", "affine", "nearest")
    for row in result.collapses:
        table.add_row(str(row.dim), *(_with_band(row.bands[name]) for name in names))
    return table, (
        "Error of four decoders: median [5 %, 95 %] over T; 0 is perfect, 1 what answering the mean gets. "
        f"The nearest point without any embedding: {_short(result.of_input['neighbour_error'])}."
    )


def _geometry_table(result: CollapseResult) -> tuple[Table, str]:
    names = (
        "effective_rank",
        "participation_ratio",
        "two_nn_dimension",
        "trustworthiness",
        "continuity",
    )
    table = _table("dim", "effective rank", "participation", "TwoNN", "trustworthiness", "continuity")
    table.add_row("input", *(_short(result.of_input.get(name)) for name in names[:3]), "1", "1")
    for row in result.collapses:
        table.add_row(str(row.dim), *(_short(row.bands[name].median) for name in names))
    return table, (
        "Medians over T, the last two over 40 of them. TwoNN: intrinsic dimension. Trustworthiness: are new "
        "neighbours old ones? Continuity: are old neighbours still neighbours?"
    )


def _bounds_table(_: CollapseResult) -> tuple[Table, str]:
    from bottleneck_lab.manifold.invertibility import bounds_of_mobilenet_blocks
    from bottleneck_lab.report.sentences import numbers

    table = _table("n", "m", "collapsed", "<= m^(n+1)/(2^m n!)", "<= 2^((n+1)log m-m)", "<= 2^(-m/2)")
    for bound in bounds_of_mobilenet_blocks():
        shares = (bound.collapsed, bound.factorial, bound.power, bound.half)
        verdict = "" if bound.last_bound_holds else " false"
        cells = [numbers.power_of_two(share) for share in shares]
        table.add_row(str(bound.data_dim), str(bound.channels), *cells[:3], cells[3] + verdict)
    return table, ("Theorem 1 and the paper's three bounds on it for the bottlenecks of MobileNetV2, m = 6n.")


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return _number(value) if error is None else f"{_number(value)} ± {_number(error)}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _with_band(band: Band) -> str:
    if band.median is None:
        return "-"
    return f"{band.median:.3f} [{band.low:.2f}, {band.high:.2f}]"
