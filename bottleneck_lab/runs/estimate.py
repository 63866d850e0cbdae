"""How long a plan will take here, from timing a few steps of each kind of network, and how much disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from bottleneck_lab.config import ImageSettings, PointSettings, RunSettings
from bottleneck_lab.data.images import ImageData, Images
from bottleneck_lab.models import cost_of
from bottleneck_lab.runs.jobs import Job, new_epochs
from bottleneck_lab.runs.plan import Plan
from bottleneck_lab.training import Checkpoint, find_device, toy_group, train
from bottleneck_lab.training.device import Precision, settle_process
from bottleneck_lab.training.images import augmentation_of, build, train_epoch
from bottleneck_lab.training.kernel import choose_kernel
from bottleneck_lab.training.optimiser import optimiser

BATCHES = 3  # of images; timed, after as many that are not
STEPS = 5  # of toy networks, and twice as many
SMALL_FILES = 12_000  # bytes of settings, records and environment that a run leaves
START_SECONDS = 4.0  # until a worker has imported torch and read the data


Timed = dict[object, float]
"""Seconds of an epoch of each kind of network, so far as they were taken."""


def estimate_seconds(
    jobs: Sequence[Job], results: Path, device: str, workers: int, timed: Timed | None = None
) -> float | None:
    """Wall seconds until all unfinished jobs are done by `workers` processes; None if it cannot be told.

    What is in `timed` is not timed again, and what is timed is left there.
    """
    try:
        settle_process()
        seconds = _seconds_of_jobs(jobs, results, find_device(device), {} if timed is None else timed)
    except Exception:  # whatever it is, training says it better, and an estimate is not worth ending for
        return None
    if not seconds:
        return 0.0
    return START_SECONDS + max(max(seconds), sum(seconds) / workers)


def _seconds_of_jobs(jobs: Sequence[Job], results: Path, device: torch.device, timed: Timed) -> list[float]:
    seconds = []
    for job in jobs:
        if not (runs := job.unfinished(results)):
            continue
        first = runs[0]
        images = first.data.OF_IMAGES
        if images:
            key: object = (first.model, first.data, first.train)
        else:
            key = (toy_group(first), len(runs))
        if key not in timed:
            timed[key] = _seconds_of_epoch(runs, device)
        seconds.append(timed[key] * (sum(new_epochs(runs)) if images else first.train.epochs))
    return seconds


def _seconds_of_epoch(runs: Sequence[RunSettings], device: torch.device) -> float:
    if isinstance(runs[0].data, ImageSettings):
        return _seconds_of_image_epoch(runs[0], runs[0].data, device)
    return _seconds_of_toy_step(runs, runs[0].data, device)


def _seconds_of_toy_step(runs: Sequence[RunSettings], settings: PointSettings, device: torch.device) -> float:
    """Time a few steps; evaluating a point costs about a third."""
    _seconds_of_toy_steps(runs, 1, device)  # the first time is never like the others
    few, twice = (_seconds_of_toy_steps(runs, steps, device) for steps in (STEPS, 2 * STEPS))
    # The difference is without what happens once: building, drawing points, the last evaluation.
    seconds = (twice - few if twice > few else twice / 2) / STEPS
    return seconds * (1 + settings.held_out / settings.points / runs[0].train.evaluate_every / 3)


def _seconds_of_toy_steps(runs: Sequence[RunSettings], steps: int, device: torch.device) -> float:
    short = runs[0].train.model_copy(update={"epochs": steps, "evaluate_every": steps})
    start = time.perf_counter()
    train(
        [run.model_copy(update={"train": short}) for run in runs],
        folder=None,
        device=device,
        checkpoint=Checkpoint(None),
    )
    return time.perf_counter() - start


def _seconds_of_image_epoch(run: RunSettings, settings: ImageSettings, device: torch.device) -> float:
    """Time a few batches of noise; evaluating an image costs about a quarter."""
    channels, height, width = settings.shape
    batch = min(run.train.batch_size or 1, settings.train_count)
    pixels = torch.randint(0, 256, (batch * BATCHES, height, width, channels), dtype=torch.uint8)
    images = Images(pixels, torch.zeros(len(pixels), dtype=torch.int64))
    noise = ImageData(images, images, None, torch.zeros(channels), torch.ones(channels), {}).to(device)
    network = build(run, device)
    choose_kernel(run, network, device)
    arguments = (optimiser(network, run.train), Precision(run.train, device), run, noise)
    augmentation = augmentation_of(run, noise)
    train_epoch(network, *arguments, augmentation, 0)
    start = time.perf_counter()
    train_epoch(network, *arguments, augmentation, 0)
    seconds = (time.perf_counter() - start) / len(pixels)
    return seconds * (settings.train_count + settings.held_out_count / run.train.evaluate_every / 4)


def estimate_bytes(plan: Plan) -> int:
    """Bytes on disk that all runs will leave: weights, held-out answers and a few small files each."""
    total = 0
    for variant in plan.variants:
        data = variant.settings.data
        each = 4 * cost_of(variant.settings).params + 2 * data.held_out_count + SMALL_FILES
        total += each * len(plan.seeds[variant.dataset])
    return total
