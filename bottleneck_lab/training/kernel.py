"""Which kernel trains a network on images: PyTorch, an operation at a time, or the fused one."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import fused
from bottleneck_lab.records.files import read_as
from bottleneck_lab.training.device import Precision

VARIABLE = (
    "BOTTLENECK_LAB_KERNEL"  # what `auto` is, for a machine on which nothing should be compiled or timed
)

_FASTER = 1.05  # times eager, below which a measurement is taken for noise
_ROUNDS, _SECONDS = 3, 4.0  # of a measurement, whichever is reached first

MIXED = "mixed"  # begun with one kernel and gone on with another


@dataclass(frozen=True)
class Kernel:
    """What computes the blocks of a network in training.

    Args:
        name: `eager` or `fused`, or `mixed` where a training could not go on with what it was begun with.
        why: a few words that end a sentence.
        mark: tells what the last bits depend on: for `fused` the compiled library.
    """

    name: Literal["fused", "eager", "mixed"]
    why: str
    mark: str


def _eager(why: str) -> Kernel:
    return Kernel("eager", why, "eager")


def _fused(why: str) -> Kernel:
    return Kernel("fused", why, fused.library_path().stem)


def choose_kernel(run: RunSettings, network: nn.Module, device: torch.device) -> Kernel:
    """Let the fused kernel compute what it can of `network` if the run wants that or it is faster here.

    How much faster is measured once for each network, batch and machine, and remembered, so that every
    process chooses alike (where the cache folder can be written).

    Raises:
        LabError: `train.kernel = "fused"`, and the kernel cannot be had here or not for this network.
    """
    wanted = _wanted(run)
    fused.fuse(network, on=False)
    if wanted == "eager":
        return _eager("as asked for")
    reason = _why_not(run, network, device)
    if wanted == "fused":
        if reason is not None:
            asked = 'train.kernel = "fused"' if run.train.kernel == "fused" else f"{VARIABLE}=fused"
            raise LabError(f"{asked}: {reason}; make it auto")
        fused.fuse(network)
        return _fused("as asked for")
    if reason is not None:
        return _eager(reason)
    speed = _speed(run, network)
    if speed < _FASTER:
        return _eager(f"the fused kernel is not faster here ({speed:.2f} times as fast)")
    fused.fuse(network)
    return _fused(f"{speed:.1f} times as fast as eager here")


def is_eager_by_choice(run: RunSettings) -> bool:
    """Whether nothing but PyTorch is wanted for a run, so that nothing need be looked for."""
    return _wanted(run) == "eager"


def _wanted(run: RunSettings) -> str:
    wanted = run.train.kernel if run.train.kernel != "auto" else os.environ.get(VARIABLE) or "auto"
    if wanted not in ("auto", "fused", "eager"):
        raise LabError(f"{VARIABLE}={wanted}: must be fused, eager or auto")
    return wanted


def resume_kernel(mark: str, network: nn.Module) -> Kernel:
    """The kernel that a run was begun with, so that it ends in the same bits; `mixed` where it is gone."""
    fused.fuse(network, on=False)
    if mark in ("eager", MIXED):
        return Kernel("eager" if mark == "eager" else "mixed", "as it was begun", mark)
    if (reason := fused.why_not()) is not None:
        return Kernel("mixed", f"begun with the fused kernel, but {reason}", MIXED)
    fused.fuse(network)
    if mark != fused.library_path().stem:
        return Kernel("mixed", "begun with another build of the fused kernel", MIXED)
    return _fused("as it was begun")


def _why_not(run: RunSettings, network: nn.Module, device: torch.device) -> str | None:
    if device.type != "cpu":
        return f"the fused kernel is for CPUs, and this is {device.type}"
    if (dtype := Precision(run.train, device).dtype) != torch.float32:
        return f"the fused kernel knows float32 only, not {str(dtype).removeprefix('torch.')}"
    if run.train.quantised_in(0) is not None:
        return "the fused kernel rounds nothing, and this is trained on grids"
    if not fused.has_blocks(network):
        reasons = fused.reasons_against(network)
        return f"not for the fused kernel: {reasons[0]}" if reasons else "it has no inverted residual blocks"
    return fused.why_not()


def _speed(run: RunSettings, network: nn.Module) -> float:
    """How many times as fast as eager the fused kernel is here, measured now or remembered."""
    place = fused.library_path().with_name(f"speed-{_signature(run, network)}.json")
    if (known := _remembered(place)) is not None:
        return known
    try:
        with filelock.FileLock(place.with_suffix(".lock")):
            if (known := _remembered(place)) is not None:
                return known
            known = _measure(run, network)
            part = place.with_suffix(".part")
            part.write_text(json.dumps({"times_eager": known}), encoding="utf-8")
            part.replace(place)
    except OSError:  # nothing can be remembered here
        pass
    return known if known is not None else _measure(run, network)


@dataclass(frozen=True)
class _Speed:
    """How many times as fast as eager; as it is remembered."""

    times_eager: float


def _remembered(place: Path) -> float | None:
    found = read_as(_Speed, place)
    return None if found is None else found.times_eager


def _signature(run: RunSettings, network: nn.Module) -> str:
    """What time depends on: the library, what it computes, shapes of weights, images and batch, threads."""
    assert isinstance(run.data, ImageSettings)
    strides = [module.stride for module in network.modules() if isinstance(module, nn.Conv2d)]
    shapes = [tuple(parameter.shape) for parameter in network.parameters()]
    modules = [module for module in network.modules() if isinstance(module, fused.Fusible)]
    computed = [module.why_not_fused() is None for module in modules]
    rest = (computed, run.data.shape, run.train.batch_size, torch.get_num_threads(), torch.__version__)
    told = repr((fused.library_path().name, shapes, strides, rest))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _measure(run: RunSettings, network: nn.Module) -> float:
    """Train copies of the network on noise for a few steps, one way and the other in turn."""
    assert isinstance(run.data, ImageSettings)
    chance = torch.Generator().manual_seed(0)
    assert run.train.batch_size is not None
    batch = min(run.train.batch_size, run.data.train_count)
    images = torch.randn(batch, *run.data.shape, generator=chance).to(memory_format=torch.channels_last)
    labels = torch.randint(run.data.classes, (batch,), generator=chance)
    eager, quick = copy.deepcopy(network), copy.deepcopy(network)
    fused.fuse(quick)
    with torch.random.fork_rng(devices=()):  # dropout
        steps = [_step(each.train(), images, labels) for each in (eager, quick)]
        start = time.perf_counter()
        ratios = []
        for number in range(_ROUNDS + 1):
            slow, fast = steps[0](), steps[1]()
            if (
                number > 0 or time.perf_counter() - start > _SECONDS
            ):  # the first time is never like the others
                ratios.append(slow / fast)
            if time.perf_counter() - start > _SECONDS:
                break
    return statistics.median(ratios)


def _step(network: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], float]:
    def seconds() -> float:
        start = time.perf_counter()
        network.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        return time.perf_counter() - start

    return seconds
