"""Runs in one file: what a results folder is published as, so that every number can be made from it again."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from bottleneck_lab.errors import LabError
from bottleneck_lab.records.checksums import KEY, without_checksums
from bottleneck_lab.records.names import (
    CONFIG,
    CORRECT,
    ENVIRONMENT,
    METRICS,
    PACKED,
    PREDICTIONS,
    RESULT,
    RUNS,
)

KEPT = (CONFIG, CORRECT, ENVIRONMENT, METRICS, PREDICTIONS, RESULT)
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
                path = folder / RUNS / run_id / name
                if path.exists():
                    content = path.read_bytes()
                    if name == ENVIRONMENT:
                        content = _anonymous(content)
                    if name == RESULT:
                        content = _without_checksums(content)
                    entry = zipfile.ZipInfo(f"{RUNS}/{run_id}/{name}", _LONG_AGO)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, content)
    return stream.getvalue()


def _object(content: bytes) -> dict[str, Any] | None:
    """The JSON object that a file holds; None for a damaged one, which is packed as it is."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _anonymous(content: bytes) -> bytes:
    environment = _object(content)
    if environment is None:
        return content
    environment.pop("host", None)
    if isinstance(included := environment.get("included"), dict):
        environment["included"] = {Path(name).name: digest for name, digest in included.items()}
    return (json.dumps(environment, indent=2) + "\n").encode()


def _without_checksums(content: bytes) -> bytes:
    """Of files some of which are not packed, or not as they were; the zip file has sums of its own."""
    result = _object(content)
    if result is None or KEY not in result:
        return content
    return (json.dumps(without_checksums(result), indent=2) + "\n").encode()


Place = Path | zipfile.Path
"""Where something lies: in a folder, or in a zip file as if that were one."""


def runs_of(folder: Path) -> Place:
    """The folder of a results folder's runs: `runs/`, or the one in `runs.zip` where they are only packed.

    A zip file is read into memory, and all of it looked through for damage.

    Raises:
        LabError: a file that is no zip file of runs, or one too large.
    """
    source = folder / PACKED
    if not source.exists() or (folder / RUNS).exists():
        return folder / RUNS
    try:
        archive = zipfile.ZipFile(io.BytesIO(source.read_bytes()))
        entries = archive.infolist()
        if any(not _is_of_a_run(entry.filename) for entry in entries):
            raise LabError(f"{source}: holds other files than those of runs; publish the results again")
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
            raise LabError(f"{source}: is packed in another way than by `publish`; publish the results again")
        if sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise LabError(f"{source}: holds more than {MOST_BYTES // 2**20} MiB; it is not unpacked")
        for entry in entries:
            archive.read(entry)  # which checks its sum
    except (*_DAMAGE, OSError, ValueError) as error:
        raise LabError(f"{source}: is damaged ({error}); publish the results again") from error
    return zipfile.Path(archive, f"{RUNS}/")


def _is_of_a_run(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) == 3 and parts[0] == RUNS and parts[1].isalnum() and parts[2] in KEPT
