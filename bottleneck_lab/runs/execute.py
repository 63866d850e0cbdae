"""Doing all jobs of an ablation, by any engine: what is finished is skipped, what dies is tried again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from bottleneck_lab.runs.engines.protocol import Engine, Event, Listener, Task, WorkerDiedError
from bottleneck_lab.runs.jobs import Job

__all__ = ["Event", "Listener", "drive"]

WAIT_SECONDS = 1.0  # between looks at jobs that other processes are at work on


def drive(jobs: Sequence[Job], engine: Engine, listener: Listener) -> None:
    """Do all jobs that are not finished; returns when every one is, here or in another process.

    A job whose process dies is tried once more; if that dies, too, its runs are given up as failed. Where
    processes die together all jobs that were under way are suspects, and each is tried alone, so that only
    those are given up that are to blame.

    Raises:
        LabError: what `engine` cannot go on after.
        OSError: the results cannot be written.
    """
    _Drive(engine, listener).run(jobs)


class _Drive:
    """The jobs by what is to become of them."""

    def __init__(self, engine: Engine, listener: Listener) -> None:
        self._engine, self._listener = engine, listener
        self._waiting: deque[Job] = deque()
        self._suspects: deque[Job] = deque()  # to be tried alone
        self._elsewhere: list[Job] = []  # other processes were at work on these
        self._tasks: dict[Task, None] = {}  # in order
        self._begun: set[str] = set()
        self._died: set[str] = set()  # once

    def run(self, jobs: Sequence[Job]) -> None:
        self._waiting.extend(self._unfinished(jobs))
        while True:
            self._submit()
            if self._tasks:
                for task in self._engine.wait(list(self._tasks), self._hear):
                    del self._tasks[task]
                    self._end(task)
            elif self._elsewhere and not self._waiting:
                self._look_elsewhere()
            elif not self._suspects and not self._waiting:
                return

    def _unfinished(self, jobs: Sequence[Job]) -> list[Job]:
        left = []
        for job in jobs:
            if job.unfinished(self._engine.place.results):
                left.append(job)
            else:
                self._listener(Event(job, 1.0))
        return left

    def _submit(self) -> None:
        if self._suspects:
            if not self._tasks:
                self._tasks[self._engine.submit(self._suspects.popleft())] = None
            return
        while self._waiting and len(self._tasks) < self._engine.places:
            job = self._waiting.popleft()
            if self._engine.is_free(job):
                self._tasks[self._engine.submit(job)] = None
            else:
                self._elsewhere.append(job)

    def _hear(self, event: Event) -> None:
        self._begun.add(event.job.id)
        self._listener(event)

    def _end(self, task: Task) -> None:
        job = task.job
        try:
            done = task.result()
        except WorkerDiedError as error:
            self._bury(job, error)
            return
        if done:
            self._listener(Event(job, 1.0))
        else:
            self._elsewhere.append(job)

    def _bury(self, job: Job, error: WorkerDiedError) -> None:
        if job.id not in self._begun and self._engine.dies_as_one:
            self._waiting.appendleft(job)
        elif job.id in self._died:
            job.fail(self._engine.place.results, f"given up after two tries ({error})", error.log)
            self._listener(Event(job, 1.0))
        else:
            self._died.add(job.id)
            (self._suspects if self._engine.dies_as_one else self._waiting).appendleft(job)
        self._begun.discard(job.id)

    def _look_elsewhere(self) -> None:
        """Take over what other processes have left, or wait for them."""
        left = self._unfinished(self._elsewhere)
        free = [job for job in left if self._engine.is_free(job)]
        self._waiting.extend(free)
        self._elsewhere = [job for job in left if job not in free]
        if self._elsewhere and not free:
            time.sleep(WAIT_SECONDS)
