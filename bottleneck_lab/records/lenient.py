"""Files that may be damaged: what is in them as far as it can be, and why not where it cannot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bottleneck_lab.records.names import RUNS
from bottleneck_lab.records.packed import Place


@dataclass(frozen=True, order=True)
class Stray:
    """A file of a results folder that is damaged, or not of its ablation: what is in it counts nowhere.

    Args:
        file: its path in the results folder, with `/` between.
        why: it is left out, in words that go on from "FILE: ".
    """

    file: str
    why: str


def stray(name: str, why: str) -> Stray:
    """A file of that name among the runs."""
    file, reason = (text.encode(errors="replace").decode() for text in (f"{RUNS}/{name}", why))
    return Stray(file, reason)


def refused(error: OSError) -> str:
    """Why a file cannot be read."""
    return f"cannot be read ({error.strerror or error})"


def _text(path: Place) -> tuple[str | None, str | None]:
    """The text of a file; or None where there is none, and why where there is one and it is none."""
    try:
        return path.read_bytes().decode(), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, refused(error)
    except ValueError:
        return None, "is not text"


def json_content(path: Place) -> tuple[Any, str | None]:
    """The content of a JSON file; or None where there is none, and why where there is one and it is none."""
    text, why = _text(path)
    if text is None:
        return None, why
    try:
        found = json.loads(text)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()  # half a character could never be written again
        return found, None
    except (ValueError, RecursionError):
        return None, "is not JSON"


def json_object(place: Place, name: str, strays: set[Stray]) -> dict[str, Any]:
    """The JSON object in a file among the runs; an empty one where there is nothing that could be one."""
    found, why = json_content(place / name)
    if found is not None and not isinstance(found, dict):
        why = "is no JSON object"
    if why:
        strays.add(stray(name, why))
    return found if isinstance(found, dict) else {}


def json_lines(path: Place) -> tuple[list[Any], str | None]:
    """The lines of a JSON lines file; none where there is none, and why where a line is not JSON."""
    text, why = _text(path)
    if text is None:
        return [], why
    lines = text.splitlines()
    try:
        found = json.loads(f"[{','.join(lines)}]")  # at once is faster than one by one
        if len(found) == len(lines):
            return found, None
        return [json.loads(line) for line in lines], None
    except (ValueError, RecursionError):
        return [], "is not JSON"


def number(value: object) -> float | None:
    """A finite number, else None."""
    if type(value) is not float and type(value) is not int:
        return None
    return value if abs(value) < _MOST else None


_MOST = 1e100  # the square of what is much larger overflows


def time(value: object) -> float | None:
    """Seconds, else None."""
    found = number(value)
    return found if found is not None and 0 <= found < _MOST_SECONDS else None


_MOST_SECONDS = 1e9  # thirty years


def numbers(values: object) -> dict[str, float]:
    """Those of named values that are finite numbers."""
    if not isinstance(values, dict):
        return {}
    return {name: found for name, value in values.items() if (found := number(value)) is not None}


def number_lists(values: object) -> dict[str, list[float]]:
    """Those of named values that are lists of finite numbers."""
    if not isinstance(values, dict):
        return {}
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    found = {name: [n for one in value if (n := number(one)) is not None] for name, value in lists.items()}
    return {name: whole for name, whole in found.items() if 0 < len(whole) == len(lists[name])}


def share(value: object) -> float | None:
    """A number from 0 to 1, else None."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None
