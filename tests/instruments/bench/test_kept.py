"""What is kept for the backward pass is what a count of tensors says, with either kernel."""

import pytest
import torch

from bottleneck_lab.instruments.bench.kept import REST, kept_by_count, kept_for_backward
from bottleneck_lab.instruments.bench.measure import measure_training
from bottleneck_lab.models import MobileNetV2, fused


@pytest.fixture(params=[False, True], ids=["eager", "fused"])
def on(request, fused_kernel) -> bool:
    return request.param


def test_every_place_keeps_what_is_counted(mobilenet, on: bool) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_small"), 3, 10).to(memory_format=torch.channels_last)
    fused.fuse(network, on=on)
    images = torch.randn(32, 3, 32, 32).to(memory_format=torch.channels_last)
    kept = kept_for_backward(network, lambda: network(images).sum())
    counted = kept_by_count(network, 32, 32, fused=on)
    assert kept.pop(REST) < 100_000
    assert kept == pytest.approx(counted, rel=0.12)  # statistics of the norms; slabs of whole vectors
    assert sum(kept.values()) == pytest.approx(sum(counted.values()), rel=0.05)


def test_the_fused_kernel_keeps_less_than_a_quarter(mobilenet, fused_kernel) -> None:
    eager, quick = measure_training(mobilenet("mobilenet_v2_small"), 32, 8, 1)
    assert sum(quick.kept_bytes.values()) < sum(eager.kept_bytes.values()) / 4
    assert (eager.kernel, quick.kernel) == ("eager", "fused")
