"""Whose fault it is: a published file that was damaged gets a sentence, and a bug stays what it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files


@contextmanager
def unless_a_bug(path: Path, made_again: Callable[[], Any]) -> Iterator[None]:
    """Blame a JSON file for what goes wrong with its content, if it is not what its records say.

    Args:
        path: the file.
        made_again: its content, made from its records.

    Raises:
        LabError: something went wrong, and the file is not what its records say. Where it is, the error is
            our own, and passed on.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        if not any(differences(files.read_json(path), json.loads(json.dumps(files.finite(made_again()))))):
            raise
        raise LabError(f"{path}: is not what its records say ({_said(error)}); make it again") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


_NOTHING = object()


def differences(found: Any, made: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The places in which two JSON contents differ; floats to nine digits."""
    if isinstance(found, dict) and isinstance(made, dict):
        for key in dict.fromkeys([*found, *made]):
            below = f"{where}.{key}" if where else str(key)
            yield from differences(found.get(key, _NOTHING), made.get(key, _NOTHING), below)
    elif isinstance(found, list) and isinstance(made, list):
        for index, (one, other) in enumerate(zip_longest(found, made, fillvalue=_NOTHING)):
            yield from differences(one, other, f"{where}[{index}]")
    elif not _equal(found, made):
        yield where, _shown(found), _shown(made)


def _equal(found: Any, made: Any) -> bool:
    if isinstance(found, float) and isinstance(made, float | int) and not isinstance(made, bool):
        return math.isclose(found, made, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == made)


def _shown(value: Any) -> str:
    return "missing" if value is _NOTHING else repr(value)
