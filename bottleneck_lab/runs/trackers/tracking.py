"""Telling trackers of the runs that are finished, in the process that watches over all of them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, TypeVar

import filelock

from bottleneck_lab.config import RunSettings
from bottleneck_lab.config.problems import nearest
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import FINAL, RunFolder
from bottleneck_lab.runs import trackers
from bottleneck_lab.runs.execute import Event
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.trackers.protocol import FinishedRun, Tracker

T = TypeVar("T")
MOST_SECONDS = 60.0  # for one call; on a busy machine MLflow takes some to make its file
_OTHERS = ("protocol", "tracking")  # modules that are no trackers
NAMES = sorted(
    module.name for module in pkgutil.iter_modules(trackers.__path__) if module.name not in _OTHERS
)


def find_tracker(name: str) -> type[Tracker]:
    """The class of a tracker.

    Raises:
        LabError: there is none of this name, or what it needs is not installed.
    """
    if name not in NAMES:
        raise LabError(f"--tracker {name}: no such tracker; {nearest(name, NAMES)}")
    try:
        module = importlib.import_module(f"{trackers.__name__}.{name}")
    except ImportError as error:
        raise LabError(
            f"--tracker {name}: {error.name or name} is not installed; get it by: "
            f"pip install 'bottleneck-lab[{name}]'"
        ) from error
    found: type[Tracker] = module.Tracker
    return found


class NoAnswerError(Exception):
    """Something has taken longer than it may."""


class _Caller:
    """A thread of a tracker's own for its calls, so that one that never ends can be left behind.

    It dies with the process, whatever it is at.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def do(self, act: Callable[[], T]) -> T:
        """What `act` returns or raises; raises NoAnswerError where it is at it for too long."""
        answer: Future[T] = Future()
        self._calls.put((act, answer))
        wait([answer], MOST_SECONDS)
        if not answer.done():
            raise NoAnswerError
        return answer.result()

    def _work(self) -> None:
        while True:
            act, answer = self._calls.get()
            try:
                answer.set_result(act())
            except BaseException as error:
                answer.set_exception(error)


class Tracking:
    """A listener that logs every finished run of a job that is done, once, from what lies in its folder.

    A tracker that raises, or gives no answer in time (a network may be gone), is off from then on, and
    `complain` is told so in a sentence; no run is stopped, nor held up for longer than that.

    Args:
        names: of the trackers.
        results: the folder of one ablation and tier, which exists.
        afresh: ids of runs of which the trackers shall forget what they hold.
        complain: what to do with a sentence.

    Raises:
        LabError: as `find_tracker`.
    """

    def __init__(
        self, names: Iterable[str], results: Path, afresh: Iterable[str], complain: Callable[[str], None]
    ) -> None:
        self._results = results
        self._complain = complain
        self._told: set[str] = set()  # the ids of jobs; those that others do are announced again and again
        self._trackers: dict[str, Tracker] = {}
        self._callers: dict[str, _Caller] = {}
        kinds = {name: find_tracker(name) for name in names}
        forgotten = list(afresh)

        def opened(kind: type[Tracker]) -> Tracker:
            tracker = kind(results)
            for run_id in forgotten:
                tracker.forget(run_id)
            return tracker

        for name, kind in kinds.items():
            self._callers[name] = _Caller()
            if tracker := self._attempt(name, lambda kind=kind: opened(kind)):  # type: ignore[misc]
                self._trackers[name] = tracker

    def __call__(self, event: Event) -> None:
        """Hear of a job. That its last epoch is over, which has a record, is not yet its end."""
        if event.share < 1 or event.record is not None or event.job.id in self._told:
            return
        self._told.add(event.job.id)
        for name, tracker in list(self._trackers.items()):
            self._attempt(name, lambda tracker=tracker: self._log(tracker, event.job))  # type: ignore[misc]

    def where_to_look(self) -> list[str]:
        """A line for each tracker that is on."""
        return [f"{name}: {tracker.look}" for name, tracker in self._trackers.items()]

    def _attempt(self, name: str, act: Callable[[], T]) -> T | None:
        """Do something with a tracker that no other process touches meanwhile; None where it went wrong."""

        def alone() -> T:
            lock = self._results / "checkpoints" / f"{name}.lock"
            lock.parent.mkdir(exist_ok=True)
            with filelock.FileLock(lock):
                return act()

        try:
            return self._callers[name].do(alone)
        except NoAnswerError:
            why = f"no answer within {MOST_SECONDS:g} s"
        except Exception as error:  # whatever it is, the training is worth more
            why = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"
        self._trackers.pop(name, None)
        self._complain(f"--tracker {name}: off from here on ({why}); the runs go on")
        return None

    def _log(self, tracker: Tracker, job: Job) -> None:
        for run in job.runs:
            if RunFolder(self._results, run.id).status() in FINAL and not tracker.has(run.id):
                tracker.forget(run.id)
                tracker.log(finished_run(self._results, run))


def finished_run(results: Path, run: RunSettings) -> FinishedRun:
    """What trackers are told of a finished run."""
    folder = RunFolder(results, run.id)
    result = folder.result() or {}
    return FinishedRun(
        run.id,
        f"{run.variant}, {run.dataset}, seed {run.seed}",
        result["status"],
        dict(_settings(run.model_dump(mode="json"))),
        {record["epoch"]: dict(_numbers(record)) for record in folder.records()},
        dict(_numbers({key: value for key, value in result.items() if key != "seed"})),
    )


def _settings(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{above}{key}.")
        elif value is not None:
            yield above + key, value if isinstance(value, str | int | float) else json.dumps(value)


def _numbers(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, float]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{key}/")
        elif key != "epoch" and isinstance(value, int | float) and not isinstance(value, bool):
            yield above + key, float(value)
