"""Jobs: what is trained at one go. A run on images is a job; toy runs of one shape share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.config.settings import fingerprint
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import cost_of
from bottleneck_lab.runs.folder import FINAL, RunFolder
from bottleneck_lab.training import toy_group

SEEDS_TOGETHER = (
    8  # seeds of a toy network that share a batch, so that more seeds make more jobs to share out
)


@dataclass(frozen=True)
class Job:
    """Runs that are trained together, and how much work that is.

    Args:
        id: named after its runs, so that two processes with the same plan have the same jobs.
        group: the same for all jobs that could have a run in common, so that one lock keeps them apart.
        runs: one on images, or toy networks of one shape.
        run_ids: theirs when the job was named.
        work: multiply-accumulates of all forward passes over training data.
    """

    id: str
    group: str
    runs: tuple[RunSettings, ...]
    run_ids: tuple[str, ...]
    work: float

    def unfinished(self, results: Path) -> list[RunSettings]:
        """The runs that have yet to be trained, or to be tried again."""
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
    for run in runs:
        name = run.id
        images = isinstance(run.data, ImageSettings)
        key = name if images else fingerprint(f"{toy_group(run)} {run.seed // SEEDS_TOGETHER}")
        groups.setdefault(key, {})[name] = run
    jobs = [_job(key, group) for key, group in groups.items()]
    return sorted(jobs, key=lambda job: -job.work)


def _job(group: str, runs: Mapping[str, RunSettings]) -> Job:
    first = next(iter(runs.values()))
    name = fingerprint(" ".join(runs))
    return Job(name, group, tuple(runs.values()), tuple(runs), len(runs) * work_of(first))


def work_of(run: RunSettings) -> float:
    """Multiply-accumulates of a run's forward passes over its training data."""
    madds = cost_of(run).madds
    examples = run.data.train_count if isinstance(run.data, ImageSettings) else run.data.points
    return float(madds * run.train.epochs * examples)
