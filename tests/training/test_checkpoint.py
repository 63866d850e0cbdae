import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.errors import LabError
from bottleneck_lab.training import Checkpoint, find_device


def test_what_was_saved_is_loaded(tmp_path):
    checkpoint = Checkpoint(tmp_path / "a" / "b.pt")
    checkpoint.save({"runs": ["x"], "weights": torch.arange(3)}, now=True)
    assert torch.equal(checkpoint.load()["weights"], torch.arange(3))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.pt"]  # no part is left behind


def test_nothing_is_saved_before_its_time(tmp_path):
    checkpoint = Checkpoint(tmp_path / "b.pt")
    checkpoint.save({"runs": []})
    assert checkpoint.load() is None


def test_a_damaged_checkpoint_counts_as_none(tmp_path):
    path = tmp_path / "b.pt"
    Checkpoint(path).save({"runs": [], "weights": torch.zeros(100)}, now=True)
    for content in (b"", b"nonsense", path.read_bytes()[:200]):
        path.write_bytes(content)
        assert Checkpoint(path).load() is None


@given(st.data())
def test_a_single_flipped_bit_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flipped") / "b.pt"
    Checkpoint(path).save({"runs": ["x"], "weights": torch.arange(20.0)}, now=True)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert Checkpoint(path).load() is None


def test_a_checkpoint_that_would_run_code_is_not_opened(tmp_path):
    path = tmp_path / "b.pt"

    class Trap:
        def __reduce__(self):
            return (print, ("sprung",))

    Checkpoint(path).save({"runs": Trap()}, now=True)
    assert Checkpoint(path).load() is None


def test_without_a_path_nothing_is_kept():
    checkpoint = Checkpoint(None)
    checkpoint.save({"runs": []}, now=True)
    assert checkpoint.load() is None


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(LabError, match=r"there is: .*cpu"):
        find_device("abacus")
    assert find_device("cpu").type == "cpu"
