"""Engines: where jobs are done. Each is a module here, imported when asked for, that has

- `NEEDS`: the package that it needs beyond those of the project, or None; the extra has the engine's name;
- `Options`: a model of what it can be told;
- `start`: what gives an `Engine`, as `start` here says.

One whose jobs outlive the command that gave them away is a package with a module `queue`, which does what
`Queue` says; then nobody else has to know how that queue is asked.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from bottleneck_lab.config.problems import nearest, sentence
from bottleneck_lab.errors import LabError

if TYPE_CHECKING:
    from bottleneck_lab.runs.engines.protocol import Engine, Options
    from bottleneck_lab.runs.work import Workplace

ENGINES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "protocol"))


def read_options(engine: str, texts: Sequence[str], **given: str | None) -> Options:
    """The options of an engine, from `name=value` texts and from those that have a flag of their own.

    Raises:
        LabError: an engine that there is not, or whose package is not installed; an option that there is
            not, or a value that it does not take.
    """
    if engine not in ENGINES:
        raise LabError(f"--engine {engine}: no such engine; {nearest(engine, ENGINES)}")
    module = _module(engine)
    if module.NEEDS is not None and importlib.util.find_spec(module.NEEDS) is None:
        raise LabError(
            f"--engine {engine}: {module.NEEDS} is not installed; get it by: "
            f"pip install 'bottleneck-lab[{engine}]'"
        )
    values = {name: value for name, value in given.items() if value is not None}
    flags = set(values)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise LabError(f"--engine-option {text}: write it as name=value, for example partition=gpu")
        values[name.strip()] = value.strip()
    model: type[Options] = module.Options
    try:
        return model.model_validate_strings(values, strict=False)
    except ValidationError as error:
        problems = (
            f"--{key.replace('_', '-')}: {reason}" if key in flags else f"--engine-option {key}: {reason}"
            for key, reason in _problems(error, model, engine, flags)
        )
        raise LabError("\n".join(problems)) from None


def _problems(
    error: ValidationError, model: type[Options], engine: str, flags: set[str]
) -> list[tuple[str, str]]:
    """What `sentence` says; a flag or a name that this engine does not take needs other words."""
    found = []
    for problem in sentence(error, model):
        key, reason = problem.key, problem.advice
        if key not in model.model_fields and (key in flags or not model.model_fields):
            reason = f"the engine {engine} does not take it"
        found.append((key, reason))
    return found


def start(engine: str, place: Workplace, workers: int | None, options: Options) -> Engine:
    """An engine that is ready to take jobs; to be used in a `with` statement, which ends it.

    Args:
        engine: one of `ENGINES`.
        place: where the jobs' results go.
        workers: jobs to do at a time; the engine decides if absent.
        options: from `read_options`.

    Raises:
        LabError: the cluster cannot be reached.
    """
    started: Engine = _module(engine).start(place, workers, options)
    return started


class Queue(Protocol):
    """What is known, in a results folder, of jobs that wait somewhere else."""

    def queued(self, results: Path) -> set[str]:
        """The runs that wait, or run, there."""

    def has_notes(self, results: Path) -> bool:
        """Whether there is anything that a command of this engine would clear away."""

    def unreadable(self, results: Path) -> list[Path]:
        """Files among the notes that are none."""

    def refuse(self, results: Path, runs: Collection[str]) -> None:
        """Raise LabError, which says how to cancel them, where some of the runs are there."""


def queued(results: Path) -> set[str]:
    """The runs of a results folder that some engine's queue still has."""
    return {run for _, queue in _queues() for run in queue.queued(results)}


def has_notes(engine: str, results: Path) -> bool:
    """Whether an engine has left notes in a results folder that it would clear away."""
    return any(queue.has_notes(results) for name, queue in _queues() if name == engine)


def unreadable(results: Path) -> list[Path]:
    """Files among the notes of all engines that are none."""
    return [path for _, queue in _queues() for path in queue.unreadable(results)]


def refuse_queued(results: Path, runs: Collection[str]) -> None:
    """Refuse to forget runs that some engine's queue still has.

    Raises:
        LabError: one has some.
    """
    for _, queue in _queues():
        queue.refuse(results, runs)


def _queues() -> Iterator[tuple[str, Queue]]:
    for module in pkgutil.iter_modules(__path__):
        if any(Path(folder, module.name, "queue.py").exists() for folder in __path__):
            yield module.name, importlib.import_module(f"{__name__}.{module.name}.queue")


def _module(engine: str) -> Any:
    return importlib.import_module(f"{__name__}.{engine}")
