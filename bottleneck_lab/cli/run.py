"""`run-ablation`: plan, train, report."""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab import __version__, extend
from bottleneck_lab.cli import completion
from bottleneck_lab.cli.options import DataDir, Include, Out, parse_seeds
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from bottleneck_lab.api.session.session import Order, Session
    from bottleneck_lab.config import Ablation
    from bottleneck_lab.data.cifar import CifarLayout
    from bottleneck_lab.runs.engines.protocol import Listener
    from bottleneck_lab.runs.jobs import Job
    from bottleneck_lab.runs.plan import Data


def run(
    name: Annotated[
        str | None,
        typer.Argument(
            help="An ablation of the catalogue (see --list), or a file.toml.",
            autocompletion=completion.ablations,
        ),
    ] = None,
    tier: Annotated[
        str,
        typer.Option(
            help="How much to spend: smoke, quick, laptop or paper.", autocompletion=completion.tiers
        ),
    ] = "quick",
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only on this data set (repeat for more); no fallback then.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="5 (seeds 0 to 4), 10-14 or 3,7,8.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a setting: train.epochs=3 (repeat for more; "
            "`bottleneck-lab describe NAME --settings` lists them).",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs trained at a time, one thread each (default: all cores).")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="What trains: local (this machine), ray or slurm (a cluster).",
            autocompletion=completion.engines,
        ),
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster: auto (default), or ray://host:10001.")
    ] = None,
    per_gpu: Annotated[
        int | None, typer.Option(min=1, help="Runs that share a GPU at a time (default: 1).")
    ] = None,
    engine_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="cpus=1, gpus=1; slurm: also partition=..., time=4:00:00, memory=4G (repeat).",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    out: Out = Path("results"),
    data_dir: DataDir = None,
    include: Include = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also log to tensorboard, mlflow or wandb, offline (repeat for more).",
            autocompletion=completion.trackers,
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget earlier runs and train again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and its cost.")
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Run the whole catalogue, one after the other.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the ablations and stop.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the report in a browser at the end.")] = False,
) -> None:
    """Train every variant of an ablation, judge its claims, and write a report.

    Started again, it skips what is finished and goes on with the rest. Exit codes: 0 all done, 1 some runs
    failed, 2 wrong usage or missing data, 130 interrupted.
    """
    if version:
        print(f"bottleneck_lab {__version__}")
        return
    from bottleneck_lab.cli.beforehand import say_question
    from bottleneck_lab.config import TIERS, catalogue, load, parse_overrides
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.runs.engines import read_options

    extend.include_all(include or [])
    if all_ and name is not None:
        raise LabError(f"--all runs the whole catalogue: leave out {name!r}")
    if list_ or not (name or all_):
        from bottleneck_lab.cli.ablations.inspect import list_ablations

        list_ablations()
        if not list_:
            raise LabError("name an ablation, for example: run-ablation linear_vs_relu; or give --all")
        return
    if tier not in TIERS:
        raise LabError(f"--tier {tier}: no such tier; {nearest(tier, TIERS)}")
    trackers = tuple(dict.fromkeys(tracker or []))
    if trackers:
        _refuse_trackers(trackers)
    chosen_seeds, overrides = parse_seeds(seeds), parse_overrides(set_ or [])
    ablations = [load(each) for each in (catalogue() if name is None else [name])]
    asked = {ablation.name: _asked(ablation, dataset or [], skip=all_) for ablation in ablations}
    chosen = [ablation for ablation in ablations if asked[ablation.name] is not None]
    if not chosen:
        raise LabError(f"--dataset {', '.join(dataset or [])}: no ablation of the catalogue can run on it")
    if not all_:
        say_question(chosen[0], tier)
    from bottleneck_lab.api.session.session import Order, refuse_early  # with which torch is imported

    for ablation in chosen:
        refuse_early(ablation, tier, asked[ablation.name] or [], overrides)
    options = read_options(
        engine, engine_option or [], address=address, per_gpu=None if per_gpu is None else str(per_gpu)
    )
    order = Order(
        tier=tier,
        seeds=chosen_seeds,
        overrides=overrides,
        workers=workers,
        engine=engine,
        options=options,
        device=device,
        out=out,
        data_dir=data_dir,
        trackers=trackers,
        fresh=fresh,
        dry_run=dry_run,
    )
    if not dry_run:
        check_drawing()
    ended, refused = {}, []
    for ablation in chosen:
        if all_:
            say_question(ablation, tier)
        try:
            ended[ablation.name] = _run(ablation, asked[ablation.name] or [], order, open_)
        except LabError as error:
            if not all_:
                raise
            print(f"{ablation.name}: {error}", file=sys.stderr)
            refused.append(ablation.name)
    if all_:
        from bottleneck_lab.cli.text import say

        for each, (_, answer) in ended.items():
            say(f"{each}: {answer}")
    if refused:
        raise LabError(f"{' and '.join(refused)} could not be run, as said above")
    if any(failed for failed, _ in ended.values()):
        raise typer.Exit(1)


def _asked(ablation: Ablation, datasets: list[str], skip: bool) -> list[str] | None:
    """The data sets asked for; with `skip` those that the ablation has, None where it has none of them."""
    if not skip or not datasets:
        return datasets
    return [name for name in datasets if ablation.part_of(name)] or None


def _run(ablation: Ablation, asked: Sequence[str], order: Order, show: bool) -> tuple[bool, str]:
    """Plan, train and report one ablation; whether some runs failed, and the answer in a sentence."""
    from bottleneck_lab.api.session.session import Session
    from bottleneck_lab.cli.beforehand import say_estimate, say_plan
    from bottleneck_lab.cli.text import cost_table

    session = Session(ablation, asked, order, _Terminal(order.dry_run))
    with _interruptible(session):
        session.plan_runs()
    say_plan(session)
    session.choose_kernels()
    if order.dry_run:
        cost_table(session.plan)
        say_estimate(session)
        return False, "not run"
    session.begin()
    if order.tier != "smoke":
        say_estimate(session)
    with _interruptible(session, _report_if_any):
        session.train()
    return _report(session, show)


@contextlib.contextmanager
def _interruptible(session: Session, first: Callable[[Session], object] = lambda _: None) -> Iterator[None]:
    """Say after a Ctrl-C how to go on, and exit as one does; what is there to show is shown `first`."""
    try:
        yield
    except KeyboardInterrupt:
        first(session)
        how = _same_command(session.data)
        print(f"Interrupted. What is finished is kept; to go on: {how}", file=sys.stderr)
        raise typer.Exit(130) from None


class _Terminal:
    """Shows what a session has to tell where the command was typed."""

    def __init__(self, dry_run: bool) -> None:
        self._dry_run = dry_run

    def say(self, text: str) -> None:
        from bottleneck_lab.cli.text import say

        say(text)

    def notice(self, text: str) -> None:
        from bottleneck_lab.cli.text import notice

        notice(text)

    def warn(self, text: str) -> None:
        print(text, file=sys.stderr)

    def watching(self, jobs: Sequence[Job]) -> AbstractContextManager[Listener]:
        from bottleneck_lab.api.session.progress import watching

        return watching(jobs)

    def fetch(self, layout: CifarLayout, deadline_s: float | None) -> Path:
        from bottleneck_lab.cli.data import fetch_with_progress

        return (_no_fetch if self._dry_run else fetch_with_progress)(layout, deadline_s)


def _no_fetch(layout: CifarLayout, deadline_s: float | None) -> Path:
    raise LabError(
        f"{layout.title} is not at hand, and --dry-run downloads nothing: give its folder as --data-dir, or "
        f"get it by: bottleneck-lab data fetch {layout.name}"
    )


def _refuse_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that do not exist or are not installed, before anything is downloaded."""
    from bottleneck_lab.runs.trackers.tracking import find_tracker

    for name in names:
        find_tracker(name)


def _report_if_any(session: Session) -> None:
    """The report, unless there is nothing to report."""
    from bottleneck_lab.report.reading.collect import collect

    if any(run.status == "done" for run in collect(session.results).runs):
        _report(session)


def _report(session: Session, show: bool = False) -> tuple[bool, str]:
    """Write and print the report of a session; whether some runs failed, and the answer in a sentence."""
    from bottleneck_lab.cli.text import left_out, notice, print_answer, print_details, say
    from bottleneck_lab.report.reading.collect import collect
    from bottleneck_lab.report.sentences.conditions import trouble
    from bottleneck_lab.report.sentences.verdicts import answer

    path, summary = session.write_report()
    print_details(summary)
    for text in session.plan.data.notices:
        notice(text)
    troubled = collect(session.results).troubled()
    if troubled:
        notice(f"{len(troubled)} runs did not end well and count nowhere:")
    for each in troubled:
        say(trouble(each))
    left_out(summary.strays, summary.other_plans)
    say(f"report: {path.with_suffix('.html')}")
    parts = session.plan.ablation.parts.values()
    print_answer(summary, {claim.id for part in parts for claim in part.claims if claim.headline})
    if show:
        from bottleneck_lab.cli.results.report import show_page

        show_page(path.with_suffix(".html"))
    return bool(troubled), answer(summary.claims)


def _same_command(data: Data) -> str:
    """The command as it was typed, to go on with the same data sets."""
    kept = [argument for argument in sys.argv if argument != "--fresh"]
    if "--dataset" not in kept and "--all" not in kept:
        kept += [word for name in data.names for word in ("--dataset", name)]
    return shlex.join(kept)
