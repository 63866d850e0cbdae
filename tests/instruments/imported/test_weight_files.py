"""Weights that other programs have saved, and files that are none."""

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.imported.weight_files import read_weights

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(
        torch.equal(one[n], other[n]) and one[n].dtype == other[n].dtype for n in one
    )


def safetensors(path: Path, header: object, numbers: bytes) -> Path:
    """The format as its authors describe it: length, JSON header, numbers."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": WEIGHTS, "optimizer": {"state": {}}},
        {f"module.{name}": tensor for name, tensor in WEIGHTS.items()},
        {f"_orig_mod.{name}": tensor for name, tensor in WEIGHTS.items()},
        {f"module._orig_mod.{name}": tensor for name, tensor in WEIGHTS.items()},
        {name.replace(".", "._orig_mod."): tensor for name, tensor in WEIGHTS.items()},
        {"state_dict": {f"model.{name}": tensor for name, tensor in WEIGHTS.items()}, "epoch": 3},
        {"net": WEIGHTS, "acc": 93.6, "epoch": 199},
        {"model": {"state_dict": WEIGHTS}, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
        {"mine": WEIGHTS},
    ],
)
def test_weights_are_found_where_training_scripts_put_them(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pth")
    assert equal(read_weights(tmp_path / "net.pth").tensors, WEIGHTS)


def test_safetensors_are_read_as_their_format_is_described(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "half": {"dtype": "BF16", "shape": [1], "data_offsets": [16, 18]},
        "count": {"dtype": "I64", "shape": [], "data_offsets": [18, 26]},
        "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [26, 26]},
    }
    numbers = struct.pack("<4f", 1, 2, 3, -4) + b"\xc0\x3f" + struct.pack("<q", 7)  # 0x3fc0 is 1.5
    read = read_weights(safetensors(tmp_path / "net.safetensors", header, numbers))
    expected = {
        "w": torch.tensor([[1.0, 2.0], [3.0, -4.0]]),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "none": torch.empty(0, 3),
    }
    assert equal(read.tensors, expected)


@pytest.mark.parametrize(
    ("entry", "numbers"),
    [
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, b"1234"),  # cut off
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, b"12345678"),  # shape and size differ
        ({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}, b"12345678"),
        ({"dtype": "F7", "shape": [2], "data_offsets": [0, 8]}, b"12345678"),
        ({"shape": [2]}, b""),
        ([], b""),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path: Path, entry: object, numbers: bytes) -> None:
    path = safetensors(tmp_path / "net.safetensors", {"w": entry}, numbers)
    with pytest.raises(LabError, match=r"net.safetensors: damaged, or not a safetensors file"):
        read_weights(path)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_it_fail_otherwise(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    for suffix in ("safetensors", "pth"):
        path = tmp_path_factory.mktemp("any") / f"net.{suffix}"
        path.write_bytes(content)
        with pytest.raises(LabError, match=r"damaged, or|holds no plain state_dict"):
            read_weights(path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    torch.save({"weights": WEIGHTS, "args": Trap(tmp_path / "sprung")}, tmp_path / "net.pth")
    with pytest.raises(LabError, match="holds more than tensors, which is not opened"):
        read_weights(tmp_path / "net.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [{}, [1, 2], {"a": 1}, {**WEIGHTS, "epoch": 3}, torch.ones(2)])
def test_what_holds_other_things_than_weights_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(LabError, match="holds no plain state_dict"):
        read_weights(tmp_path / "net.pt")


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "net.pth", tmp_path / "net.safetensors", tmp_path):
        with pytest.raises(LabError, match="cannot be read"):
            read_weights(path)


def test_numbers_that_are_not_finite_are_refused_by_the_tensors_name(tmp_path: Path) -> None:
    torch.save({"good": torch.ones(2), "bad": torch.tensor([1.0, torch.nan])}, tmp_path / "nan.pth")
    with pytest.raises(LabError, match="bad holds numbers that are not finite"):
        read_weights(tmp_path / "nan.pth")


AVERAGED = {name: tensor + 1 for name, tensor in WEIGHTS.items()}


@pytest.mark.parametrize(
    ("content", "taken", "other"),
    [
        ({"state_dict": WEIGHTS, "state_dict_ema": AVERAGED}, "state_dict", "state_dict_ema"),
        ({"model_ema": {"n_averaged": torch.tensor(9), **AVERAGED}, "model": WEIGHTS}, "model", "model_ema"),
        (
            {f"{of}.{name}": t for of, w in (("model", WEIGHTS), ("ema", AVERAGED)) for name, t in w.items()},
            "model",
            "ema",
        ),
    ],
)
def test_weights_as_trained_are_taken_or_averaged_ones_where_asked_for(
    tmp_path: Path, content: object, taken: str, other: str
) -> None:
    torch.save(content, tmp_path / "net.pth")
    read = read_weights(tmp_path / "net.pth")
    assert (read.taken, read.others) == (taken, (other,))
    assert equal(read.tensors, WEIGHTS)
    assert equal(read_weights(tmp_path / "net.pth", other).tensors, AVERAGED)


def test_averaged_weights_alone_are_taken_and_named(tmp_path: Path) -> None:
    torch.save({"model_ema": {f"module.{name}": t for name, t in AVERAGED.items()}}, tmp_path / "net.pth")
    read = read_weights(tmp_path / "net.pth")
    assert (read.taken, read.others) == ("model_ema", ())
    assert equal(read.tensors, AVERAGED)


def test_of_several_networks_one_has_to_be_chosen(tmp_path: Path) -> None:
    torch.save({"student": WEIGHTS, "small": AVERAGED}, tmp_path / "net.pth")
    with pytest.raises(LabError, match="several networks; say which by --weights: student, small"):
        read_weights(tmp_path / "net.pth")
    with pytest.raises(LabError, match="no weights at 'smal'; did you mean 'small'"):
        read_weights(tmp_path / "net.pth", "smal")
    assert equal(read_weights(tmp_path / "net.pth", "small").tensors, AVERAGED)
