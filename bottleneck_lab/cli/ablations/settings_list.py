"""Every setting that `--set` takes: what it is in an ablation, and what it means."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from bottleneck_lab.report.sentences.assignments import assignments

if TYPE_CHECKING:
    from bottleneck_lab.config import Ablation, Variant

_LONGEST = 60  # characters of a value; what is longer is a table of stages


def settings_of(ablation: Ablation) -> Iterator[tuple[str, str, str]]:
    """What `--set` takes, for every part of an ablation: `images.train.epochs`, its value, its meaning.

    The value is that of the quick tier, and "varies" where variants differ in it.
    """
    for name, part in ablation.parts.items():
        dataset, known = next(iter(part.datasets.items()))
        tier = "quick" if "quick" in known.tiers else next(iter(known.tiers))
        variants = ablation.variants(tier, [dataset])
        for section in ("model", "data", "train"):
            settings = getattr(variants[0].settings, section)
            for key, meaning in _meanings(type(settings)).items():
                yield f"{name}.{section}.{key}", _value(variants, section, key), meaning


def _value(variants: list[Variant], section: str, key: str) -> str:
    found = {_said(key, getattr(getattr(v.settings, section), key, None)) for v in variants}
    text = found.pop() if len(found) == 1 else "varies"
    return text if len(text) <= _LONGEST else "a table"


def _said(key: str, value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, BaseModel | tuple):
        return "a table"
    return assignments({key: value})[0].partition("=")[2]


def _meanings(settings: type[BaseModel]) -> dict[str, str]:
    """The fields of a class of settings that can be set, each as the docstrings explain it."""
    explained: dict[str, str] = {}
    for cls in reversed(settings.__mro__):
        explained |= _arguments(inspect.cleandoc(cls.__dict__.get("__doc__") or ""))
    fixed = {"family", "dataset"}
    return {key: explained.get(key, "") for key in settings.model_fields if key not in fixed}


def _arguments(docstring: str) -> dict[str, str]:
    """What stands under `Args:` in a docstring, by name."""
    _, _, rest = docstring.partition("Args:\n")
    block = re.split(r"\n(?=\S)", rest, maxsplit=1)[0]
    found = re.split(r"^    (\w+): ", block, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(found[::2], found[1::2], strict=True)}
