"""Files and packages that add to the lab: found, run once in a process, and noted with what they import."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bottleneck_lab.errors import LabError
from bottleneck_lab.extend import catalogue
from bottleneck_lab.extend.catalogue import REGISTRIES, Addition
from bottleneck_lab.extend.global_state import chance_left_alone, left_alone
from bottleneck_lab.extend.siblings import siblings_of

GROUP = "bottleneck_lab"  # of entry points
VARIABLE = "BOTTLENECK_LAB_INCLUDE"  # files and folders, separated like those of PATH


@contextmanager
def _for_all_processes() -> Iterator[None]:
    """What is added inside of this, other processes can add, too."""
    before, catalogue.loading = catalogue.loading, True
    try:
        yield
    finally:
        catalogue.loading = before


def only_here() -> list[str]:
    """The names of what was added in this process alone: in a notebook, or in a script that is run."""
    return [name for registry in REGISTRIES for name, added in registry.added.items() if not added.elsewhere]


_included: dict[Path, ModuleType] = {}
_beside: dict[Path, ModuleType] = {}  # what lies beside included files and was imported by them
_files_beside: dict[Path, dict[str, Path]] = {}  # which these are, by their path in the folder, for each file
_entry_points_loaded = False


def include(paths: Sequence[Path], named_by: str = "--include") -> None:
    """Run the files (those in a folder, where it is one) that add to the lab; each once in a process.

    Args:
        paths: files and folders; of a folder, its Python files but for those that begin with an underscore or
            a dot. What lies beside a file it can import, at its beginning, and then depends on it as well.
        named_by: the option or variable that names them, for sentences.

    Raises:
        LabError: a path that is missing or without Python files, a file that fails, a name that is taken. A
            file that fails has added nothing. So does one that changes what holds for the whole process, as
            torch's default dtype.
    """
    for path in paths:
        for file in _files(path, named_by):
            if file not in _included and file not in _beside:
                _included[file] = _run(file)


def include_all(paths: Sequence[Path]) -> None:
    """`include` for `paths`, for what `$BOTTLENECK_LAB_INCLUDE` names, and for installed packages."""
    global _entry_points_loaded
    if not _entry_points_loaded:
        _entry_points_loaded = True
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                with chance_left_alone(), left_alone(), _for_all_processes():
                    point.load()
            except Exception as error:
                raise LabError(
                    f"the installed package {point.value!r} (entry point {point.name!r}) cannot be loaded: "
                    f"{_said(error)}"
                ) from error
    named = os.environ.get(VARIABLE, "")
    include([Path(part) for part in named.split(os.pathsep) if part], f"${VARIABLE}")
    include(paths)


def included() -> tuple[Path, ...]:
    """The files that were included in this process, for another process to include."""
    return tuple(_included)


def files_of(file: Path) -> dict[str, Path]:
    """An included file and those beside it that it has imported, each by its path in the folder."""
    return {file.name: file, **_files_beside[file]}


def _files(path: Path, named_by: str) -> list[Path]:
    try:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if _may_add(file))
            if not found:
                raise LabError(f"{named_by} {path}: the folder holds no Python files")
            return [file.resolve() for file in found]
        if not path.is_file():
            raise LabError(f"{named_by} {path}: no such file or folder")
        return [path.resolve()]
    except (OSError, RuntimeError) as error:  # links that lead in a circle are a RuntimeError
        raise LabError(f"{named_by} {path}: cannot be read ({getattr(error, 'strerror', error)})") from error


def _may_add(file: Path) -> bool:
    return file.suffix == ".py" and not file.name.startswith(("_", ".")) and file.is_file()


def _digests_with(file: Path, before: Sequence[dict[str, Addition[Any]]], beside: dict[str, Path]) -> None:
    """Let what was added depend on the files beside it, too, where any was imported."""
    contents = "".join(
        f"{name} {hashlib.sha256(beside[name].read_bytes()).hexdigest()}" for name in sorted(beside)
    )
    for registry, old in zip(REGISTRIES, before, strict=True):
        for name, added in registry.added.items():
            if name not in old:
                digest = hashlib.sha256((added.digest + contents).encode()).hexdigest()
                registry.added[name] = dataclasses.replace(added, origin=str(file), digest=digest)


def _run(file: Path) -> ModuleType:
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"bottleneck_lab_included_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LabError(f"{file}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    before = [dict(registry.added) for registry in REGISTRIES]
    sys.modules[name] = module  # so that what it defines can be looked up, by inspect and by pickle
    try:
        known = {**_beside, **_included}
        with chance_left_alone(), left_alone(), _for_all_processes(), siblings_of(file, known) as beside:
            spec.loader.exec_module(module)
        if any(path in _beside or path in _included for path in beside.found.values()):
            for other in _included:  # what such a module has imported in turn is not looked up again
                if other.parent == file.parent:
                    beside.found.update(_files_beside[other])
        if beside.found:
            _digests_with(file, before, beside.found)
        _files_beside[file] = beside.found
        _beside.update({path: made for path, made in beside.modules.items() if path not in _included})
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        for registry, added in zip(REGISTRIES, before, strict=True):
            registry.added = added
        line = _line(file, error)
        where = f"{file}, line {line}" if line else f"{file}"
        raise LabError(f"{where}: {_said(error)}") from error
    return module


def _line(file: Path, error: BaseException) -> int | None:
    """The line of `file` at which the error came up."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return frames[-1].lineno if frames else None


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
