"""On a Slurm cluster, by submitit: with a shared file system, where workers write the runs' folders."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pickle
import re
import subprocess
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs import ctrl_c
from bottleneck_lab.runs.engines import protocol
from bottleneck_lab.runs.engines.protocol import Engine, Event, Listener, Records, WorkerDiedError
from bottleneck_lab.runs.engines.slurm import queue as slurm_queue
from bottleneck_lab.runs.engines.slurm.queue import Queued
from bottleneck_lab.runs.engines.slurm.worker import Work
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.work import Workplace

NEEDS = "submitit"
MOST_IN_ARRAY = 1000  # Slurm's own limit, where nobody has set another
LOOK_SECONDS = 2.0  # between questions to Slurm
RETRY_SECONDS = 30.0  # between submissions, where Slurm has refused one
PATIENCE_SECONDS = 600.0  # with a Slurm that does not answer
GRACE_SECONDS = 10.0  # for a result to appear after Slurm has forgotten its job
TIMEOUTS = 20  # how often a job that reaches its time limit is queued again, to go on from its checkpoint
LOG_LINES = 20


class Options(protocol.Options):
    """What each job asks of Slurm.

    Args:
        partition: where it is queued; Slurm's default if absent.
        time: its limit, as Slurm writes it (90, 4:00:00, 2-0); what is longer is queued again and goes on.
        memory: as Slurm writes it, for example 4G; of the whole job.
        cpus: processors for each run, which trains on one thread.
        gpus: 1 for a GPU, which `per_gpu` runs share.
        account: who pays.
        qos: quality of service.
        constraint: features that a node must have.
    """

    partition: str | None = None
    time: str = "4:00:00"
    memory: str = Field("4G", pattern=r"^\d+[KMGT]?$")
    cpus: int = Field(1, ge=1)
    gpus: int = Field(0, ge=0, le=1)
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None

    @field_validator("time")
    @classmethod
    def _is_time(cls, text: str) -> str:
        _minutes(text)
        return text


def _minutes(text: str) -> int:
    """Minutes of a time as Slurm writes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not found:
        raise ValueError(f"{text!r} is no time; write 90 (minutes), 4:00:00 or 2-0 (days-hours)")
    days, *rest = found.groups()
    numbers = [int(part) for part in rest if part is not None]
    if days is not None or len(numbers) == 3:
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    else:
        hours, (minutes, seconds) = 0, [*numbers, 0][:2]
    return max(1, (int(days or 0) * 24 + hours) * 60 + minutes + (seconds > 0))


def start(place: Workplace, workers: int | None, options: Options) -> SlurmEngine:
    """Get ready to submit.

    Raises:
        LabError: this machine cannot submit.
    """
    import submitit

    place = dataclasses.replace(place, results=place.results.resolve(), engine="slurm")
    try:
        executor = submitit.SlurmExecutor(place.results / "slurm", max_num_timeout=TIMEOUTS)
    except RuntimeError:
        raise LabError("--engine slurm: no srun here; start on a machine that can submit") from None
    asked = {key: getattr(options, key) for key in ("partition", "account", "qos", "constraint")}
    executor.update_parameters(
        job_name="bottleneck_lab",
        time=_minutes(options.time),
        mem=options.memory,
        cpus_per_task=options.cpus * options.per_gpu,
        array_parallelism=MOST_IN_ARRAY,
        srun_args=[f"--cpus-per-task={options.cpus * options.per_gpu}"],  # which srun does not inherit
        additional_parameters={"requeue": True},  # after a preemption, whatever is the cluster's own rule
        **({"gpus_per_node": options.gpus} if options.gpus else {}),
        **{key: value for key, value in asked.items() if value is not None},
    )
    return SlurmEngine(submitit, executor, place, workers, options.per_gpu)


class Task(protocol.Task):
    """A job that is in Slurm's hands; with others, where several share a GPU."""

    def __init__(self, engine: SlurmEngine, job: Job) -> None:
        super().__init__(job)
        self._engine = engine
        self.number: str | None = None  # Slurm's, once it is submitted
        self.is_ours = True  # and not that of another command, which waits for it, too
        self.running = False
        self.missing_since: float | None = None
        self.records = Records(job)
        self.records_sizes: list[int] = []

    def result(self) -> bool:
        """What the worker has said; its folders are there already."""
        return self._engine.result(self)


class SlurmEngine(Engine):
    """Jobs that are submitted in a row go to Slurm as an array, `together` of them in each element.

    Which job has which number is noted: a command that is started again finds it there, and waits for it.
    What a killed command has submitted becomes its own; what a living one has submitted is left to that.
    """

    def __init__(
        self, submitit: Any, executor: Any, place: Workplace, workers: int | None, together: int
    ) -> None:
        super().__init__(place)
        self._submitit, self._executor, self._together = submitit, executor, together
        self._workers = workers
        self._new: list[Task] = []
        self._refused = -math.inf  # when Slurm last did so
        self._tasks: dict[Task, None] = {}
        self._looked = self._answered = time.monotonic()
        self._is_lost = False  # Slurm has not answered for long
        self._states: dict[str, str] = {}
        with slurm_queue.alone(place.results):
            self._clear_away()
            self._alive = slurm_queue.register(place.results)

    def _clear_away(self) -> None:
        """Remove what is left of jobs that neither Slurm nor a living command knows; only when `alone`."""
        results = self.place.results
        slurm_queue.forget_the_dead(results)
        self._states = slurm_queue.states()
        known = set(self._states)
        for note in slurm_queue.read_all(results):
            if note.number in known or slurm_queue.is_waited_for(results, note):
                known.add(note.number)
            else:
                slurm_queue.drop(results, note.job)
        arrays = {number.partition("_")[0] for number in known}
        for path in self._executor.folder.glob("*"):  # of submitit; also of what was not submitted in the end
            if path.name.partition("_")[0] not in arrays:
                path.unlink(missing_ok=True)

    @property
    def places(self) -> int:
        """As many as were asked for, or an array."""
        return self._workers or MOST_IN_ARRAY

    def is_free(self, job: Job) -> bool:
        """Whether it can be submitted, or waited for because a command has submitted it."""
        return self._note(job) is not None or super().is_free(job)

    def _note(self, job: Job) -> Queued | None:
        """The note of a job that Slurm has, or had when a living command last looked."""
        note = slurm_queue.read(self.place.results, job.id)
        if note is None or note.number in self._states or slurm_queue.is_waited_for(self.place.results, note):
            return note
        return None

    def submit(self, job: Job) -> Task:
        """Take a job, or find the one that another command has submitted."""
        task = Task(self, job)
        if not self._find(task):
            self._new.append(task)
        self._tasks[task] = None
        return task

    def _find(self, task: Task) -> bool:
        """Whether a job has been submitted; what a killed command has submitted becomes this one's."""
        note = self._note(task.job)
        if note is None:
            return False
        task.number = note.number
        task.is_ours = not slurm_queue.is_waited_for(self.place.results, note)
        if task.is_ours:
            dataclasses.replace(note, command=slurm_queue.name_of(self._alive)).write(self.place.results)
        return True

    def _hand_over(self) -> None:
        """Submit what is new, and note the numbers.

        A refusal is final while nothing is submitted: something is wrong with what is asked for. Later it may
        be a Slurm that is busy or a limit that is reached, for which nothing that runs need be given up.

        Raises:
            LabError: Slurm does not take them.
            OSError: it has, and that cannot be noted.
        """
        with slurm_queue.alone(self.place.results), ctrl_c.held_back():  # until it is noted what Slurm has
            self._new = [task for task in self._new if not self._find(task)]
            if not self._new:
                return
            size = self._together
            bundles = [self._new[first : first + size] for first in range(0, len(self._new), size)]
            try:
                with self._executor.batch():
                    submitted = [
                        self._executor.submit(Work(tuple(task.job for task in bundle), self.place))
                        for bundle in bundles
                    ]
            except (RuntimeError, subprocess.SubprocessError, OSError) as error:
                self._refuse(error)
                return
            self._new = []
            for bundle, job in zip(bundles, submitted, strict=True):
                for task in bundle:
                    task.number = str(job.job_id)
            command = slurm_queue.name_of(self._alive)
            for bundle, job in zip(bundles, submitted, strict=True):
                job.paths.submission_file.unlink(missing_ok=True)
                for task in bundle:
                    note = Queued(task.job.id, task.job.run_ids, str(task.number), command)
                    note.write(self.place.results)

    def _refuse(self, error: Exception) -> None:
        for path in self._executor.folder.glob("*.pkl"):
            if "_" not in path.name:  # not of a job that has a number
                path.unlink(missing_ok=True)
        if any(task.number is not None for task in self._tasks):
            self._refused = time.monotonic()
            return
        reason = ([type(error).__name__, *str(error).strip().splitlines()])[-1]
        raise LabError(
            f"Slurm does not take these jobs ({reason}); --workers K submits only K at a time"
        ) from error

    def wait(self, tasks: Collection[protocol.Task], tell: Listener) -> list[protocol.Task]:
        """Submit what is new, and see what has become of the others."""
        if self._new and time.monotonic() - self._refused > RETRY_SECONDS:
            self._hand_over()
        time.sleep(max(0.0, self._looked + LOOK_SECONDS - time.monotonic()))
        self._look()
        over: list[protocol.Task] = []
        for task in tasks:
            assert isinstance(task, Task)
            if task.number is None:  # not taken yet
                continue
            self._tell_news(task, tell)
            if self._is_over(task):
                over.append(task)
        return over

    def _look(self) -> None:
        """Ask Slurm for the states; one that is out of reach for some minutes may come back."""
        self._looked = time.monotonic()
        try:
            self._states = slurm_queue.states()
            self._answered = self._looked
        except LabError as error:
            if self._looked - self._answered > PATIENCE_SECONDS:
                self._is_lost = True
                raise LabError(f"{error}; its jobs are left to it: start again to wait for them") from error

    def _tell_news(self, task: Task, tell: Listener) -> None:
        assert task.number is not None
        if self._states.get(task.number) != "RUNNING":
            return
        if not task.running:
            task.running = True
            tell(Event(task.job, 0.0))
        folders = [RunFolder(self.place.results, runs[0].id) for runs in task.job.batches]
        sizes = [folder.records_size() for folder in folders]
        if sizes == task.records_sizes:
            return
        task.records_sizes = sizes
        for batch, folder in enumerate(folders):
            for record in folder.records():
                task.records.tell(task.job.share(batch, record["epoch"]), record, tell)

    def _is_over(self, task: Task) -> bool:
        """Whether Slurm has done with it; what it has left may take a while to be seen here."""
        assert task.number is not None
        if task.number in self._states:
            task.missing_since = None
            return False
        if task.missing_since is None:
            task.missing_since = time.monotonic()
        late = time.monotonic() - task.missing_since > GRACE_SECONDS
        return late or self._paths(task).result_pickle.exists()

    def _paths(self, task: Task) -> Any:
        return self._submitit.core.utils.JobPaths(self._executor.folder, job_id=task.number, task_id=0)

    def result(self, task: Task) -> bool:
        """Read what a worker has said.

        Raises:
            LabError: what it could not do.
            WorkerDiedError: it has said nothing.
        """
        self._tasks.pop(task, None)
        number, paths, job = str(task.number), self._paths(task), task.job
        if task.is_ours:
            slurm_queue.drop(self.place.results, job.id)
        if paths.result_pickle.exists():
            try:
                outcome, said = self._submitit.core.utils.pickle_load(paths.result_pickle)
            except (EOFError, pickle.UnpicklingError, OSError) as error:
                raise WorkerDiedError(f"Slurm job {number}: what it said cannot be read ({error})") from error
            if outcome == "error":  # a traceback, and not of the training: what that raises is its result
                raise WorkerDiedError(f"Slurm job {number}: {said.strip().splitlines()[-1]}", said)
            if said:
                raise LabError(f"Slurm job {number}: {said}")
        elif job.unfinished(self.place.results):
            log = _tail(paths.stderr) or _tail(paths.stdout)
            raise WorkerDiedError(f"Slurm job {number}: {slurm_queue.last_state(number)}", log)
        return True

    def shutdown(self, now: bool) -> None:
        """Leave; `now` cancels what this command has submitted, if Slurm can be asked for anything."""
        with ctrl_c.held_back():
            if now and not self._is_lost:
                ours = [task for task in self._tasks if task.is_ours]
                if slurm_queue.cancel([task.number for task in ours if task.number is not None]):
                    for task in ours:
                        slurm_queue.drop(self.place.results, task.job.id)
            slurm_queue.leave(self._alive)
            with slurm_queue.alone(self.place.results), contextlib.suppress(LabError):
                self._clear_away()
            for folder in (self._executor.folder, self.place.results / "queue"):
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()


def _tail(path: Path) -> str:
    try:
        return "\n".join(path.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ""
