"""What an engine is: it takes jobs and gives tasks, much as an Executor takes calls and gives futures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from bottleneck_lab.config.base import Settings
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.work import Workplace

if TYPE_CHECKING:
    from bottleneck_lab.training import Record

POLL_SECONDS = 0.2  # between looks at what the workers have to tell


@dataclass(frozen=True)
class Event:
    """News of a job: `share` of it is done (0 to 1); `record` is its latest, None at start and end."""

    job: Job
    share: float
    record: Record | None = None


Listener = Callable[[Event], None]


class Records:
    """Tells each epoch of a job once, where records come by ways that may lose or repeat some."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._told = 0.0

    def tell(self, share: float, record: Record, tell: Listener) -> None:
        """Tell a record and what share of the job is done then, if that is more than was told."""
        if share > self._told:
            self._told = share
            tell(Event(self._job, share, record))


class Options(Settings):
    """What an engine can be told; `per_gpu` runs share a GPU at a time."""

    per_gpu: int = Field(1, ge=1)


class WorkerDiedError(Exception):
    """The process at work on a job died and left no result; the text says of what, as far as is known.

    `log` is the end of what it printed, where that is at hand.
    """

    def __init__(self, cause: str, log: str = "") -> None:
        super().__init__(cause)
        self.log = log


class Task(ABC):
    """A job that an engine has taken; what a future is to an Executor."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def result(self) -> bool:
        """Whether the job was done, once it is over; False if another process is at work on it.

        Done means that each of its runs has a folder in the results, be it of a run that failed.

        Raises:
            WorkerDiedError: its process died; it is worth another try.
            LabError: what no other job would survive either.
            OSError: likewise, of this machine's file system.
        """


class Engine(ABC):
    """Takes jobs, does them somewhere, and leaves their runs' folders in the results.

    Args:
        place: where the results go.
    """

    dies_as_one = False  # whether a process that dies takes along what other processes are at work on
    notice = ""  # what must be known by those who are going to wait

    def __init__(self, place: Workplace) -> None:
        self.place = place

    @property
    @abstractmethod
    def places(self) -> int:
        """How many tasks it wants to have at a time, running and waiting."""

    def is_free(self, job: Job) -> bool:
        """Whether no other process is at work on a job just now."""
        return self.place.is_free(job)

    @abstractmethod
    def submit(self, job: Job) -> Task:
        """Take a job. It is not waited for."""

    @abstractmethod
    def wait(self, tasks: Collection[Task], tell: Listener) -> list[Task]:
        """Wait a moment, or until some of the tasks are over; returns those that are.

        What is heard of any of them meanwhile is told, of each first that it has begun, with share 0.
        """

    @abstractmethod
    def shutdown(self, now: bool) -> None:
        """End; `now` is not to wait for anything, but to stop it."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        self.shutdown(now=kind is not None)
        return False
