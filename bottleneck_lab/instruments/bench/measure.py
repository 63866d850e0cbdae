"""Time and memory on this machine: of networks, of one network executed in parts, and of training one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.instruments.bench.allocation import allocator_peak, live_peak
from bottleneck_lab.instruments.bench.costs import (
    AS_BUILT,
    CHANNELS,
    CHANNELS_AND_ROWS,
    PLAIN,
    NetworkCost,
    SplitCost,
    Spread,
    TrainingCost,
    Way,
)
from bottleneck_lab.instruments.bench.kept import kept_by_count, kept_for_backward
from bottleneck_lab.instruments.bench.memory import operations, peak
from bottleneck_lab.instruments.bench.split import plain, split
from bottleneck_lab.models import ImageNetworkSettings, fused, image_network
from bottleneck_lab.models.cost import madds, parameters
from bottleneck_lab.models.folding import fold_norms
from bottleneck_lab.models.initial import initialise
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2


def interleaved(calls: Mapping[Any, Callable[[], object]], rounds: int) -> dict[Any, list[float]]:
    """Seconds of each call in each round.

    A round is every call once, one after another, so that whatever else the machine is doing touches all of
    them; ratios are best taken within rounds. One round before the first is not counted.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


@torch.inference_mode()
def measure_networks(
    settings: Sequence[ImageNetworkSettings], resolutions: Sequence[int], batches: Sequence[int], rounds: int
) -> list[NetworkCost]:
    """Time and memory of every network at every resolution and batch size, in rounds through all of them.

    Batch norms are folded and activations in place, numbers are float32, the layout is channels-last, and
    torch has the threads that it has. Weights are initial ones, for time does not depend on them.

    Args:
        settings: of networks for 1000 classes and images of three channels.
        resolutions: edges of the images, in pixels.
        batches: images at once.
        rounds: how often everything is timed.
    """
    networks = [_network(one) for one in settings]
    inferences = [fold_norms(network) for network in networks]
    calls = {
        (index, resolution, batch): partial(inference, _images(batch, resolution))
        for index, inference in enumerate(inferences)
        for resolution in resolutions
        for batch in batches
    }
    seconds = interleaved(calls, rounds)
    return [
        NetworkCost(
            name=settings[index].network,
            width=settings[index].width_multiplier,
            resolution=resolution,
            batch=batch,
            parameters=parameters(networks[index]),
            madds=madds(inferences[index], 1, 3, resolution, resolution),
            allocator_bytes=allocator_peak(call),
            seconds=Spread.of(seconds[index, resolution, batch]),
        )
        for (index, resolution, batch), call in calls.items()
    ]


@torch.inference_mode()
def measure_split(
    settings: MobileNetV2Settings,
    resolution: int,
    batch: int,
    parts: Sequence[int],
    rows: int,
    fused: int,
    rounds: int,
) -> list[SplitCost]:
    """Time and memory of one network as built, plain, and split in both ways into each number of parts.

    Args:
        settings: of a network of inverted residual blocks; it gets initial weights.
        resolution: edge of the images, in pixels.
        batch: images at once.
        parts: the numbers of parts.
        rows: rows of a tile of the fused layers, see `split`.
        fused: blocks that are fused with the stem, see `split`.
        rounds: how often everything is timed.

    Raises:
        LabError: the network's blocks cannot be split, or a number is out of range.
    """
    network, images = _network(settings), _images(batch, resolution)
    assert isinstance(network, MobileNetV2)
    memory_of = partial(operations, network, *images.shape, element_size=images.element_size())
    ways: dict[Way, nn.Module] = {(AS_BUILT, None): network, (PLAIN, None): plain(network)}
    equation: dict[Way, int | None] = {(AS_BUILT, None): None, (PLAIN, None): peak(memory_of()).memory}
    for number in parts:
        ways[CHANNELS, number] = split(network, number)
        equation[CHANNELS, number] = peak(memory_of(parts=number)).memory
    for number in parts:
        ways[CHANNELS_AND_ROWS, number] = split(network, number, rows, fused)
        equation[CHANNELS_AND_ROWS, number] = None  # fused layers are no operation of the paper's
    ways = {way: module.to(memory_format=torch.channels_last) for way, module in ways.items()}  # type: ignore[call-overload]
    calls = {way: partial(module, images) for way, module in ways.items()}
    seconds = interleaved(calls, rounds)
    logits = network(images)
    return [
        SplitCost(
            way=way,
            parts=number,
            allocator_bytes=allocator_peak(call),
            live_bytes=live_peak(call),
            equation_bytes=equation[way, number],
            seconds=Spread.of(seconds[way, number]),
            times_plain=Spread.of(
                [a / b for a, b in zip(seconds[way, number], seconds[PLAIN, None], strict=True)]
            ),
            error=float((call() - logits).abs().max() / logits.abs().max()),
        )
        for (way, number), call in calls.items()
    ]


def measure_training(
    settings: MobileNetV2Settings, resolution: int, batch: int, rounds: int
) -> list[TrainingCost]:
    """Time of a step and memory kept for its backward pass, eager and, where there is the kernel, fused.

    Args:
        settings: of a network of inverted residual blocks, for 10 classes; it gets initial weights.
        resolution: edge of the images, in pixels.
        batch: images at once.
        rounds: how often a step is timed, one way and the other in turn.
    """
    images = _images(batch, resolution)
    labels = torch.zeros(batch, dtype=torch.int64)
    networks: dict[str, MobileNetV2] = {}
    for kernel in ("eager", "fused") if fused.why_not() is None else ("eager",):
        network = MobileNetV2(settings, 3, 10)
        initialise(network, seed=0)
        networks[kernel] = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        fused.fuse(network, on=kernel == "fused")
    losses = {kernel: partial(_loss, network, images, labels) for kernel, network in networks.items()}
    kept = {kernel: kept_for_backward(networks[kernel], loss) for kernel, loss in losses.items()}
    steps = {
        kernel: partial(_step, loss, torch.optim.SGD(networks[kernel].parameters(), 0.1, momentum=0.9))
        for kernel, loss in losses.items()
    }
    seconds = interleaved(steps, rounds)
    return [
        TrainingCost(
            kernel=kernel,
            kept_bytes=kept[kernel],
            counted_bytes=kept_by_count(networks[kernel], resolution, batch, fused=kernel == "fused"),
            seconds=Spread.of(seconds[kernel]),
            times_eager=Spread.of([a / b for a, b in zip(seconds["eager"], seconds[kernel], strict=True)]),
        )
        for kernel in networks
    ]


def _loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(network(images), labels)


def _step(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer) -> None:
    value = loss()
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def _network(settings: ImageNetworkSettings) -> nn.Module:
    network = image_network(settings).eval()
    initialise(network, seed=0)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _images(batch: int, resolution: int) -> Tensor:
    images = torch.randn(batch, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    return images.to(memory_format=torch.channels_last)
