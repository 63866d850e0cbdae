"""The commands: parse, call, print. Whatever is slow to import is imported by the command that needs it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bottleneck_lab import __version__
from bottleneck_lab.cli.ablations.inspect import describe, list_ablations, status
from bottleneck_lab.cli.ablations.new import new
from bottleneck_lab.cli.commands import App, shown
from bottleneck_lab.cli.data import data_app
from bottleneck_lab.cli.instruments.bench import bench_app
from bottleneck_lab.cli.instruments.bridge import bridge
from bottleneck_lab.cli.instruments.collapse import collapse
from bottleneck_lab.cli.instruments.convert import convert
from bottleneck_lab.cli.instruments.explore import explore
from bottleneck_lab.cli.instruments.paper import paper
from bottleneck_lab.cli.instruments.patterns import patterns
from bottleneck_lab.cli.instruments.quantise import quantise
from bottleneck_lab.cli.results.compare import compare
from bottleneck_lab.cli.results.figures import make_figures, publish, verify_figures
from bottleneck_lab.cli.results.report import report
from bottleneck_lab.cli.results.verify import verify
from bottleneck_lab.cli.run import run
from bottleneck_lab.errors import LabError, remedy
from bottleneck_lab.runs import ctrl_c


def _version(asked: bool) -> None:
    if asked:
        print(f"bottleneck_lab {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
]

_RUNS = (
    "run-ablation linear_vs_relu",
    "run-ablation linear_vs_relu --tier smoke --dry-run",
    "run-ablation linear_vs_relu --set train.epochs=10 --seeds 16 --out mine",
)
_DRAWN = ("make-figures", "make-figures collapse latency --check", "make-figures --results results")

app = App(
    no_args_is_help=True,
    epilog=shown(
        "bottleneck-lab list",
        "bottleneck-lab describe linear_vs_relu",
        "bottleneck-lab run linear_vs_relu",
        "bottleneck-lab report results --open",
    ),
)


@app.callback()
def _options(version: Version = False) -> None:
    """Experiments on linear bottlenecks."""


app.add("run", run, *_RUNS, short="Run an ablation: train, judge its claims, report.")
app.add("list", list_ablations, "bottleneck-lab list", short="List the ablations that come with the project.")
app.add(
    "describe",
    describe,
    "bottleneck-lab describe residual_placement",
    "bottleneck-lab describe linear_vs_relu --settings",
    short="Explain an ablation and draw its blocks.",
)
app.add("new", new, "bottleneck-lab new smooth", short="Write an experiment file to start from.")
app.add(
    "status",
    status,
    "bottleneck-lab status",
    "bottleneck-lab status linear_vs_relu --out mine",
    short="Tell how far the ablations in a folder are.",
)
app.add(
    "report",
    report,
    "bottleneck-lab report results --open",
    "bottleneck-lab report results/linear_vs_relu/quick --watch 10",
    short="Make reports again, without training.",
)
app.add(
    "compare",
    compare,
    "bottleneck-lab compare results/linear_vs_relu/quick theirs",
    "bottleneck-lab compare results theirs --html compared.html",
    short="Set two results folders side by side.",
)
app.add(
    "collapse",
    collapse,
    "bottleneck-lab collapse",
    "bottleneck-lab collapse --shape circle --dims 2,4,8 --activation silu",
    "bottleneck-lab collapse --covariates",
    short="Measure what ReLU loses of a manifold (Fig. 1).",
)
app.add("explore", explore, "bottleneck-lab explore", short="Write a page on which Fig. 1 moves.")
app.add("paper", paper, "bottleneck-lab paper", short="Set the paper's numbers beside ours.")
app.add(
    "patterns",
    patterns,
    "bottleneck-lab patterns results/linear_vs_relu/quick/runs/0123456789abcdef",
    short="Count the positive channels of a run (Fig. 7).",
)
app.add(
    "quantise",
    quantise,
    "bottleneck-lab quantise results/few_bits/laptop/runs/0123456789abcdef",
    short="Round a run's network to few bits.",
)
app.add(
    "convert",
    convert,
    "bottleneck-lab convert mobilenet_v2-7ebf99e0.pth --out imported",
    short="Bring in a network of torchvision or timm.",
)
app.add(
    "bridge",
    bridge,
    "bottleneck-lab bridge results/linear_vs_relu/quick",
    short="Set collapse beside accuracy, layer by layer.",
)
app.add(
    "publish",
    publish,
    "bottleneck-lab publish results/linear_vs_relu/laptop",
    short="Pack finished results with their numbers and figures.",
)
app.add("make-figures", make_figures, *_DRAWN, short="Draw figures again, without training.")
app.add(
    "verify-figures",
    verify_figures,
    "bottleneck-lab verify-figures",
    short="Compute published numbers again.",
)
app.add(
    "verify",
    verify,
    "bottleneck-lab verify results figures",
    short="Name what differs from what runs have left.",
)
app.add_typer(bench_app, name="bench", short_help="Measure time and memory, here.")
app.add_typer(data_app, name="data")

run_app = App()
run_app.add("run-ablation", run, *_RUNS)

figures_app = App()
figures_app.add("make-figures", make_figures, *_DRAWN)


def main() -> None:
    """`bottleneck-lab`."""
    _guarded(app)


def run_ablation() -> None:
    """`run-ablation`: the same as `bottleneck-lab run`."""
    _guarded(run_app)


def make_figures_main() -> None:
    """`make-figures`: the same as `bottleneck-lab make-figures`."""
    _guarded(figures_app)


def _guarded(command: typer.Typer) -> None:
    """Turn what a user can cause into a sentence and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without box characters shows `?`
    ctrl_c.end_at_the_second()
    os.environ["MPLBACKEND"] = "agg"  # to files; notebooks hand their own to their children
    if os.environ.get("COLUMNS", "").strip().lstrip("0") == "":
        os.environ.pop("COLUMNS", None)  # a terminal without a width has 80
    warnings.showwarning = _shown_as_sentence(warnings.showwarning)
    try:
        command()
    except SystemExit as error:
        if error.code == ctrl_c.INTERRUPTED:
            ctrl_c.ignore()
        raise
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # of a path that a user has named, or of what lies there
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror or error}; {remedy(error)}", file=sys.stderr)
        sys.exit(2)


def _shown_as_sentence(otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Our own warnings as a line without the place in the code, which helps nobody."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if category.__module__.startswith("bottleneck_lab."):
            print(f"note: {message}", file=sys.stderr)
        else:
            otherwise(message, category, *place, **more)

    return show
