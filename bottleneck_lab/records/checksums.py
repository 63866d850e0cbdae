"""The checksums of a run's files, kept in its `result.json`: whether they are still what the run has left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bottleneck_lab.records import files
from bottleneck_lab.records.names import CONFIG, CORRECT, ENVIRONMENT, METRICS, PREDICTIONS, RESULT, WEIGHTS

KEY = "files"  # in `result.json`; older runs have none
OF_A_RUN = (CONFIG, CORRECT, ENVIRONMENT, METRICS, PREDICTIONS, WEIGHTS)


def with_checksums(result: Mapping[str, object], folder: Path) -> dict[str, object]:
    """A result with size and SHA-256 of every other file that its run has left, and with its own SHA-256."""
    present = [folder / name for name in OF_A_RUN if (folder / name).exists()]
    kept = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in present}
    plain = without_checksums(files.finite(result))
    return {**plain, KEY: {**kept, RESULT: {"sha256": _of_values(plain)}}}


def without_checksums(result: Mapping[str, object]) -> dict[str, object]:
    """A result as it was before there were checksums."""
    return {name: value for name, value in result.items() if name != KEY}


def is_altered(result: Mapping[str, object]) -> bool:
    """Whether a result says something else than when it was written."""
    kept = result.get(KEY)
    of = kept.get(RESULT) if isinstance(kept, dict) else None
    return isinstance(of, dict) and of.get("sha256") != _of_values(without_checksums(result))


def _of_values(result: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def altered(folder: Path, result: Mapping[str, object], *, thorough: bool) -> Iterator[tuple[str, str]]:
    """The files that are not as the run with this result has left them, each with what is wrong in words.

    Unless it is to be thorough, the content of a file is looked at only where its time is later than that of
    the result, which was written last. Of a result without checksums nothing is said.
    """
    kept = result.get(KEY)
    if not isinstance(kept, dict):
        return
    written = None if thorough else _time(folder / RESULT)
    for name, of in kept.items():
        if name in OF_A_RUN and isinstance(of, dict) and (why := _wrong(folder / name, of, written)):
            yield name, why


def why_altered(path: Path, result: Mapping[str, object]) -> str | None:
    """What is wrong with one file of a run with this result; None where nothing is known to be."""
    kept = result.get(KEY)
    of = kept.get(path.name) if isinstance(kept, dict) else None
    return _wrong(path, of, None) if isinstance(of, dict) else None


def _wrong(path: Path, of: Mapping[str, object], written: int | None) -> str | None:
    try:
        found = path.stat()
        if found.st_size != of.get("bytes"):
            return f"has {found.st_size} bytes; the run left {of.get('bytes')}"
        if (written is None or found.st_mtime_ns > written) and _sha256(path) != of.get("sha256"):
            return "is not what the run left: its checksum differs"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return None


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
