"""Which jobs Slurm has been given: notes in a results folder that outlive the command that left them."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bottleneck_lab.errors import LabError
from bottleneck_lab.runs import files

_GONE = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE")


@dataclass(frozen=True)
class Queued:
    """A job that has been submitted.

    Args:
        job: its id.
        runs: the ids of its runs.
        number: Slurm's, of a job of its own or of an array's element; several jobs may share one.
    """

    job: str
    runs: tuple[str, ...]
    number: str

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


def drop(results: Path, job: str) -> None:
    """Remove the note of a job."""
    _path(results, job).unlink(missing_ok=True)


def in_slurm(results: Path) -> list[Queued]:
    """The notes of those jobs that Slurm still has, waiting or running; all where it cannot be asked."""
    notes = list(read_all(results))
    try:
        there = states() if notes else {}
    except LabError:
        return notes
    return [note for note in notes if note.number in there]


def states() -> dict[str, str]:
    """The state of every job of this user that waits or runs, by its number, `12` or `12_3`.

    Raises:
        LabError: Slurm does not answer.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i|%T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"Slurm does not answer: {error}") from error
    rows = (line.split("|") for line in done.stdout.splitlines() if "|" in line)
    return {number.strip(): state for number, state in rows if state not in _GONE}


def cancel(numbers: Collection[str]) -> None:
    """Take jobs out of the queue, and end those that run."""
    if numbers:
        subprocess.run(["scancel", *sorted(set(numbers))], check=False, capture_output=True)


def _path(results: Path, job: str) -> Path:
    return results / "queue" / f"{job}.json"


def _read(path: Path) -> Queued | None:
    found = files.read_json(path)
    try:
        return Queued(**{**found, "runs": tuple(found["runs"])})
    except (TypeError, KeyError):
        return None
