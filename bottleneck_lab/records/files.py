"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from bottleneck_lab.errors import LabError

T = TypeVar("T")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it, now or after a crash of this process, finds all or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{_machine()}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        _replace(path, part)
    except BaseException:  # a full disk, say, which what is half written would keep full
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _replace(path: Path, part: Path) -> None:
    """Let `part` take the place of `path`; where Windows forbids it while somebody reads, a moment later."""
    for _ in range(_TRIES):
        try:
            part.replace(path)
            return
        except PermissionError:
            if not _WINDOWS:
                raise
            time.sleep(_SECONDS_BETWEEN_TRIES)
    part.replace(path)


_WINDOWS = os.name == "nt"
_TRIES, _SECONDS_BETWEEN_TRIES = 50, 0.1


def sweep(results: Path) -> None:
    """Remove what processes of this machine that were killed have half written in a results folder.

    Of another machine's processes nobody knows here: what they began a day ago is removed.
    """
    of_here = re.compile(rf"\..*\.{re.escape(_machine())}\.(\d{{1,9}})\.part", re.DOTALL)
    for pattern in (".*.part", "runs/*/.*.part", "checkpoints/.*.part", "queue/.*.part"):
        for part in results.glob(pattern):
            writer = of_here.fullmatch(part.name)
            with contextlib.suppress(OSError):
                if _lives(int(writer[1])) if writer else time.time() - part.stat().st_mtime < _DAY_SECONDS:
                    continue
                part.unlink()


_DAY_SECONDS = 86_400


def _machine() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]


def _lives(process: int) -> bool:
    if _WINDOWS:  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for text, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """`write_bytes` for JSON, indented; NaN and infinities become null, since JSON has no word for them."""
    write_text(path, json.dumps(finite(value), indent=2, allow_nan=False) + "\n")


def write_json_lines(path: Path, values: Iterable[Mapping[str, object]]) -> None:
    """`write_bytes` for JSON lines."""
    write_text(path, "".join(json.dumps(finite(value), allow_nan=False) + "\n" for value in values))


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """`write_bytes` for one array, in numpy's format."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())


_VECTOR = re.compile(  # the header that numpy writes of booleans and of bytes, and no other
    rb"\x93NUMPY\x01\x00..\{'descr': '\|(b1|u1)', 'fortran_order': False, 'shape': \((\d{1,18}),\), \} *\n",
    re.DOTALL,
)


def booleans(content: bytes) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """The vector of booleans that `write_array` made this of; None for anything else."""
    values = _vector(content, b"b1")
    return None if values is None or values.max(initial=0) > 1 else values.view(np.bool_)


def classes(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    """The vector of classes, uint8, that `write_array` made this of; None for anything else."""
    return _vector(content, b"u1")


def _vector(content: bytes, kind: bytes) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    """Faster than numpy's own reader, and whatever a damaged header says, nothing is allocated for it."""
    header = _VECTOR.match(content)
    if header is None or header[1] != kind or int(header[2]) != len(content) - header.end():
        return None
    return np.frombuffer(content, np.uint8, offset=header.end())


def read_text(path: Path) -> str | None:
    """The content of a text file; None where there is none, or it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where there is none, or it cannot be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_as(kind: type[T], path: Path) -> T | None:
    """The dataclass that a JSON file was written from; None where there is none, or one of another form."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError):
        return None


def read_left(kind: type[T], path: Path, advice: str = "make it again") -> T:
    """What a command has left in a JSON file, as the dataclass that says its form.

    Raises:
        LabError: a file that cannot be read, or is of another form, with the place where it is.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from error
    except ValidationError as error:
        why = first_problem(error)
        raise LabError(f"{path}: is not what `bottleneck-lab` leaves ({why}); {advice}") from error


def first_problem(error: ValidationError) -> str:
    """What is wrong first with what a model has refused, and where."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def read_json_lines(path: Path) -> list[Any]:
    """The lines of a JSON lines file; none where there is no file, or it cannot be read."""
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return []


def finite(value: Any) -> Any:
    """What is written of a value: NaN and infinities become null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
