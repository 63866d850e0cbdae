"""On a Ray cluster: no shared file system; what a run leaves travels back and is written here."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Collection, Iterator
from typing import Any

import filelock
from pydantic import Field

from bottleneck_lab import extend
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import FINAL, RunFolder
from bottleneck_lab.runs import under_way
from bottleneck_lab.runs.engines import protocol
from bottleneck_lab.runs.engines.protocol import (
    POLL_SECONDS,
    Engine,
    Event,
    Listener,
    Records,
    WorkerDiedError,
)
from bottleneck_lab.runs.engines.ray.node import Board, Files, Site, do_remotely
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.under_way import UnderWay
from bottleneck_lab.runs.work import Workplace

NEEDS = "ray"
RETRIES = 3  # by Ray, when a process or a node dies
CONNECT_SECONDS = 10.0
REASON = 300  # letters of what Ray says, which may be pages
COUNT_SECONDS = 10.0  # between counts of the cluster's processors, which may become more
FEWEST_PLACES = 4  # so that a cluster that grows by what waits has something to grow by


class Options(protocol.Options):
    """Which cluster, and what a run needs there.

    Args:
        address: `auto` for the cluster that this machine is part of, or `ray://host:10001`, or `host:6379`.
        cpus: processors that are kept for a run, which trains on one thread.
        gpus: 1 for a GPU, which `per_gpu` runs share, or 0; absent means 1 if the cluster has any (and
            --device does not say cpu).
    """

    address: str = "auto"
    cpus: int = Field(1, ge=1)
    gpus: int | None = Field(None, ge=0, le=1)


def start(place: Workplace, workers: int | None, options: Options) -> RayEngine:
    """Connect to the cluster.

    Raises:
        LabError: there is no such cluster, or it has another version.
    """
    import ray

    try:
        named = os.environ.get("RAY_ADDRESS", "auto") if options.address == "auto" else options.address
        if named != "auto" and "://" not in named:  # Ray itself would try for minutes
            host, _, port = named.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("write it as HOST:6379 or ray://HOST:10001")
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        ray.init(options.address, log_to_driver=False, configure_logging=False)
    except (
        OSError,
        RuntimeError,
        ValueError,
        OverflowError,
        AssertionError,
        ray.exceptions.RayError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LabError(
            f"--address {options.address}: no Ray cluster can be reached there ({reason[:REASON]}). If there "
            "is none, start one by: ray start --head, and on each further machine: ray start "
            "--address=HOST:6379. If it is there and asks for a token, set RAY_AUTH_MODE=token"
        ) from error
    return RayEngine(ray, place, workers, options)


class Task(protocol.Task):
    """A job that Ray has, and what comes of it."""

    def __init__(self, engine: RayEngine, job: Job, lock: filelock.BaseFileLock | None, ref: Any) -> None:
        super().__init__(job)
        self._engine, self._lock, self.ref = engine, lock, ref
        self.records = Records(job)

    def result(self) -> bool:
        """Write what has come back. The lock is let go of then, and not before."""
        if self._lock is None:
            return False
        try:
            self._engine.receive(self.job, self.ref)
        finally:
            self._lock.release()
            self.ref = None  # Ray forgets what nobody refers to
        return True

    def cancel(self) -> None:
        """Kill the process that is at work on it."""
        if self._lock is not None:
            self._engine.kill(self.ref)
            self._lock.release()


class RayEngine(Engine):
    """Each job is a Ray task. Ray tries it again where a worker or a node dies, and this process writes.

    It holds the lock of every job that it has given to Ray, so that others leave those alone.
    """

    def __init__(self, ray: Any, place: Workplace, workers: int | None, options: Options) -> None:
        super().__init__(dataclasses.replace(place, engine="ray"))
        self._ray, self._workers, self._options = ray, workers, options
        kind = place.device.partition(":")[0]  # which one of a node's GPUs is Ray's to say
        total = ray.cluster_resources()
        gpus = options.gpus
        if gpus is None:
            gpus = int(kind == "cuda" or (kind == "auto" and total.get("GPU", 0) > 0))
        self._gpus = gpus / options.per_gpu
        if not gpus and kind == "auto":
            kind = "cpu"  # what is not reserved is not used
        self.notice = _lack(ray.nodes(), options.cpus, self._gpus)
        self._remote = ray.remote(do_remotely).options(
            num_cpus=options.cpus, num_gpus=self._gpus, max_retries=RETRIES, name="bottleneck_lab run"
        )
        self._site = ray.put(
            Site(
                kind,
                {name: str(folder) for name, folder in place.data.items()},
                {
                    str(path): {name: file.read_bytes() for name, file in extend.files_of(path).items()}
                    for path in place.include
                },
                place.checksums,
            )
        )
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        self._board = (
            ray.remote(Board).options(num_cpus=0, scheduling_strategy=here, max_restarts=-1).remote()
        )
        self._news: Any = None
        self._asked = 0.0
        self._counted, self._slots = 0.0, 0
        self._tasks: dict[str, Task] = {}

    @property
    def places(self) -> int:
        """As many as were asked for, or twice what the cluster has room for, which may change."""
        if self._workers is not None:
            return self._workers
        if time.monotonic() - self._counted > COUNT_SECONDS or not self._slots:
            with self._connected():
                total = self._ray.cluster_resources()
            slots = total.get("CPU", 0) // self._options.cpus
            if self._gpus:
                slots = min(slots, total.get("GPU", 0) // self._gpus)
            self._counted, self._slots = time.monotonic(), int(slots)
        return max(FEWEST_PLACES, 2 * self._slots)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """For what can only fail because the cluster is gone, or out of reach.

        Raises:
            LabError: it is.
        """
        try:
            yield
        except _lost(self._ray) as error:
            reason = " ".join(str(error).split())[:REASON] or type(error).__name__
            raise LabError(
                f"the Ray cluster cannot be reached any more ({reason}); what is finished is kept: start "
                "again when it is back"
            ) from error

    def submit(self, job: Job) -> Task:
        """Give a job to Ray."""
        lock = self.place.lock(job)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return Task(self, job, None, None)
        runs = tuple(run.id for run in self.place.companions(job))
        UnderWay(job.id, job.group, runs, "ray").write(self.place.results)
        with self._connected():
            ref = self._remote.remote(job, runs, self._site, self._board)
        task = self._tasks[job.id] = Task(self, job, lock, ref)
        return task

    def wait(self, tasks: Collection[protocol.Task], tell: Listener) -> list[protocol.Task]:
        """Wait for a task to end, or for a moment."""
        by_ref = {task.ref: task for task in tasks if isinstance(task, Task)}
        if None in by_ref:  # another process was quicker
            return [by_ref[None]]
        refs = list(by_ref)
        with self._connected():
            done, rest = self._ray.wait(refs, num_returns=1, timeout=POLL_SECONDS, fetch_local=False)
            if done and rest:
                done += self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
            self._pass_on(tell)
        over: list[protocol.Task] = [by_ref[ref] for ref in done]
        for task in over:
            self._tasks.pop(task.job.id, None)
        return over

    def _pass_on(self, tell: Listener) -> None:
        """Tell what has been put on the board, without ever waiting for it: its node may have died."""
        if self._news is None:
            if time.monotonic() - self._asked > POLL_SECONDS:
                self._news, self._asked = self._board.take.remote(), time.monotonic()
            return
        if not self._ray.wait([self._news], timeout=0)[0]:
            return
        ref, self._news = self._news, None
        with contextlib.suppress(self._ray.exceptions.RayError):
            for job_id, share, record, host, pid in self._ray.get(ref):
                if (task := self._tasks.get(job_id)) is None:
                    continue
                if record is None:
                    taken = under_way.read(self.place.results, job_id)
                    if taken is not None:
                        dataclasses.replace(taken, host=host, pid=pid).write(self.place.results)
                    tell(Event(task.job, share))
                else:
                    task.records.tell(share, record, tell)

    def receive(self, job: Job, ref: Any) -> None:
        """Write what a task has left into the folders of the job's runs, or why it has left nothing.

        Raises:
            WorkerDiedError: it has died, and so have those that Ray tried after it; or it has left a run out.
            LabError: what it said that no other task would survive.
        """
        errors = self._ray.exceptions
        try:
            left: Files = self._ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, LabError):
                raise error.cause from None
            # Not of the training: what that raises is its result. Another node may have what this one lacks.
            raise WorkerDiedError(f"{type(error.cause).__name__}: {error.cause}", str(error)) from error
        except errors.RayError as error:
            cause = f"{type(error).__name__}, each time after {RETRIES} retries by Ray"
            raise WorkerDiedError(cause, str(error)) from error
        for run in job.runs:
            folder = RunFolder(self.place.results, run.id)
            if run.id in left:
                folder.receive(run, left[run.id])
            elif folder.status() not in FINAL:
                raise WorkerDiedError(f"nothing has come back of run {run.id}")
        self.place.forget(job)

    def kill(self, ref: Any) -> None:
        """End a task at once; if the cluster is gone, it is ended."""
        with contextlib.suppress(*_lost(self._ray)):
            self._ray.cancel(ref, force=True)

    def shutdown(self, now: bool) -> None:
        """Leave the cluster, which ends what is still being done for this process."""
        if now:
            for task in self._tasks.values():
                task.cancel()
        self._ray.shutdown()


def _lost(ray: Any) -> tuple[type[BaseException], ...]:
    """What Ray raises when its cluster is gone: as it is said inside the cluster, and to clients."""
    import grpc

    return ray.exceptions.RayError, ConnectionError, grpc.RpcError


def _lack(nodes: list[dict[str, Any]], cpus: int, gpus: float) -> str:
    """What to say where no node has room for a run, even if it had nothing else to do; else nothing."""
    rooms = [node["Resources"] for node in nodes if node["Alive"]]
    if any(room.get("CPU", 0) >= cpus and room.get("GPU", 0) >= gpus for room in rooms):
        return ""
    asked = f"{cpus} processor{'s' if cpus > 1 else ''}{' and a GPU' if gpus else ''}"
    return (
        f"No node of this cluster has room for a run, which asks for {asked}: the runs wait until one joins "
        "that has. To ask for less: --engine-option cpus=1, or gpus=0"
    )
