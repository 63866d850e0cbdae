"""What is wrong with a settings file, said in sentences: file, key, reason, and the nearest valid name."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from bottleneck_lab.errors import LabError

MOST_SAID = 20  # problems, of a thousand that may follow from one slip
_MOST_NAMES = 30
_LONGEST_NAME = 100  # characters that a likeness is looked for in
_LONGEST_VALUE, _LONGEST_KEY, _LONGEST_REASON = 120, 300, 2000  # characters that are shown


def brief(value: object) -> str:
    """What was given, as Python writes it; of what is long, its beginning and its end."""
    return _cut(repr(value), _LONGEST_VALUE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 4 :]}"


def nearest(name: object, valid: Iterable[str]) -> str:
    """A hint that names the closest valid name, or lists them when none is close."""
    names = list(dict.fromkeys(valid))
    name = str(name)  # from Python it may be anything
    close = difflib.get_close_matches(name, names, n=1) if len(name) <= _LONGEST_NAME else []
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"valid names: {', '.join(names[:_MOST_NAMES])}{more}" if names else ""


_TAGS = ("family", "dataset")  # fields that tell the members of a union apart; set by us, not by users


@dataclass(frozen=True)
class Problem:
    """What is wrong with `key`; saying it looks for the one of the `valid` names nearest to `name`."""

    key: str
    reason: str
    name: str | None = field(default=None, compare=False)
    valid: Collection[str] = field(default=(), compare=False)

    @property
    def advice(self) -> str:
        """The reason, and the nearest valid name."""
        return self.reason if self.name is None else f"{self.reason}; {nearest(self.name, self.valid)}"


def complain(where: str, problems: Iterable[Problem]) -> None:
    """Raise LabError with the first of the problems, a line each, and how many others were found; if any."""
    found = list(dict.fromkeys(problems))
    said = ((_cut(each.key, _LONGEST_KEY), _cut(each.advice, _LONGEST_REASON)) for each in found[:MOST_SAID])
    lines = [f"{where}: {key}: {advice}" for key, advice in said]
    if len(found) > MOST_SAID:
        lines.append(f"{where}: and at least {len(found) - MOST_SAID} more problems")
    if lines:
        raise LabError("\n".join(lines))


class Problems:
    """Collects everything that is wrong, to be said all at once."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._found: dict[Problem, None] = {}

    @property
    def are_plenty(self) -> bool:
        """Whether there are more than will be said: looking for further ones is not worth the time."""
        return len(self._found) > MOST_SAID

    def add(self, key: str, reason: str, name: str | None = None, valid: Collection[str] = ()) -> None:
        """Note that `key` is wrong; with `name`, the nearest of the `valid` names will be said."""
        self._found[Problem(key, reason, name, valid)] = None

    def complain(self) -> None:
        """Raise LabError with all that was found, if anything was."""
        complain(self.where, self._found)


def sentence(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """For each mistake that pydantic found: the key, dotted, and what is wrong with it."""
    mistakes = error.errors(include_url=False)
    places = [tuple(map(str, mistake["loc"])) for mistake in mistakes]
    around = {place[:depth] for place in places for depth in range(len(place))}
    for mistake, loc in zip(mistakes, places, strict=True):
        if loc in around:
            continue  # follows from the mistake inside it
        fields, key = _walk(model, loc)
        kind, given = mistake["type"], mistake["input"]
        if kind == "extra_forbidden":
            yield Problem(key, "unknown key", loc[-1], fields)
        elif kind == "literal_error":
            valid = re.findall(r"'([^']*)'", mistake["ctx"]["expected"])
            yield Problem(key, f"{brief(given)} is not known", str(given), valid)
        elif kind == "missing":
            yield Problem(key, "missing")
        elif kind == "value_error":
            yield Problem(key, str(mistake["ctx"]["error"]))
        else:
            yield Problem(key, f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}, not {brief(given)}")


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
