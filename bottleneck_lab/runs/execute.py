"""Doing all jobs of an ablation on this machine: in this process, or in several of one thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from bottleneck_lab import extend
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs.folder import RunFolder
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.work import Workplace, do
from bottleneck_lab.training import Record
from bottleneck_lab.training.device import settle_process

POLL_SECONDS = 0.2  # between looks at what the workers have to tell
MOST_WORKERS = 61  # more are refused on Windows
WAIT_SECONDS = 1.0  # between looks at jobs that other processes are at work on


@dataclass(frozen=True)
class Event:
    """News of a job: `share` of it is done (0 to 1); `record` is its latest, None at start and end."""

    job: Job
    share: float
    record: Record | None = None


Listener = Callable[[Event], None]


def execute(jobs: Sequence[Job], place: Workplace, workers: int, listener: Listener) -> None:
    """Do all jobs that are not finished; returns when every one is, here or in another process.

    Each process has one thread: two threads that fight over one core are far slower than one, and results
    do not depend on `workers`, since no result depends on the number of threads.

    Raises:
        KeyboardInterrupt: after the workers were stopped. What they had finished stands.
    """
    todo = list(jobs)
    while todo := _still_unfinished(todo, place, listener):
        free = [job for job in todo if place.is_free(job)]
        if not free:
            time.sleep(WAIT_SECONDS)
            continue
        taken = _here(free, place, listener) if workers == 1 else _pool(free, place, workers, listener)
        todo = [
            job for job in todo if job in taken or job not in free
        ]  # what was tried here is not tried again


def _still_unfinished(jobs: Sequence[Job], place: Workplace, listener: Listener) -> list[Job]:
    unfinished = [job for job in jobs if job.unfinished(place.results)]
    for job in jobs:
        if job not in unfinished:
            listener(Event(job, 1.0))
    return unfinished


def _here(jobs: Sequence[Job], place: Workplace, listener: Listener) -> list[Job]:
    """Do jobs one after the other in this process; returns those that another process has taken."""
    settle_process()
    taken = []
    for job in jobs:
        listener(Event(job, 0.0))
        if do(job, place, lambda share, record, job=job: listener(Event(job, share, record))):  # type: ignore[misc]
            listener(Event(job, 1.0))
        else:
            taken.append(job)
    return taken


def _pool(jobs: Sequence[Job], place: Workplace, workers: int, listener: Listener) -> list[Job]:
    """The same in `workers` processes.

    When a process dies (killed, or out of memory) all jobs that were under way are suspects. Each is tried
    once more, alone, so that only those are given up in which a process dies again.
    """
    todo, taken = list(jobs), []
    while todo:
        pool = _Pool(place, min(workers, len(todo)))
        busy, begun = pool.run(todo, listener)
        taken += busy
        if not pool.broken:
            break
        if not begun:
            raise LabError("the worker processes die as they start: is there enough memory? Try --workers 1")
        left = [job for job in todo if job not in busy and job.unfinished(place.results)]
        for suspect in [job for job in left if job.id in begun]:
            alone = _Pool(place, 1)
            taken += alone.run([suspect], listener)[0]
            if alone.broken:
                _give_up(suspect, place)
        todo = [job for job in left if job.id not in begun]
    return taken


def _give_up(job: Job, place: Workplace) -> None:
    for run in job.unfinished(place.results):
        RunFolder(place.results, run.id).fail(run, "its process died twice (killed, or out of memory)")


class _Pool:
    """Worker processes of one thread, and the queue on which they tell their news."""

    def __init__(self, place: Workplace, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._news: Any = context.Queue()
        self._executor = ProcessPoolExecutor(
            min(workers, MOST_WORKERS),
            mp_context=context,
            initializer=_begin_worker,
            initargs=(place, self._news),
        )
        self.broken = False

    def run(self, jobs: Sequence[Job], listener: Listener) -> tuple[list[Job], set[str]]:
        """Do the jobs; returns those that other processes have taken, and the ids of those begun here.

        Whatever ends this early, `broken` or an exception such as Ctrl-C, ends the workers too.
        """
        try:
            found = self._run(jobs, listener)
        except BaseException:
            self._terminate()
            raise
        if self.broken:
            self._terminate()
        else:
            self._executor.shutdown()
        return found

    def _run(self, jobs: Sequence[Job], listener: Listener) -> tuple[list[Job], set[str]]:
        with _deaf_to_ctrl_c():  # until the workers can be so themselves; what was typed is heard afterwards
            futures: dict[Future[bool], Job] = {
                self._executor.submit(_do_in_worker, job): job for job in jobs
            }
        by_id = {job.id: job for job in jobs}
        taken: list[Job] = []
        begun: set[str] = set()
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            self._pass_on(by_id, begun, listener)
            for future in done:
                job = futures[future]
                try:
                    finished = future.result()
                except BrokenProcessPool:
                    self.broken = True
                    continue
                if finished:
                    listener(Event(job, 1.0))
                else:
                    taken.append(job)
        return taken, begun

    def _pass_on(self, jobs: dict[str, Job], begun: set[str], listener: Listener) -> None:
        while not self._news.empty():
            job_id, share, record = self._news.get()
            begun.add(job_id)
            listener(Event(jobs[job_id], share, record))

    def _terminate(self) -> None:
        workers = multiprocessing.active_children()
        self._executor.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Hold SIGINT back in this thread, and in the processes that it starts, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


_place: Workplace
_news: Any


def _begin_worker(place: Workplace, news: Any) -> None:
    """Set up a worker: one thread, deaf to Ctrl-C (the parent decides), and no life after its parent's."""
    global _place, _news
    _place, _news = place, news
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle_process()
    extend.include_all(place.include)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _do_in_worker(job: Job) -> bool:
    if not job.is_as_planned():
        raise LabError("an included file was changed after this command had read it; start again")
    _news.put((job.id, 0.0, None))
    return do(job, _place, lambda share, record: _news.put((job.id, share, record)))
