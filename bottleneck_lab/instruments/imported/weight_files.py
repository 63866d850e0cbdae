"""Reading the weights that other programs have saved, without executing anything that is in the file."""

from __future__ import annotations

import math
import pickle
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from bottleneck_lab.config.problems import nearest
from bottleneck_lab.errors import LabError

# Where training scripts keep the weights among other things, and what wrappers put before every name.
_KEYS = (
    "state_dict", "model", "model_state_dict", "net", "network", "module", "weights", "params", "backbone",
    "_orig_mod",
)  # fmt: skip
_AVERAGED = re.compile(
    r"ema|swa|averaged?|shadow|teacher"
)  # in the name of weights that were averaged over steps
_COUNTERS = ("n_averaged",)  # that averaging keeps among the weights
_DEPTH = 4  # of wrappers within each other


_SAFETENSORS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True)
class SavedWeights:
    """Weights of one network from a file.

    Args:
        tensors: by name, without what wrappers put before it.
        taken: where in the file they lay, as `model_ema/module`; empty for a file of nothing else.
        others: the places of further weights, which were not taken.
    """

    tensors: dict[str, Tensor]
    taken: str
    others: tuple[str, ...]


def read_weights(path: Path, place: str | None = None) -> SavedWeights:
    """The tensors of a `.safetensors` file, or of one that `torch.save` wrote (`.pth`, `.pt`), by name.

    Weights that lie among other things are found: those that were trained, where averaged ones are beside
    them; or those at `place`. What parallel training and `torch.compile` put before names is taken off.

    Raises:
        LabError: a file that is missing or damaged, or that holds anything but numbers and their names; one
            with several networks, or none at that place.
    """
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror or error})") from None
    found = dict(_networks(content))
    if not found:
        raise LabError(f"{path}: holds no plain state_dict; save that of the network and nothing else")
    taken = _chosen(path, list(found), place)
    for name, tensor in found[taken].items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise LabError(f"{path}: {name} holds numbers that are not finite; the network is damaged")
    return SavedWeights(found[taken], taken, tuple(other for other in found if other != taken))


def _networks(
    content: Mapping[Any, Any], place: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every set of named tensors in a file, with its place."""
    inner = {key: value for key, value in content.items() if isinstance(key, str) and key not in _COUNTERS}
    below = f"{place}/" if place else ""
    if depth < _DEPTH:
        for key, value in inner.items():
            if isinstance(value, Mapping):
                yield from _networks(value, f"{below}{key}", depth + 1)
    if not inner or not all(isinstance(value, Tensor) for value in inner.values()):
        return
    weights = {name.replace("._orig_mod.", "."): tensor for name, tensor in inner.items()}
    wrappers = {name.partition(".")[0] for name in weights}
    if depth < _DEPTH and all("." in name for name in weights) and all(map(_wraps, wrappers)):
        for wrapper in sorted(wrappers):
            inside = {n.partition(".")[2]: t for n, t in weights.items() if n.partition(".")[0] == wrapper}
            yield from _networks(inside, place if len(wrappers) == 1 else f"{below}{wrapper}", depth + 1)
    else:
        yield place, weights


def _wraps(word: str) -> bool:
    return word in _KEYS or _AVERAGED.search(word) is not None


def _chosen(path: Path, places: Sequence[str], place: str | None) -> str:
    """The place to take: the one that is asked for, or else where training scripts put weights."""
    if place is not None:
        asked = [one for one in places if one == place or one.startswith(f"{place}/")]
        if len(asked) != 1:
            raise LabError(f"{path}: no weights at {place!r}; {nearest(place, filter(None, places))}")
        return asked[0]
    trained = [one for one in places if not _AVERAGED.search(one)] or list(places)
    usual = sorted(trained, key=_usual)
    if len(usual) > 1 and _usual(usual[0]) == _usual(usual[1]):
        raise LabError(f"{path}: holds several networks; say which by --weights: {', '.join(usual)}")
    return usual[0]


def _usual(place: str) -> int:
    first = place.partition("/")[0]
    return _KEYS.index(first) if first in _KEYS else len(_KEYS) if place else -1


def _torch(path: Path) -> Mapping[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise LabError(
            f"{path}: damaged, or holds more than tensors, which is not opened because it could run a "
            "program; save the network's state_dict() alone"
        ) from None
    except OSError:
        raise
    except Exception as error:  # over bytes that are not its own it stumbles in many ways
        raise LabError(f"{path}: damaged, or not a file of torch.save ({type(error).__name__})") from None
    return content if isinstance(content, Mapping) else {}


def _safetensors(path: Path) -> Mapping[str, Any]:
    """8 bytes with the header's length, the JSON header (type, shape, place of each tensor), the numbers."""
    content = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", content[:8])
        header = TypeAdapter(dict[str, Any]).validate_json(content[8 : 8 + length])
        header.pop("__metadata__", None)
        numbers = content[8 + length :]
        entries = TypeAdapter(dict[str, _Entry]).validate_python(header)
        return {name: _tensor(numbers, entry) for name, entry in entries.items()}
    except (struct.error, ValueError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise LabError(f"{path}: damaged, or not a safetensors file ({why})") from None


@dataclass(frozen=True)
class _Entry:
    """A tensor in the header: the name of its type, its shape, and where its bytes begin and end."""

    dtype: str
    shape: list[Annotated[int, Field(ge=0)]]
    data_offsets: tuple[int, int]

    def __post_init__(self) -> None:
        if self.dtype not in _SAFETENSORS:
            raise ValueError(f"no such type: {self.dtype}")


def _tensor(numbers: bytes, entry: _Entry) -> Tensor:
    kind, shape, (start, end) = _SAFETENSORS[entry.dtype], entry.shape, entry.data_offsets
    if not 0 <= start <= end <= len(numbers) or end - start != math.prod(shape) * kind.itemsize:
        raise ValueError("a tensor is cut off")
    if start == end:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(numbers[start:end]), dtype=kind).reshape(shape)
