"""Where results lie: the one way to look for them below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bottleneck_lab.errors import LabError
from bottleneck_lab.records.names import PLAN

_DEEPEST = 8  # levels below, which is more than results/NAME/TIER has


def result_folders(above: Path, refused: list[str] | None = None) -> list[Path]:
    """Every folder of results at or below `above`, also behind links, in the order of their names.

    Folders below that cannot be looked into are passed over, and said in `refused`.

    Raises:
        LabError: `above` itself cannot be looked into.
    """
    try:
        found = list(_below(above, _DEEPEST, set(), refused if refused is not None else []))
    except (OSError, ValueError) as error:  # ValueError: a name with a null in it
        why = getattr(error, "strerror", None) or error
        raise LabError(f"{above}: cannot be looked into ({why})") from error
    return sorted(found)


def _below(folder: Path, deepest: int, seen: set[tuple[int, int]], refused: list[str]) -> Iterator[Path]:
    """Raises OSError where `folder` cannot be looked into."""
    try:
        state = folder.stat()
        if (here := (state.st_dev, state.st_ino)) in seen:
            return  # by another way: links may lead in a circle
        seen.add(here)
        names = {child.name for child in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return
    if PLAN in names:
        yield folder
        return
    for name in sorted(names) if deepest else ():
        try:
            yield from _below(folder / name, deepest - 1, seen, refused)
        except OSError as error:
            refused.append(f"{folder / name}: passed over, since it cannot be looked into ({error.strerror})")
