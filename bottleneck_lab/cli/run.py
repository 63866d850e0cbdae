"""`run-ablation`: plan, train, report."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import DataDir, Include, Out, check_drawing, parse_seeds, writing
from bottleneck_lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bottleneck_lab.cli.steps import Steps
    from bottleneck_lab.config import Ablation, Tier
    from bottleneck_lab.config.tuning import Tuned
    from bottleneck_lab.data.cifar import CifarLayout
    from bottleneck_lab.runs.engines.protocol import Engine, Options
    from bottleneck_lab.runs.jobs import Job
    from bottleneck_lab.runs.plan import Data, Plan
    from bottleneck_lab.runs.tracking import Tracking
    from bottleneck_lab.runs.work import Workplace


def run(
    name: Annotated[
        str | None, typer.Argument(help="An ablation of the catalogue (see --list), or a file.toml.")
    ] = None,
    tier: Annotated[str, typer.Option(help="How much to spend: smoke, quick, laptop or paper.")] = "quick",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only on this data set (repeat for more); no fallback then.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="5 (seeds 0 to 4), 10-14 or 3,7,8.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting: train.epochs=3 (repeat for more).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs trained at a time, one thread each (default: all cores).")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What trains: local (this machine), ray or slurm (a cluster).")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster: auto (default), or ray://host:10001.")
    ] = None,
    per_gpu: Annotated[
        int | None, typer.Option(min=1, help="Runs that share a GPU at a time (default: 1).")
    ] = None,
    engine_option: Annotated[
        list[str] | None,
        typer.Option(help="cpus=1, gpus=1; slurm: also partition=..., time=4:00:00, memory=4G (repeat)."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    out: Out = Path("results"),
    data_dir: DataDir = None,
    include: Include = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="Also log to tensorboard, mlflow or wandb, offline (repeat for more)."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget earlier runs and train again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and its cost.")
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Run the whole catalogue, one after the other.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the ablations and stop.")] = False,
) -> None:
    """Train every variant of an ablation, judge its claims, and write a report.

    Started again, it skips what is finished and goes on with the rest. Exit codes: 0 all done, 1 some runs
    failed, 2 wrong usage or missing data, 130 interrupted.
    """
    from bottleneck_lab.config import TIERS, catalogue, load, parse_overrides
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.runs.engines import read_options

    extend.include_all(include or [])
    if all_ and name is not None:
        raise LabError(f"--all runs the whole catalogue: leave out {name!r}")
    if list_ or not (name or all_):
        from bottleneck_lab.cli.inspect import list_ablations

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
    for ablation in chosen:
        _refuse_early(ablation, tier, asked[ablation.name] or [], overrides)
    options = read_options(
        engine, engine_option or [], address=address, per_gpu=None if per_gpu is None else str(per_gpu)
    )
    order = _Order(
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
        try:
            ended[ablation.name] = _run(ablation, asked[ablation.name] or [], order)
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


@dataclass(frozen=True)
class _Order:
    """What the options say of every ablation that is run."""

    tier: Tier
    seeds: list[int] | None
    overrides: dict[str, Any]
    workers: int | None
    engine: str
    options: Options
    device: str
    out: Path
    data_dir: Path | None
    trackers: tuple[str, ...]
    fresh: bool
    dry_run: bool


def _asked(ablation: Ablation, datasets: list[str], skip: bool) -> list[str] | None:
    """The data sets asked for; with `skip` those that the ablation has, None where it has none of them."""
    if not skip or not datasets:
        return datasets
    return [name for name in datasets if ablation.part_of(name)] or None


def _run(ablation: Ablation, asked: Sequence[str], order: _Order) -> tuple[bool, str]:
    """Plan, train and report one ablation; whether some runs failed, and the answer in a sentence."""
    from bottleneck_lab.cli.data import fetch_with_progress
    from bottleneck_lab.cli.kernel import say_kernels
    from bottleneck_lab.cli.steps import Steps
    from bottleneck_lab.runs import files
    from bottleneck_lab.runs.plan import choose_data, keep_to, make_plan
    from bottleneck_lab.runs.work import Workplace
    from bottleneck_lab.training import find_device

    away = order.engine != "local"
    device = order.device if away else str(find_device(order.device))
    fetch = _no_fetch if order.dry_run else fetch_with_progress
    data = choose_data(ablation, asked, order.data_dir, order.tier, fetch)
    results = order.out / ablation.name / order.tier
    tuned = _tuned(ablation, data, Workplace(results, device, data.folders, extend.included()), order)
    plan = make_plan(ablation, order.tier, data, order.seeds, order.overrides, tuned)
    plan = keep_to(files.read_json(results / "plan.json"), plan, results)
    steps = Steps(plan, results)
    jobs = steps.next()
    count = order.workers
    if not away:
        most = len(steps.most() if steps.are_planned_looks else jobs)
        count = max(1, min(count or _default_workers(device, order.options.per_gpu), most))
    _announce(plan, data, results, device, count, order.engine)
    if not away:
        say_kernels(plan.runs(), device)
    if order.dry_run:
        _print_costs(plan)
        _print_estimate(jobs, steps, plan, results, device, None if away else count)
        return False, "not run"
    files.sweep(results)
    _write_plan(plan, results)
    if order.fresh:
        _forget(plan, Workplace(results))
        jobs = steps.restart()
    if order.tier != "smoke":
        _print_estimate(jobs, steps, plan, results, device, None if away else count)
    tracking = _tracking(plan, results, order)
    place = Workplace(results, device, data.folders, extend.included(), checksums=plan.checksums)
    interrupted = _train(jobs, steps, place, order, count, tracking)
    failed, answer = _report(plan, results)
    if interrupted:
        print(f"Interrupted. What is finished is kept; to go on: {_same_command(data)}", file=sys.stderr)
        raise typer.Exit(130)
    return failed, answer


def _tuned(ablation: Ablation, data: Data, place: Workplace, order: _Order) -> list[Tuned]:
    """What is chosen for the arms before anything is compared."""
    from bottleneck_lab.cli.tuning import tune_all
    from bottleneck_lab.runs import engines

    def start(place: Workplace, jobs: int) -> Engine:
        count = order.workers
        if order.engine == "local":
            count = min(count or _default_workers(place.device, order.options.per_gpu), jobs)
        return engines.start(order.engine, place, count, order.options)

    try:
        with writing(place.results, _KEPT):
            return tune_all(
                ablation,
                order.tier,
                data,
                order.overrides,
                place,
                start,
                fresh=order.fresh,
                dry_run=order.dry_run,
            )
    except KeyboardInterrupt:
        print(f"Interrupted. What is finished is kept; to go on: {_same_command(data)}", file=sys.stderr)
        raise typer.Exit(130) from None


def _unfinished(jobs: Sequence[Job], results: Path) -> list[Job]:
    return [job for job in jobs if job.unfinished(results)]


def _no_fetch(layout: CifarLayout, deadline_s: float | None) -> Path:
    raise LabError(
        f"{layout.title} is not at hand, and --dry-run downloads nothing: give its folder as --data-dir, or "
        f"get it by: bottleneck-lab data fetch {layout.name}"
    )


def _default_workers(device: str, per_gpu: int) -> int:
    """All cores on a CPU; one process on an accelerator, or as many as are to share it."""
    if device != "cpu":
        return per_gpu
    from joblib import cpu_count

    try:
        return int(cpu_count())
    except ValueError as error:  # what it reads has to be a number
        given = os.environ.get("LOKY_MAX_CPU_COUNT", "")
        raise LabError(
            f"LOKY_MAX_CPU_COUNT={given}: give a whole number above 0, or unset it ({error})"
        ) from error


def _announce(plan: Plan, data: Data, results: Path, device: str, workers: int | None, engine: str) -> None:
    from bottleneck_lab.cli.text import notice, say
    from bottleneck_lab.config import TIERS

    say(f"{plan.ablation.name}: {plan.ablation.question}")
    say(f"tier {plan.tier}: {TIERS[plan.tier]}")
    for name in data.names:
        variants = sum(variant.dataset == name for variant in plan.variants)
        where = f" from {data.folders[name]}" if name in data.folders else ""
        seeds, design = f"{len(plan.seeds[name])} seeds", plan.designs[name]
        if design is not None and design.sequential:
            first, *more = map(str, design.looks)
            seeds = f"{first} seeds{f', then {_listed(more)} where a claim is open' if more else ''}"
        say(f"  {name}: {variants} variants x {seeds}{where}")
    pace = "as many at a time as there is room for" if workers is None else f"{workers} at a time"
    where = f"{device}" if engine == "local" else f"{engine}, device {device}"
    say(f"{_counted(plan)} runs, {pace} on {where}, results in {results}")
    for text in plan.data.notices:
        notice(text)


def _listed(numbers: Sequence[str]) -> str:
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)


def _counted(plan: Plan) -> str:
    """How many runs a plan has: `405`, or `96 to 400` where that depends on the verdicts."""
    most = sum(len(plan.seeds[variant.dataset]) for variant in plan.variants)
    designs = (plan.designs[variant.dataset] for variant in plan.variants)
    least = sum(
        design.looks[0] if design else len(plan.seeds[variant.dataset])
        for variant, design in zip(plan.variants, designs, strict=True)
    )
    return str(most) if least == most else f"{least} to {most}"


def _print_costs(plan: Plan) -> None:
    from bottleneck_lab.cli.text import cost_table

    cost_table(plan)


def _print_estimate(
    jobs: Sequence[Job], steps: Steps, plan: Plan, results: Path, device: str, workers: int | None
) -> None:
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.runs.estimate import estimate_bytes

    megabytes = estimate_bytes(plan) / 1e6
    now = _time_for(jobs, results, device, workers)
    if not steps.are_planned_looks:
        say(f"{now}; about {megabytes:.0f} MB of disk in all")
        return
    say(f"{now} for the first look; at most {megabytes:.0f} MB of disk in all")
    say(f"at most, if no claim is decided early: {_time_for(steps.most(), results, device, workers)}")


def _time_for(jobs: Sequence[Job], results: Path, device: str, workers: int | None) -> str:
    from bottleneck_lab.report.sentences.numbers import duration
    from bottleneck_lab.runs.estimate import estimate_seconds

    # What a cluster will take is not known here; what one worker of this machine would, is.
    jobs = _unfinished(jobs, results)
    seconds = estimate_seconds(jobs, results, device, workers or 1)
    left = sum(len(job.unfinished(results)) for job in jobs)
    took = "for a time that cannot be estimated" if seconds is None else f"about {duration(seconds)}"
    took += "" if workers else " if this machine did one at a time"
    return f"{left} runs to train, {took}"


def _refuse_early(ablation: Ablation, tier: Tier, asked: Sequence[str], overrides: dict[str, Any]) -> None:
    """Refuse what is impossible on every data set that could be chosen, before anything is downloaded."""
    choices = [[name] for name in asked] or [list(part.datasets) for part in ablation.parts.values()]
    for candidates in choices:
        others = ablation.parts.keys() - {ablation.part_of(candidates[0])}
        concerned = {key: value for key, value in overrides.items() if key not in others}
        refusals = []
        for name in candidates:
            try:
                ablation.variants(tier, [name], concerned)
            except LabError as error:
                refusals.append(error)
        if len(refusals) == len(candidates):
            raise refusals[0]


def _forget(plan: Plan, place: Workplace) -> None:
    from bottleneck_lab.runs import slurm_queue, under_way
    from bottleneck_lab.runs.jobs import plan_jobs

    runs = {run.id for run in plan.runs()}
    notes = [note for note in slurm_queue.in_slurm(place.results) if runs & set(note.runs)]
    if arrays := " ".join(sorted({note.number.partition("_")[0] for note in notes})):
        raise LabError(f"--fresh: Slurm has these runs in its queue; cancel them first: scancel {arrays}")
    jobs = plan_jobs(plan.runs())  # other looks may have others, but of the same groups
    if not all(place.is_free(job) for job in jobs):
        raise LabError("--fresh: another process is at work on these runs; stop it first")
    for each in plan.runs():
        shutil.rmtree(place.results / "runs" / each.id, ignore_errors=True)
        place.trunks.forget(each)
    for job in jobs:
        place.forget(job)
    for taken in under_way.read_all(place.results):  # of a look, whose jobs are others
        if runs & set(taken.runs):
            place.forget_begun(taken.job)


def _write_plan(plan: Plan, results: Path) -> None:
    from bottleneck_lab.runs.files import read_json

    before = read_json(results / "plan.json")
    if isinstance(before, dict):
        question = before.get("ablation", {}).get("question")
        if question != plan.ablation.question:
            raise LabError(
                f"{results}: holds the results of another ablation of this name ({question}); "
                "choose another --out"
            )
    with writing(results, _KEPT):
        plan.write(results)


_KEPT = "what is finished is kept: {remedy}, and start again"


def _refuse_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that do not exist or are not installed, before anything is downloaded."""
    from bottleneck_lab.runs.tracking import find_tracker

    for name in names:
        find_tracker(name)


def _tracking(plan: Plan, results: Path, order: _Order) -> Tracking | None:
    if not order.trackers:
        return None
    from bottleneck_lab.runs.tracking import Tracking

    afresh = [run.id for run in plan.runs()] if order.fresh else []
    return Tracking(order.trackers, results, afresh, lambda text: print(text, file=sys.stderr))


def _train(
    jobs: Sequence[Job],
    steps: Steps,
    place: Workplace,
    order: _Order,
    workers: int | None,
    tracking: Tracking | None,
) -> bool:
    """Do these jobs and all that follow, under the eyes of the user; whether Ctrl-C ended it."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.report.sentences.numbers import duration
    from bottleneck_lab.runs import slurm_queue

    begin = time.monotonic()
    try:
        with writing(place.results, _KEPT), contextlib.ExitStack() as stack:
            engine = None
            notes = order.engine == "slurm" and any(slurm_queue.read_all(place.results))
            while jobs:
                left = _unfinished(jobs, place.results)
                if engine is None and (left or notes):  # which are to be cleared away, too
                    engine = stack.enter_context(_started(order, place, workers, bool(left)))
                _do(jobs, left, engine, tracking)
                if (jobs := steps.next()) and (left := _unfinished(jobs, place.results)):
                    runs = sum(len(job.runs) for job in left)
                    say(f"the claims that are open call for {runs} more runs")
    except KeyboardInterrupt:
        return True
    finally:
        say(f"trained for {duration(time.monotonic() - begin)}")
        for line in tracking.where_to_look() if tracking is not None else []:
            say(line)
    return False


def _started(order: _Order, place: Workplace, workers: int | None, tell: bool) -> Engine:
    from bottleneck_lab.cli.text import notice
    from bottleneck_lab.runs import engines

    engine = engines.start(order.engine, place, workers, order.options)
    if tell and engine.notice:
        notice(engine.notice)
    return engine


def _do(jobs: Sequence[Job], left: Sequence[Job], engine: Engine | None, tracking: Tracking | None) -> None:
    """Do the jobs that are left of these."""
    from bottleneck_lab.cli.progress import watching
    from bottleneck_lab.runs.execute import Event, drive

    with watching(jobs) as watcher:

        def listener(event: Event) -> None:
            watcher(event)
            if tracking is not None:
                tracking(event)

        unfinished = {job.id for job in left}
        for job in jobs:
            if job.id not in unfinished:
                listener(Event(job, 1.0))
        if engine is not None:
            drive(left, engine, listener)


def _report(plan: Plan, results: Path) -> tuple[bool, str]:
    """Write and print the report of this plan; whether some runs failed, and the answer in a sentence."""
    from bottleneck_lab.cli.text import left_out, notice, print_summary, say
    from bottleneck_lab.report.index import write_index
    from bottleneck_lab.report.reading.collect import collect
    from bottleneck_lab.report.reading.lenient import Stray
    from bottleneck_lab.report.sentences.conditions import trouble
    from bottleneck_lab.report.sentences.verdicts import answer
    from bottleneck_lab.report.write import write_report

    with writing(results, _KEPT):
        plan.write(results)  # again: another command may have written its own meanwhile
        path, summary = write_report(results)
        write_index(results.parents[1])
    print_summary(summary)
    for text in plan.data.notices:
        notice(text)
    troubled = collect(results).troubled()
    if troubled:
        notice(f"{len(troubled)} runs did not end well and count nowhere:")
    for each in troubled:
        say(trouble(each))
    left_out([Stray(**stray) for stray in summary["strays"]], summary["other_plans"])
    say(f"report: {path.with_suffix('.html')}")
    return bool(troubled), answer(summary["claims"])


def _same_command(data: Data) -> str:
    """The command as it was typed, to go on with the same data sets."""
    kept = [argument for argument in sys.argv if argument != "--fresh"]
    if "--dataset" not in kept and "--all" not in kept:
        kept += [word for name in data.names for word in ("--dataset", name)]
    return shlex.join(kept)
