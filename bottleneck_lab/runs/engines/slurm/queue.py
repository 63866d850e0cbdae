"""Which jobs Slurm has been given: notes in a results folder that outlive the command that left them.

Several commands may use the folder at a time. Each holds a lock of its own as long as it lives, by which the
others see that it waits for the jobs that it has noted; and whoever submits or clears away is `alone`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.runs import under_way

_GONE = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE")
ANSWER_SECONDS = 60.0  # that Slurm has


@dataclass(frozen=True)
class Queued:
    """A job that has been submitted.

    Args:
        job: its id.
        runs: the ids of its runs.
        number: Slurm's, of a job of its own or of an array's element; several jobs may share one.
        command: the command that waits for it, by its `name_of`.
    """

    job: str
    runs: tuple[str, ...]
    number: str
    command: str = ""

    def write(self, results: Path) -> None:
        """Leave the note."""
        files.write_json(_path(results, self.job), asdict(self))


def read(results: Path, job: str) -> Queued | None:
    """The note of a job; None if there is none."""
    return _read(_path(results, job))


def read_all(results: Path) -> Iterator[Queued]:
    """All notes, whatever has become of their jobs."""
    for path in sorted((results / "queue").glob("*.json")):
        if (found := _read(path)) is not None:
            yield found


def unreadable(results: Path) -> list[Path]:
    """The files among the notes that are none."""
    return [path for path in sorted((results / "queue").glob("*.json")) if _read(path) is None]


def drop(results: Path, job: str) -> None:
    """Remove the note of a job."""
    _path(results, job).unlink(missing_ok=True)


def alone(results: Path) -> filelock.BaseFileLock:
    """A lock for those who submit, or clear away what is left of jobs and commands."""
    path = results / "checkpoints" / "slurm.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(path)


def register(results: Path) -> filelock.BaseFileLock:
    """A lock that tells others, as long as it is held, that this command lives; for one that is `alone`."""
    path = results / "queue" / f"{secrets.token_hex(8)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    lock.acquire()
    return lock


def name_of(lock: filelock.BaseFileLock) -> str:
    """The name of the command that holds a lock."""
    return Path(lock.lock_file).stem


def leave(lock: filelock.BaseFileLock) -> None:
    """Give up what `register` gave."""
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def is_waited_for(results: Path, note: Queued) -> bool:
    """Whether the command that waits for a job lives."""
    return under_way.is_held(results / "queue" / f"{note.command}.lock")


def forget_the_dead(results: Path) -> None:
    """Remove the locks of commands that were killed; for one that is `alone`."""
    for path in (results / "queue").glob("*.lock"):
        if not under_way.is_held(path):
            path.unlink(missing_ok=True)


def in_slurm(results: Path) -> list[Queued]:
    """The notes of those jobs that Slurm still has, waiting or running; all where it cannot be asked."""
    notes = list(read_all(results))
    try:
        there = states() if notes else {}
    except LabError:
        return notes
    return [note for note in notes if note.number in there]


def queued(results: Path) -> set[str]:
    """The runs that Slurm still has; all of which there are notes, where it cannot be asked."""
    return {run for note in in_slurm(results) for run in note.runs}


def has_notes(results: Path) -> bool:
    """Whether there is any note, which a command of this engine would clear away."""
    return next(read_all(results), None) is not None


def refuse(results: Path, runs: Collection[str]) -> None:
    """Refuse to forget runs that Slurm still has.

    Raises:
        LabError: it has some.
    """
    notes = [note for note in in_slurm(results) if set(runs) & set(note.runs)]
    if arrays := " ".join(sorted({note.number.partition("_")[0] for note in notes})):
        raise LabError(f"--fresh: Slurm has these runs in its queue; cancel them first: scancel {arrays}")


def states() -> dict[str, str]:
    """The state of every job of this user that waits or runs, by its number, `12` or `12_3`.

    Raises:
        LabError: Slurm does not answer.
    """
    command = ["squeue", "--me", "--all", "--noheader", "--array", "--format=%i|%T"]
    everything = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=ANSWER_SECONDS,
            env=everything,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"Slurm does not answer: {error}") from error
    rows = (line.split("|") for line in done.stdout.splitlines() if "|" in line)
    return {number.strip(): state for number, state in rows if state not in _GONE}


def last_state(number: str) -> str:
    """The last state of a job, as far as Slurm still knows it."""
    done = subprocess.run(
        ["scontrol", "--oneliner", "show", "job", number],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    found = re.search(r"JobState=(\S+)", done.stdout)
    return found.group(1) if found else "it is gone"


def cancel(numbers: Collection[str]) -> bool:
    """Take jobs out of the queue, and end those that run; whether Slurm has heard."""
    if not numbers:
        return True
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            ["scancel", *sorted(set(numbers))], check=True, capture_output=True, timeout=ANSWER_SECONDS
        )
        return True
    return False


def _path(results: Path, job: str) -> Path:
    return results / "queue" / f"{job}.json"


def _read(path: Path) -> Queued | None:
    return files.read_as(Queued, path)
