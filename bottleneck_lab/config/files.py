"""Finding and reading ablation files, and reading what `--set` says."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bottleneck_lab.config.ablation import Ablation
from bottleneck_lab.config.problems import nearest, sentence
from bottleneck_lab.errors import LabError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def experiments_folder() -> Path:
    """The ablation files that come with the project: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "experiments"
    return installed if installed.is_dir() else package.parent / "experiments"


def catalogue() -> dict[str, Path]:
    """Name and file of every ablation that comes with the project."""
    return {path.stem: path for path in sorted(experiments_folder().glob("*.toml"))}


def load(name: str) -> Ablation:
    """Read and check an ablation, by its name in the catalogue or by the path of a file of one's own.

    Raises:
        LabError: no such ablation, or a file that could not run, with file, key and reason of every problem.
    """
    known = catalogue()
    if name in known:
        return read(known[name])
    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        return read(path)
    raise LabError(f"There is no ablation {name!r}; {nearest(name, known)}")


def read(path: Path) -> Ablation:
    """Read and check one ablation file.

    Raises:
        LabError: with file, key and reason of every problem.
    """
    if path.stem in ("", ".", ".."):
        raise LabError(f"{path}: an ablation is named by its file, and {path.stem!r} is no name; rename it")
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror}); give the path of a .toml file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from error
    if own := [key for key in ("name", "file") if key in content]:
        raise LabError(f"{path}: {own[0]}: unknown key; an ablation is named by its file")
    try:
        whole = json.dumps({**content, "name": path.stem, "file": str(path)}, default=str)
        ablation = Ablation.model_validate_json(whole)
    except ValidationError as error:
        lines = (f"{path}: {key}: {reason}" for key, reason in sentence(error, Ablation))
        raise LabError("\n".join(dict.fromkeys(lines))) from error
    ablation.check()
    return ablation


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Read `--set` options, each `[part.]section.key=value` with the value in TOML (or a bare word).

    >>> parse_overrides(["train.epochs=3", "images.model.residual=none"])
    {'train': {'epochs': 3}, 'images': {'model': {'residual': 'none'}}}

    Raises:
        LabError: an option without `=` or without a section.
    """
    tree: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        *path, last = (step.strip() for step in key.split("."))
        if not equals or not path or not all([*path, last]):
            raise LabError(f"--set {setting}: write it as section.key=value, for example train.epochs=3")
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
            if not isinstance(branch, dict):
                raise LabError(f"--set {setting}: {step} was given a value already")
        branch[last] = parse_value(text.strip())
    return tree


def parse_value(text: str) -> Any:
    """A value in TOML, or the bare words that it stands for where it is not."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
