"""One ablation from its data to its report: what `run-ablation` does, and `bottleneck_lab.run`."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bottleneck_lab import extend
from bottleneck_lab.api.session.kernels import say_kernels
from bottleneck_lab.api.session.steps import Steps
from bottleneck_lab.api.session.tuning import tune_all
from bottleneck_lab.errors import LabError, writing
from bottleneck_lab.records import files
from bottleneck_lab.records.names import PLAN
from bottleneck_lab.report.sentences.numbers import duration
from bottleneck_lab.runs import engines, under_way
from bottleneck_lab.runs.engines.protocol import Options
from bottleneck_lab.runs.execute import Event, drive
from bottleneck_lab.runs.jobs import Job, plan_jobs
from bottleneck_lab.runs.plan import Plan, choose_data, keep_to, make_plan
from bottleneck_lab.runs.work import Workplace
from bottleneck_lab.training import find_device

if TYPE_CHECKING:
    from bottleneck_lab.api.session.host import Host
    from bottleneck_lab.config import Ablation, Tier, Unchecked
    from bottleneck_lab.config.ablations.tuning import Tuned
    from bottleneck_lab.records.results.summary import Summary
    from bottleneck_lab.runs.engines.protocol import Engine
    from bottleneck_lab.runs.trackers.tracking import Tracking

_KEPT = "what is finished is kept: {remedy}, and start again"


@dataclass(frozen=True)
class Order:
    """How an ablation is to be run.

    Args:
        tier: how much is spent.
        seeds: instead of the tier's own number of seeds; those if absent.
        overrides: settings that are changed, as `config.parse_overrides` reads them.
        workers: runs trained at a time; as many as there are cores, or as the engine decides, if absent.
        engine: one of `runs.engines.ENGINES`.
        options: of that engine, as its `read_options` reads them.
        device: `auto`, or torch's name of one.
        out: the folder of all results; this ablation's go to OUT/NAME/TIER.
        data_dir: where CIFAR lies; found if absent.
        trackers: names of `runs.trackers` that are told of every run.
        fresh: whether earlier runs are forgotten.
        dry_run: whether nothing is trained, fetched or written.
    """

    tier: Tier = "quick"
    seeds: Sequence[int] | None = None
    overrides: Unchecked = field(default_factory=dict)
    workers: int | None = None
    engine: str = "local"
    options: Options = field(default_factory=Options)
    device: str = "auto"
    out: Path = Path("results")
    data_dir: Path | None = None
    trackers: tuple[str, ...] = ()
    fresh: bool = False
    dry_run: bool = False


class Session:
    """An ablation that is run: its data are chosen at once, its runs planned by `plan_runs`.

    Raises:
        LabError: data that are not to be had.
    """

    plan: Plan
    steps: Steps
    jobs: list[Job]
    workers: int | None  # None where the engine decides

    def __init__(self, ablation: Ablation, asked: Sequence[str], order: Order, host: Host) -> None:
        self.ablation, self.order, self._host = ablation, order, host
        self.away = order.engine != "local"
        self.device = order.device if self.away else str(find_device(order.device))
        self.results = order.out / ablation.name / order.tier
        self.data = choose_data(ablation, asked, order.data_dir, order.tier, host.fetch)

    def plan_runs(self) -> None:
        """Choose what is chosen for each arm first, and plan all runs.

        Raises:
            LabError: settings or seeds that are impossible, or void what was planned in this folder before.
        """
        plan = make_plan(
            self.ablation, self.order.tier, self.data, self.order.seeds, self.order.overrides, self._tuned()
        )
        self.plan = keep_to(files.read_json(self.results / PLAN), plan, self.results)
        self.steps = Steps(self.plan, self.results)
        self.jobs = self.steps.next()
        self.workers = self.order.workers
        if not self.away:
            self.workers = max(1, min(self._local_workers(), len(self.steps.most())))

    def choose_kernels(self) -> None:
        """Compile and time what may train on this machine, and say which it will be."""
        if not self.away:
            say_kernels([variant.settings for variant in self.plan.variants], self.device, self._host)

    def unfinished(self, jobs: Sequence[Job]) -> list[Job]:
        """Those of the jobs that have runs to train."""
        return [job for job in jobs if job.unfinished(self.results)]

    def begin(self) -> None:
        """Write the plan down, and forget earlier runs where that is asked for.

        Raises:
            LabError: the folder holds another ablation's results, or runs that are under way elsewhere.
        """
        files.sweep(self.results)
        self._refuse_foreign_results()
        with writing(self.results, _KEPT):
            self.plan.write(self.results)
        if self.order.fresh:
            self._forget()
            self.jobs = self.steps.restart()

    def train(self) -> None:
        """Do all jobs, and those that they lead to.

        Raises:
            KeyboardInterrupt: it was interrupted. What is finished is kept.
        """
        begin = time.monotonic()
        tracking = self._tracking()
        jobs = self.jobs
        try:
            with writing(self.results, _KEPT), contextlib.ExitStack() as stack:
                engine = None
                notes = engines.has_notes(self.order.engine, self.results)
                while jobs:
                    left = self.unfinished(jobs)
                    if engine is None and (left or notes):  # which are to be cleared away, too
                        engine = stack.enter_context(self._started(bool(left)))
                    self._do(jobs, left, engine, tracking)
                    if (jobs := self.steps.next()) and (left := self.unfinished(jobs)):
                        runs = sum(len(job.runs) for job in left)
                        self._host.say(f"the claims that are open call for {runs} more runs")
        finally:
            self._host.say(f"trained for {duration(time.monotonic() - begin)}")
            for line in tracking.where_to_look() if tracking is not None else []:
                self._host.say(line)

    def write_report(self) -> tuple[Path, Summary]:
        """Write the report of this plan, and the index of all; the path of `report.md`, and the summary."""
        from bottleneck_lab.published.index import write_index
        from bottleneck_lab.report.write import write_report

        with writing(self.results, _KEPT):
            self.plan.write(self.results)  # again: another command may have written its own meanwhile
            written = write_report(self.results)
            write_index(self.results.parents[1])
        return written

    def _tuned(self) -> list[Tuned]:
        place = Workplace(self.results, self.device, self.data.folders, extend.included())

        def start(place: Workplace, jobs: int) -> Engine:
            count = self.order.workers if self.away else min(self._local_workers(), jobs)
            return engines.start(self.order.engine, place, count, self.order.options)

        with writing(self.results, _KEPT):
            return tune_all(self.ablation, self.data, place, start, self.order, self._host)

    def _local_workers(self) -> int:
        return self.order.workers or default_workers(self.device, self.order.options.per_gpu)

    def _refuse_foreign_results(self) -> None:
        before = files.read_json(self.results / PLAN)
        ablation = before.get("ablation") if isinstance(before, dict) else None
        if isinstance(ablation, dict):
            question = ablation.get("question")
            if question != self.plan.ablation.question:
                raise LabError(
                    f"{self.results}: holds the results of another ablation of this name ({question}); "
                    "choose another --out"
                )

    def _forget(self) -> None:
        runs = {run.id for run in self.plan.runs()}
        engines.refuse_queued(self.results, runs)
        place = Workplace(self.results)
        jobs = plan_jobs(self.plan.runs())  # other looks may have others, but of the same groups
        if not all(place.is_free(job) for job in jobs):
            raise LabError("--fresh: another process is at work on these runs; stop it first")
        for each in self.plan.runs():
            shutil.rmtree(place.results / "runs" / each.id, ignore_errors=True)
            place.trunks.forget(each)
        for job in jobs:
            place.forget(job)
        for taken in under_way.read_all(place.results):  # of a look, whose jobs are others
            if runs & set(taken.runs):
                place.forget_begun(taken.job)

    def _tracking(self) -> Tracking | None:
        if not self.order.trackers:
            return None
        from bottleneck_lab.runs.trackers.tracking import Tracking

        afresh = [run.id for run in self.plan.runs()] if self.order.fresh else []
        return Tracking(self.order.trackers, self.results, afresh, self._host.warn)

    def _started(self, tell: bool) -> Engine:
        place = Workplace(
            self.results, self.device, self.data.folders, extend.included(), checksums=self.plan.checksums
        )
        engine = engines.start(self.order.engine, place, self.workers, self.order.options)
        if tell and engine.notice:
            self._host.notice(engine.notice)
        return engine

    def _do(
        self, jobs: Sequence[Job], left: Sequence[Job], engine: Engine | None, tracking: Tracking | None
    ) -> None:
        """Do the jobs that are left of these."""
        with self._host.watching(jobs) as watcher:

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


def default_workers(device: str, per_gpu: int) -> int:
    """All cores on a CPU; one process on an accelerator, or as many as are to share it.

    Raises:
        LabError: an environment variable that should be a number is none.
    """
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


def refuse_early(ablation: Ablation, tier: Tier, asked: Sequence[str], overrides: Unchecked) -> None:
    """Refuse what is impossible on every data set that could be chosen, before anything is downloaded.

    Raises:
        LabError: settings of which no variant can be made.
    """
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
