"""Jobs: what one worker trains. Toy runs of one shape share one, and so do image runs that share a trunk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bottleneck_lab.config import RunSettings
from bottleneck_lab.config.settings import fingerprint
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import cost_of
from bottleneck_lab.records.folder import FINAL, RunFolder
from bottleneck_lab.training import toy_group

SEEDS_TOGETHER = (
    8  # seeds of a toy network that share a batch, so that more seeds make more jobs to share out
)


@dataclass(frozen=True)
class Job:
    """Runs that are trained by one worker, and how much work that is.

    Args:
        id: named after its runs, so that two processes with the same plan have the same jobs.
        group: the same for all jobs that could have a run in common, so that one lock keeps them apart.
        runs: toy networks of one shape; or one on images, or several that begin alike, the shortest first.
        run_ids: theirs when the job was named.
        work: multiply-accumulates of all forward passes over training data.
    """

    id: str
    group: str
    runs: tuple[RunSettings, ...]
    run_ids: tuple[str, ...]
    work: float

    @property
    def batches(self) -> tuple[tuple[RunSettings, ...], ...]:
        """What is trained at one go, one after the other: toy networks all together, others one by one."""
        return tuple((run,) for run in self.runs) if self.runs[0].data.OF_IMAGES else (self.runs,)

    def share(self, batch: int, epoch: int) -> float:
        """How much of the job is done, 0 to 1, when that one of its batches has trained so many epochs."""
        new = new_epochs([runs[0] for runs in self.batches])
        own = epoch - (self.batches[batch][0].train.epochs - new[batch])
        return (sum(new[:batch]) + max(own, 0)) / sum(new)

    def unfinished(self, results: Path) -> list[RunSettings]:
        """The runs that have yet to be trained, or to be tried again."""
        if not (results / "runs").exists():
            return list(self.runs)
        named = zip(self.runs, self.run_ids, strict=True)
        return [run for run, name in named if RunFolder(results, name).status() not in FINAL]

    def fail(self, results: Path, reason: str, log: str) -> None:
        """Give up the runs that are unfinished; a new start will try them again."""
        for run in self.unfinished(results):
            RunFolder(results, run.id).fail(run, reason, log)

    def check_as_planned(self) -> None:
        """Refuse to do something else than what was planned, in another process than the one that planned.

        Raises:
            LabError: its runs are not what they were when it was named; an included file may have changed.
        """
        if self.run_ids != tuple(run.id for run in self.runs):
            raise LabError("an included file was changed after this command had read it; start again")


def plan_jobs(runs: Sequence[RunSettings]) -> list[Job]:
    """Sort runs into jobs, the longest first, so that the last ones to end are short."""
    groups: dict[str, dict[str, RunSettings]] = {}
    written: dict[tuple[int, ...], str] = {}
    for name, run in zip(_ids(runs), runs, strict=True):
        groups.setdefault(_group(run, name, written), {})[name] = run
    jobs = [_job(key, group) for key, group in groups.items()]
    return sorted(jobs, key=lambda job: -job.work)


def _ids(runs: Sequence[RunSettings]) -> Iterator[str]:
    """The id of each run; settings that stand in a row and differ by their seed alone are written once."""
    for _, alike in itertools.groupby(
        runs, lambda run: (run.variant, *map(id, (run.model, run.data, run.train, run.measures)))
    ):
        first, *others = alike
        yield from first.ids(run.seed for run in (first, *others))


def _group(run: RunSettings, name: str, written: dict[tuple[int, ...], str]) -> str:
    """The group of a run's job; `written` keeps the text of settings, which many runs share as they are."""
    if not run.data.OF_IMAGES:
        shared = id(run.model), id(run.data), id(run.train), id(run.measures)
        if shared not in written:
            written[shared] = str(toy_group(run))
        return fingerprint(f"{written[shared]} {run.seed // SEEDS_TOGETHER}")
    return run.trunk if run.shared_epochs else name


def _job(group: str, runs: Mapping[str, RunSettings]) -> Job:
    row = dict(sorted(runs.items(), key=lambda item: item[1].train.epochs if item[1].data.OF_IMAGES else 0))
    return Job(
        fingerprint(" ".join(row)), group, tuple(row.values()), tuple(row), work_of(tuple(row.values()))
    )


def new_epochs(runs: Sequence[RunSettings]) -> list[int]:
    """How many epochs each run on images trains itself if those before it in the row leave it their trunk."""
    new, longest = [], 0
    for run in runs:
        shared = run.shared_epochs
        new.append(run.train.epochs - (longest if longest <= shared else 0))
        longest = max(longest, shared)
    return new


def work_of(runs: Sequence[RunSettings]) -> float:
    """Multiply-accumulates of the forward passes over training data of runs that make a job."""
    first = runs[0]
    madds = cost_of(first).madds
    passes = sum(new_epochs(runs)) if first.data.OF_IMAGES else len(runs) * first.train.epochs
    return float(madds * first.data.train_count * passes)
