"""What is wrong with a settings file, said in sentences: file, key, reason, and the nearest valid name."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from bottleneck_lab.errors import LabError


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that names the closest valid name, or lists them all when none is close."""
    names = list(dict.fromkeys(valid))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid names: {', '.join(names)}" if names else ""


_TAGS = ("family", "dataset")  # fields that tell the members of a union apart; set by us, not by users


class Problems:
    """Collects everything that is wrong, to be said all at once."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._found: dict[str, None] = {}

    def add(self, key: str, reason: str, name: str | None = None, valid: Iterable[str] = ()) -> None:
        """Note that `key` is wrong; with `name`, add the nearest of the `valid` names."""
        hint = f"; {nearest(name, valid)}" if name is not None else ""
        self._found[f"{key}: {reason}{hint}"] = None

    def complain(self) -> None:
        """Raise LabError with all that was found, if anything was."""
        if self._found:
            raise LabError("\n".join(f"{self.where}: {problem}" for problem in self._found))


def sentence(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """For each mistake that pydantic found: the key, dotted, and what is wrong with it."""
    mistakes = error.errors(include_url=False)
    places = [tuple(map(str, mistake["loc"])) for mistake in mistakes]
    for mistake, loc in zip(mistakes, places, strict=True):
        if any(place[: len(loc)] == loc and place != loc for place in places):
            continue  # follows from the mistake inside it
        fields, key = _walk(model, loc)
        kind, given = mistake["type"], mistake["input"]
        if kind == "extra_forbidden":
            reason = f"unknown key; {nearest(loc[-1], fields)}"
        elif kind == "literal_error":
            valid = re.findall(r"'([^']*)'", mistake["ctx"]["expected"])
            reason = f"{given!r} is not known; {nearest(str(given), valid)}"
        elif kind == "missing":
            reason = "missing"
        elif kind == "value_error":
            reason = str(mistake["ctx"]["error"])
        else:
            reason = f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}, not {given!r}"
        yield key, reason


def _walk(model: type[BaseModel], loc: Sequence[str]) -> tuple[list[str], str]:
    """Field names at the place that `loc` leads to, and `loc` as dotted keys without union tags."""
    fields, keys = list(model.model_fields), []
    current: Any = model
    for step in loc:
        if step == "[key]":  # of a dict, whose offending key is the step before
            continue
        models = _models(current)
        tagged = [option for option in models if step in _tags(option)]
        if tagged:
            current, fields = tagged[0], list(tagged[0].model_fields)
            continue
        keys.append(step)
        holder = next((option for option in models if step in option.model_fields), None)
        current = holder.model_fields[step].annotation if holder is not None else _element(current)
        if inner := _models(current):
            fields = [name for option in inner for name in option.model_fields]
        elif models:
            fields = [name for option in models for name in option.model_fields]
    return [name for name in fields if name not in _TAGS], ".".join(keys)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The settings models among the types that a union is made of."""
    types = [option for option in _flatten(annotation) if isinstance(option, type)]
    return [option for option in types if issubclass(option, BaseModel)]


def _flatten(annotation: Any) -> list[Any]:
    """The types a union is made of; containers stand for themselves."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _flatten(typing.get_args(annotation)[0])
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        return [option for part in typing.get_args(annotation) for option in _flatten(part)]
    return [annotation]


def _element(annotation: Any) -> Any:
    """What a dict or tuple annotation holds."""
    for option in _flatten(annotation):
        arguments = [part for part in typing.get_args(option) if part is not Ellipsis]
        if arguments:
            return arguments[-1]
    return None


def _tags(model: type[BaseModel]) -> list[str]:
    """What pydantic puts into the path of an error to tell the model from others in its union."""
    if (tag := getattr(model, "TAG", None)) is not None:
        return [str(tag)]
    for name in _TAGS:
        if name in model.model_fields:
            return [str(value) for value in typing.get_args(model.model_fields[name].annotation)]
    return []
