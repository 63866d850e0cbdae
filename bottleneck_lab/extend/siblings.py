"""Modules that lie beside a file from outside: found while it is run, and noted, since it depends on them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


class Siblings(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules that lie in the folder of a file while that is run, and notes which files they are.

    A file that was included or imported already is the module that it has become, and is not run twice.
    """

    def __init__(self, folder: Path, known: Mapping[Path, ModuleType]) -> None:
        self._folder, self._known = folder, known
        self.found: dict[str, Path] = {}
        self.names: set[str] = set()
        self.modules: dict[Path, ModuleType] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Where a module is, if it lies here."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "bottleneck_lab" or (path is None and "." in name):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path or [str(self._folder)])
        if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(self._folder):
            return None
        if path is None or top in self.names:
            file = Path(spec.origin)
            self.names.add(top)
            self.found[file.relative_to(self._folder).as_posix()] = file
            return ModuleSpec(name, self, origin=spec.origin) if file in self._known else spec
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module that a file has become."""
        return self._known[Path(spec.origin or "")]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was run before."""


@contextlib.contextmanager
def siblings_of(file: Path, known: Mapping[Path, ModuleType]) -> Iterator[Siblings]:
    """Inside of this, what lies beside a file can be imported; afterwards its names mean what they did."""
    finder = Siblings(file.parent, known)
    own = {each.stem for each in file.parent.glob("*.py")} - {"bottleneck_lab"} - sys.stdlib_module_names
    hidden = {name: sys.modules.pop(name) for name in own & sys.modules.keys()}
    importlib.invalidate_caches()
    sys.meta_path.insert(0, finder)
    try:
        yield finder
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in finder.names]:
            module = sys.modules.pop(name)
            if (path := getattr(module, "__file__", None)) is not None:
                finder.modules[Path(path)] = module
        sys.modules.update(hidden)
