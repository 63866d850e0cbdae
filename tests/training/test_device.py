"""Which device and which precision are chosen, on machines that are only pretended."""

import pytest
import torch

from bottleneck_lab.config import TrainSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.training import find_device
from bottleneck_lab.training.device import Precision


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_auto_prefers_the_gpu_and_a_gpu_can_be_asked_for_by_number():
    assert find_device() == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda:1")
    assert find_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    "name", ["abacus", "abacus:1", "cpu:x", "cuda:", "cuda:-1", "cuda:2", "cuda:9", "mps", ""]
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(LabError, match=rf"--device {name}: .* there is: cuda, cpu \("):
        find_device(name)


@pytest.mark.parametrize(("built_in", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_emulates_bfloat16_gets_float16(monkeypatch, built_in, expected):
    def supported(including_emulation=True):
        return built_in or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert Precision._dtype("auto", torch.device("cuda")) == expected


def test_the_cpu_trains_in_float32_unless_asked_otherwise():
    assert Precision(TrainSettings(epochs=1), torch.device("cpu")).dtype == torch.float32
    settings = TrainSettings(epochs=1, precision="bfloat16")
    assert Precision(settings, torch.device("cpu")).dtype == torch.bfloat16
