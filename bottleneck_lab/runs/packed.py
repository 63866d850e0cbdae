"""Runs in one file: what a results folder is published as, so that every number can be made from it again."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from bottleneck_lab.errors import LabError
from bottleneck_lab.runs import files

PACKED = "runs.zip"
KEPT = ("config.json", "correct.npy", "environment.json", "metrics.jsonl", "predictions.npy", "result.json")
READ = frozenset({"correct.npy", "environment.json", "metrics.jsonl", "result.json"})  # by a report
MOST_BYTES = 2**30  # of all runs of an ablation together, unpacked

_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can tell


def pack(folder: Path, run_ids: Iterable[str]) -> bytes:
    """The named runs of a results folder without their weights, as a zip file of `runs/ID/FILE`.

    The same runs give the same bytes. The name of the computer, and where included files lie, are left out.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for run_id in sorted(run_ids):
            for name in KEPT:
                path = folder / "runs" / run_id / name
                if path.exists():
                    content = path.read_bytes()
                    if name == "environment.json":
                        content = _anonymous(content)
                    entry = zipfile.ZipInfo(f"runs/{run_id}/{name}", _LONG_AGO)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, content)
    return stream.getvalue()


def _anonymous(content: bytes) -> bytes:
    try:
        environment: Any = json.loads(content)
    except ValueError:
        return content
    if isinstance(environment, dict):
        environment.pop("host", None)
        if isinstance(included := environment.get("included"), dict):
            environment["included"] = {Path(name).name: digest for name, digest in included.items()}
    return (json.dumps(environment, indent=2) + "\n").encode()


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """A results folder with its runs laid out: `folder` itself, or a passing copy if they are only packed.

    All of an archive is looked through for damage; the copy has what a report reads.

    Raises:
        LabError: a file that is no zip file of runs, or one too large.
    """
    source = folder / PACKED
    if not source.exists() or (folder / "runs").exists():
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bottleneck_lab-") as temporary:
        place = Path(temporary) / folder.name
        _extract(source, place)
        if (plan := folder / "plan.json").exists():
            files.write_bytes(place / "plan.json", plan.read_bytes())
        yield place


def _extract(source: Path, place: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            if any(not _is_of_a_run(entry.filename) for entry in entries):
                raise LabError(f"{source}: holds other files than those of runs; publish the results again")
            if sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise LabError(f"{source}: holds more than {MOST_BYTES // 2**20} MiB; it is not unpacked")
            for run in {PurePosixPath(entry.filename).parent for entry in entries}:
                (place / run).mkdir(parents=True)
            for entry in entries:
                content = archive.read(entry)  # which checks its sum
                if PurePosixPath(entry.filename).name in READ:
                    (place / entry.filename).write_bytes(content)
    except (*_DAMAGE, OSError, ValueError) as error:
        raise LabError(f"{source}: is damaged ({error}); publish the results again") from error


def _is_of_a_run(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 3 and parts[0] == "runs" and parts[1].isalnum() and parts[2] in KEPT
