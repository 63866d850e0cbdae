"""Reading the weights that other programs have saved, without executing anything that is in the file."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bottleneck_lab.errors import LabError

# Where training scripts keep the weights among other things.
_KEYS = ("state_dict", "model", "model_state_dict")

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


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of one that `torch.save` wrote (`.pth`, `.pt`), by name.

    Weights that lie under `state_dict` or `model` are found, and the prefix `module.` of parallel training is
    taken off.

    Raises:
        LabError: a file that is missing or damaged, or that holds anything but numbers and their names.
    """
    try:
        content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror or error})") from None
    for key in _KEYS:
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    weights = {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    if not weights or len(weights) < len(content):
        raise LabError(f"{path}: holds no plain state_dict; save that of the network and nothing else")
    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise LabError(f"{path}: {name} holds numbers that are not finite; the network is damaged")
    return weights


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
        header: dict[str, Any] = json.loads(content[8 : 8 + length])
        numbers = content[8 + length :]
        return {name: _tensor(numbers, entry) for name, entry in header.items() if name != "__metadata__"}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"{path}: damaged, or not a safetensors file ({error})") from None


def _tensor(numbers: bytes, entry: dict[str, Any]) -> Tensor:
    kind, shape, (start, end) = _SAFETENSORS[entry["dtype"]], entry["shape"], entry["data_offsets"]
    if not 0 <= start <= end <= len(numbers) or end - start != math.prod(shape) * kind.itemsize:
        raise ValueError("a tensor is cut off")
    if start == end:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(bytearray(numbers[start:end]), dtype=kind).reshape(shape)
