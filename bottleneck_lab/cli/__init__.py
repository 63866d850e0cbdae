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

_LOOKS = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
_EXAMPLES = """\b
Examples:
  run-ablation linear_vs_relu
  run-ablation linear_vs_relu --tier smoke --dry-run
  run-ablation linear_vs_relu --set train.epochs=10 --seeds 16 --out mine
"""
_FIRST = """\b
Examples:
  bottleneck-lab list
  bottleneck-lab describe linear_vs_relu
  bottleneck-lab run linear_vs_relu
  bottleneck-lab report results --open
"""


def _version(asked: bool) -> None:
    if asked:
        print(f"bottleneck_lab {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
]

app = typer.Typer(no_args_is_help=True, help="Experiments on linear bottlenecks.", epilog=_FIRST, **_LOOKS)  # type: ignore[arg-type]


@app.callback()
def _options(version: Version = False) -> None:
    """Experiments on linear bottlenecks."""


app.command("run", short_help="Run an ablation: train, judge its claims, report.", epilog=_EXAMPLES)(run)
app.command("list", short_help="List the ablations that come with the project.")(list_ablations)
app.command("describe", short_help="Explain an ablation and draw its blocks.")(describe)
app.command("new", short_help="Write an experiment file to start from.")(new)
app.command("status", short_help="Tell how far the ablations in a folder are.")(status)
app.command("report", short_help="Make reports again, without training.")(report)
app.command("compare", short_help="Set two results folders side by side.")(compare)
app.command("collapse", short_help="Measure what ReLU loses of a manifold (Fig. 1).")(collapse)
app.command("explore", short_help="Write a page on which Fig. 1 moves.")(explore)
app.command("paper", short_help="Set the paper's numbers beside ours.")(paper)
app.command("patterns", short_help="Count the positive channels of a run (Fig. 7).")(patterns)
app.command("quantise", short_help="Round a run's network to few bits.")(quantise)
app.command("convert", short_help="Bring in a network of torchvision or timm.")(convert)
app.command("bridge", short_help="Set collapse beside accuracy, layer by layer.")(bridge)
app.command("publish", short_help="Pack finished results with their numbers and figures.")(publish)
app.command("make-figures", short_help="Draw figures again, without training.")(make_figures)
app.command("verify-figures", short_help="Compute published numbers again.")(verify_figures)
app.command("verify", short_help="Name what differs from what runs have left.")(verify)
app.add_typer(bench_app, name="bench")
app.add_typer(data_app, name="data")

run_app = typer.Typer(**_LOOKS)  # type: ignore[arg-type]
run_app.command("run-ablation", epilog=_EXAMPLES)(run)

figures_app = typer.Typer(**_LOOKS)  # type: ignore[arg-type]
figures_app.command("make-figures")(make_figures)


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
