"""What is done in a job of Slurm, on whatever node it is."""

from __future__ import annotations

from typing import Any

from bottleneck_lab import extend
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs.engines.local import Processes
from bottleneck_lab.runs.execute import drive
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.work import Workplace


class Work:
    """What an element of an array does: some jobs, all at a time. It can be killed and queued again.

    Each job has a process of its own, also one alone: submitit queues them again in this process, between any
    two of its lines, and what goes wrong with that must not be taken for an error of the training.
    """

    def __init__(self, jobs: tuple[Job, ...], place: Workplace) -> None:
        self.jobs, self.place = jobs, place

    def __call__(self) -> str:
        """Do the jobs; returns what no other job would survive either, if there was such a thing."""
        try:
            extend.include_all(self.place.include)
            for job in self.jobs:
                job.check_as_planned()
        except LabError as error:
            return str(error)
        with Processes(self.place, len(self.jobs)) as engine:  # what it raises may be of this node alone
            drive(self.jobs, engine, lambda event: None)
        return ""

    def checkpoint(self) -> Any:
        """How to go on after a preemption: alike, since each job goes on from its own checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)
