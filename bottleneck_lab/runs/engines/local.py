"""On this machine: in this process, or in several of one thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import ModuleType
from typing import Any

from bottleneck_lab import extend
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs import ctrl_c
from bottleneck_lab.runs.engines import protocol
from bottleneck_lab.runs.engines.protocol import POLL_SECONDS, Engine, Event, Listener, WorkerDiedError
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.work import Workplace, do
from bottleneck_lab.training.device import settle_process

NEEDS = None
MOST_WORKERS = 61  # more are refused on Windows


class Options(protocol.Options):
    """Nothing but how many runs share a GPU."""


def start(place: Workplace, workers: int | None, options: Options) -> Engine:
    """One worker is this process; more are processes of their own."""
    count = workers or options.per_gpu
    return InThisProcess(place) if count == 1 else Processes(place, count)


class InThisProcess(Engine):
    """One job after the other; a job is done while it is waited for."""

    places = 1

    def submit(self, job: Job) -> Task:
        """Take a job."""
        settle_process()
        return Task(job, Future())

    def wait(self, tasks: Collection[protocol.Task], tell: Listener) -> list[protocol.Task]:
        """Do them."""
        for task in tasks:
            assert isinstance(task, Task)
            job = task.job
            tell(Event(job, 0.0))
            done = do(job, self.place, lambda share, record, job=job: tell(Event(job, share, record)))  # type: ignore[misc]
            task.future.set_result(done)
        return list(tasks)

    def shutdown(self, now: bool) -> None:
        """Nothing is left to end."""


class Task(protocol.Task):
    """A job that is done here, and its future."""

    def __init__(self, job: Job, future: Future[bool], pool: _Pool | None = None) -> None:
        super().__init__(job)
        self.future = future
        self._pool = pool

    def result(self) -> bool:
        """Whether it was done here."""
        try:
            return self.future.result()
        except BrokenProcessPool:
            assert self._pool is not None
            self._pool.broken = True
            if not self._pool.begun:
                raise LabError(
                    "the worker processes die as they start: is there enough memory? Try --workers 1"
                ) from None
            raise WorkerDiedError("killed, or out of memory") from None


class Processes(Engine):
    """Several jobs at a time, each in a process of one thread: the processes are kept for the next jobs.

    When one dies, all jobs that were under way are suspects, since the pool ends with it.
    """

    dies_as_one = True

    def __init__(self, place: Workplace, workers: int) -> None:
        super().__init__(place)
        self._workers = workers
        self._pool: _Pool | None = None

    @property
    def places(self) -> int:
        """One more for each process, to go on with at once."""
        return 2 * self._workers

    def submit(self, job: Job) -> Task:
        """Take a job."""
        if self._pool is not None and self._pool.broken:
            self._pool.terminate()
            self._pool = None
        if self._pool is None:
            self._pool = _Pool(self.place, self._workers)
        return Task(job, self._pool.submit(job), self._pool)

    def wait(self, tasks: Collection[protocol.Task], tell: Listener) -> list[protocol.Task]:
        """Wait for a job to end, or for a moment."""
        futures = {task.future: task for task in tasks if isinstance(task, Task)}
        done, _ = wait(futures, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        if self._pool is not None:
            self._pool.pass_on({task.job.id: task.job for task in tasks}, tell)
        return [futures[future] for future in done]

    def shutdown(self, now: bool) -> None:
        """End the processes."""
        if self._pool is None:
            return
        if now or self._pool.broken:
            self._pool.terminate()
        else:
            self._pool.shutdown()


class _Pool:
    """Worker processes of one thread, the queue on which they tell their news, and the jobs they began."""

    def __init__(self, place: Workplace, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._news: Any = context.Queue()
        self._executor = ProcessPoolExecutor(
            min(workers, MOST_WORKERS),
            mp_context=context,
            initializer=_begin_worker,
            initargs=(place, self._news),
        )
        self.begun: set[str] = set()
        self.broken = False

    def submit(self, job: Job) -> Future[bool]:
        with ctrl_c.held_back(), _nobodys_main():  # until the workers can be deaf themselves
            return self._executor.submit(_do_in_worker, job)

    def pass_on(self, jobs: dict[str, Job], tell: Listener) -> None:
        while not self._news.empty():
            job_id, share, record = self._news.get()
            self.begun.add(job_id)
            if job_id in jobs:
                tell(Event(jobs[job_id], share, record))

    def shutdown(self) -> None:
        self._executor.shutdown()

    def terminate(self) -> None:
        workers = multiprocessing.active_children()
        self._executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()  # which none can be deaf to; files are written whole, and the rest is gone on with


@contextlib.contextmanager
def _nobodys_main() -> Iterator[None]:
    """Start processes that do not run the user's script, as they otherwise would: they need nothing of it."""
    own = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = own


_place: Workplace
_news: Any


def _begin_worker(place: Workplace, news: Any) -> None:
    """Set up a worker: one thread, deaf to Ctrl-C (the parent decides), and no life after its parent's.

    Slurm tells every process of a job that its time is up; there, too, the parent decides.
    """
    global _place, _news
    _place, _news = place, news
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if place.engine == "slurm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    settle_process()
    extend.include_all(place.include)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _do_in_worker(job: Job) -> bool:
    job.check_as_planned()
    _news.put((job.id, 0.0, None))
    return do(job, _place, lambda share, record: _news.put((job.id, share, record)))
