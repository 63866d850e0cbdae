"""How long a plan will take here, from timing a few steps of each kind of network, and how much disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.data.images import Augmentation, ImageData, Images
from bottleneck_lab.models import cost_of
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.training import Checkpoint, find_device, train
from bottleneck_lab.training.device import Precision, settle_process
from bottleneck_lab.training.images import build, train_epoch
from bottleneck_lab.training.optimiser import optimiser

STEPS = 3  # timed, after as many that are not
SMALL_FILES = 12_000  # bytes of settings, records and environment that a run leaves
START_SECONDS = 4.0  # until a worker has imported torch and read the data


def estimate_seconds(jobs: Sequence[Job], results: Path, device: str, workers: int) -> float:
    """Wall seconds until all unfinished jobs are done by `workers` processes."""
    settle_process()
    timed: dict[object, float] = {}
    seconds = []
    for job in jobs:
        if not (runs := job.unfinished(results)):
            continue
        first = runs[0]
        key = (first.model, first.train.batch_size, first.data) if len(runs) == 1 else job.id
        if key not in timed:
            timed[key] = _seconds_of_epoch(runs, torch.device(find_device(device)))
        seconds.append(timed[key] * first.train.epochs)
    if not seconds:
        return 0.0
    return START_SECONDS + max(max(seconds), sum(seconds) / workers)


def _seconds_of_epoch(runs: Sequence[RunSettings], device: torch.device) -> float:
    if isinstance(runs[0].data, ImageSettings):
        return _seconds_of_image_epoch(runs[0], runs[0].data, device)
    return min(_seconds_of_toy_steps(runs, device), _seconds_of_toy_steps(runs, device)) / STEPS


def _seconds_of_toy_steps(runs: Sequence[RunSettings], device: torch.device) -> float:
    short = [
        run.model_copy(
            update={"train": run.train.model_copy(update={"epochs": STEPS, "evaluate_every": STEPS})}
        )
        for run in runs
    ]
    start = time.perf_counter()
    train(short, folder=None, device=device, checkpoint=Checkpoint(None))
    return time.perf_counter() - start


def _seconds_of_image_epoch(run: RunSettings, settings: ImageSettings, device: torch.device) -> float:
    """Time a few batches of noise; evaluating an image costs about a quarter."""
    channels, height, width = settings.shape
    batch = min(run.train.batch_size or 1, settings.train_count)
    pixels = torch.randint(0, 256, (batch * STEPS, height, width, channels), dtype=torch.uint8)
    images = Images(pixels, torch.zeros(len(pixels), dtype=torch.int64))
    noise = ImageData(images, images, None, torch.zeros(channels), torch.ones(channels), {}).to(device)
    network = build(run, device)
    arguments = (optimiser(network, run.train), Precision(run.train, device), run, noise)
    augmentation = Augmentation(noise.train, settings.crop_padding, settings.flip)
    train_epoch(network, *arguments, augmentation, 0)
    start = time.perf_counter()
    train_epoch(network, *arguments, augmentation, 0)
    seconds = (time.perf_counter() - start) / len(pixels)
    return seconds * (settings.train_count + settings.held_out_count / run.train.evaluate_every / 4)


def estimate_bytes(runs: Sequence[RunSettings]) -> int:
    """Bytes on disk that the runs will leave: weights, predictions and a few small files each."""
    parameters: dict[object, int] = {}
    total = 0
    for run in runs:
        key = (run.model, run.data)
        if key not in parameters:
            parameters[key] = cost_of(run)[0]
        predictions = run.data.held_out_count if isinstance(run.data, ImageSettings) else run.data.held_out
        total += 4 * parameters[key] + predictions + SMALL_FILES
    return total
