"""Who is at work on a job: a small file beside its lock and its checkpoint, gone when the job is done."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files


@dataclass(frozen=True)
class UnderWay:
    """A job that somebody has taken. It is written by who holds the lock, and counts while that is held.

    Args:
        job: its id.
        group: that of the job, which names the lock.
        runs: the ids of the runs that are trained together, so that after an accident they are so again.
        engine: where it is done.
        host: the machine that is at work on it; None while it waits for one.
        pid: the process there.
    """

    job: str
    group: str
    runs: tuple[str, ...]
    engine: str = "local"
    host: str | None = None
    pid: int | None = None

    def write(self, results: Path) -> None:
        """Leave it in the results folder."""
        files.write_json(_path(results, self.job), asdict(self))

    def is_alive(self, results: Path) -> bool:
        """Whether the lock is held: who has died holds none."""
        return is_held(lock_path(results, self.group))


def here(job: str, group: str, runs: tuple[str, ...], engine: str) -> UnderWay:
    """A job that this process is at work on."""
    return UnderWay(job, group, runs, engine, platform.node(), os.getpid())


def read(results: Path, job: str) -> UnderWay | None:
    """Who has taken a job, dead or alive; None if nobody has."""
    return _read(_path(results, job))


def read_all(results: Path) -> Iterator[UnderWay]:
    """All jobs that somebody has taken and not done."""
    for path in sorted((results / "checkpoints").glob("*.json")):
        if (found := _read(path)) is not None:
            yield found


def unreadable(results: Path) -> list[Path]:
    """The files among those of jobs under way that do not say who has taken one."""
    return [path for path in sorted((results / "checkpoints").glob("*.json")) if _read(path) is None]


def drop(results: Path, job: str) -> None:
    """Forget who has taken a job."""
    _path(results, job).unlink(missing_ok=True)


def lock_path(results: Path, group: str) -> Path:
    """The file whose lock is held by who is at work on a job of that group."""
    return results / "checkpoints" / f"{group}.lock"


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock just now; one that must not be opened is as good as held.

    Raises:
        LabError: there is something else in its place, a folder say.
    """
    if not os.path.lexists(path):
        return False
    if not path.is_file() and (path.is_dir() or path.is_symlink()):
        raise LabError(f"{path}: is no lock, and stands in the place of one; remove it")
    try:
        with filelock.FileLock(path).acquire(blocking=False):
            return False
    except (filelock.Timeout, PermissionError):
        return True


def _path(results: Path, job: str) -> Path:
    return results / "checkpoints" / f"{job}.json"


def _read(path: Path) -> UnderWay | None:
    return files.read_as(UnderWay, path)
