"""What comes from Python may be of any type: a sentence where it is of a wrong one."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bottleneck_lab.config.problems import brief
from bottleneck_lab.errors import LabError

One = TypeVar("One", bound="str | Path")


def whole(name: str, value: Any) -> int:
    """A whole number, of Python or NumPy.

    Raises:
        LabError: anything else.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise LabError(f"{name}: {brief(value)} is no whole number") from None


def several(name: str, given: One | Iterable[One]) -> list[One]:
    """One text or path, or some of them, as a list.

    Raises:
        LabError: anything else.
    """
    if isinstance(given, str | Path):
        return [given]
    found = list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(each, str | Path) for each in found):
        raise LabError(f"{name} = {brief(given)}: give one text, or a list of them")
    return found


# What `run` calls the options of `run-ablation`; what another program says of its own stays as it is.
_ARGUMENTS = {
    option: option.replace("-", "_")
    for option in (
        "tier", "dataset", "seeds", "workers", "engine", "address", "per-gpu", "device", "out", "data-dir",
        "include", "fresh", "dry-run",
    )
} | {"engine-option": "engine_options", "tracker": "trackers", "set": "settings"}  # fmt: skip


def in_arguments(text: str) -> str:
    """What is said of a command's options, in the words of `run`: `--data-dir` is `data_dir`."""

    names = "|".join(_ARGUMENTS)
    return re.sub(rf"(?<![\w-])--({names})(?![\w=-])", lambda option: _ARGUMENTS[option[1]], text)


@contextmanager
def said_in_arguments() -> Iterator[None]:
    """Whatever is refused meanwhile is refused in the words of `run`."""
    try:
        yield
    except LabError as error:
        raise LabError(in_arguments(str(error))) from error
