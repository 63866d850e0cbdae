"""Finding and reading ablation files, and reading what `--set` says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bottleneck_lab.config.ablations.ablation import Ablation
from bottleneck_lab.config.base import Unchecked
from bottleneck_lab.config.problems import brief, complain, nearest, sentence
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
    raise LabError(f"There is no ablation {brief(name)}; {nearest(name, known)}")


def read(path: Path) -> Ablation:
    """Read and check one ablation file.

    Raises:
        LabError: with file, key and reason of every problem.
    """
    if path.stem in ("", ".", ".."):
        raise LabError(f"{path}: an ablation is named by its file, and {path.stem!r} is no name; rename it")
    if not _is_text(path):
        raise LabError(
            f"{str(path)!r}: an ablation is named by its file, and this is no plain text; rename it"
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror}); give the path of a .toml file") from error
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from error
    try:
        content = parse(text, f"{path}")
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from error
    if own := [key for key in ("name", "file") if key in content]:
        raise LabError(f"{path}: {own[0]}: unknown key; an ablation is named by its file")
    try:
        whole = json.dumps({**content, "name": path.stem, "file": str(path)}, default=str)
        ablation = Ablation.model_validate_json(whole)
    except ValidationError as error:
        complain(str(path), sentence(error, Ablation))
        raise  # not reached: every mistake is a problem
    ablation.check()
    return ablation


def parse(text: str, where: str) -> Unchecked:
    """The content of a text in TOML, with nothing in it that no setting could be.

    Raises:
        TOMLDecodeError: another language.
        LabError: a value nested too deep, or an integer beyond those of TOML, with `where` and its key.
    """
    try:
        content = _content(text)
    except RecursionError:
        deep = _MANY_LEVELS.search(text)
        lines = text[: deep.end() if deep else 0].split("\n")
        key = lines[-1].partition("=")[0].strip()
        raise LabError(f"{where}: line {len(lines)}: {brief(key)}: {_TOO_DEEP}") from None
    _refuse_extremes(content, where)
    return content


def _content(text: str) -> Unchecked:
    content: Unchecked
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (
        ValueError
    ):  # Python reads no integer of so many digits; what is too large in its place has its key
        content = tomllib.loads(_MANY_DIGITS.sub(str(10 * _LARGEST), text))
    return content


_LARGEST = 2**63 - 1  # of TOML's integers
_MANY_DIGITS = re.compile(r"[0-9][0-9_]{1000,}")
_MANY_LEVELS = re.compile(r"(?:[\[{][^\[\]{}]{0,100}){32}|(?:\.[\w-]{1,100}){32}")
_DEEPEST = 32
_TOO_DEEP = f"nested too deep; settings are at most {_DEEPEST} deep"


def _refuse_extremes(content: Unchecked, where: str) -> None:
    """Refuse what no setting could be, and what could neither be written nor shown."""
    left: list[tuple[tuple[str, ...], Any]] = [((), content)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict | list):
            if len(key) > _DEEPEST:
                raise LabError(f"{where}: {'.'.join(key[:4])}: {_TOO_DEEP}")
            items = value.items() if isinstance(value, dict) else enumerate(value)
            left += [((*key, str(name)), inner) for name, inner in items]
        elif isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
            raise LabError(f"{where}: {'.'.join(key)}: an integer too large; they end at {_LARGEST}")


def _is_text(path: Path) -> bool:
    """Whether a path is UTF-8, and its file's name has no characters that are for machines."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return path.stem.isprintable()


def parse_overrides(settings: Sequence[str]) -> Unchecked:
    """Read `--set` options, each `[part.]section.key=value` with the value in TOML (or a bare word).

    >>> parse_overrides(["train.epochs=3", "images.model.residual=none"])
    {'train': {'epochs': 3}, 'images': {'model': {'residual': 'none'}}}

    Raises:
        LabError: an option without `=` or without a section.
    """
    tree: Unchecked = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise LabError(f"--set {setting}: write it as section.key=value, for example train.epochs=3")
        _override(tree, key, parse_value(text.strip(), f"--set {key}"), f"--set {setting}")
    _refuse_extremes(tree, "--set")
    return tree


def as_overrides(settings: Mapping[str, Any]) -> Unchecked:
    """Settings by their keys, as `parse_overrides` reads them.

    >>> as_overrides({"train.epochs": 3, "images.model.residual": "none"})
    {'train': {'epochs': 3}, 'images': {'model': {'residual': 'none'}}}

    Raises:
        LabError: a key without a section, or two that contradict each other.
    """
    if not isinstance(settings, Mapping):
        raise LabError(f"settings = {brief(settings)}: give values by their keys, as {{'train.epochs': 3}}")
    tree: Unchecked = {}
    for key, value in settings.items():
        plain = value.item() if hasattr(value, "item") else value  # of NumPy
        _override(tree, str(key), plain, f"settings: {key!r}")
    _refuse_extremes(tree, "settings")
    return tree


def _override(tree: Unchecked, key: str, value: Any, said: str) -> None:
    """Put a value where its key says; `said` is how the user has said it."""
    *path, last = (step.strip() for step in key.split("."))
    if not path or not all([*path, last]):
        raise LabError(f"{said}: write it as section.key=value, for example train.epochs=3")
    branch = tree
    for step in path:
        branch = branch.setdefault(step, {})
        if not isinstance(branch, dict):
            raise LabError(f"{said}: {step} was given a value already")
    if isinstance(branch.get(last), dict):
        raise LabError(f"{said}: keys of {last} were given values already")
    branch[last] = value


def parse_value(text: str, where: str) -> Any:
    """A value in TOML, or the bare words that it stands for where it is not.

    Raises:
        LabError: a value nested too deep, or an integer beyond those of TOML, with `where` it stands.
    """
    try:
        content = parse(f"value = {text}", where)
    except tomllib.TOMLDecodeError:
        return text
    return content["value"] if len(content) == 1 else text  # more than a value in several lines
