"""Looking into every finished network of a results folder, at the start and at the end of its training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn, without types

from bottleneck_lab import extend
from bottleneck_lab.config import RunSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.bridge.blocks import Block, Bridge, Measures, Moment, projection_of
from bottleneck_lab.instruments.trained import TrainedRun, open_run
from bottleneck_lab.manifold.positives import State
from bottleneck_lab.measures.layers import Bottleneck, measure_bottlenecks, pooled_outputs, probe_accuracy
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.reading.results import Results

BRIDGED: tuple[State, ...] = ("initial", "trained")


def build_bridge(
    folder: Path,
    data_dir: Path | None,
    device: torch.device,
    images: int | None = None,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Bridge:
    """Measure every finished run on images of a results folder, at the start and at the end of its training.

    Args:
        folder: of one ablation and tier.
        data_dir: where the images are; else where `data.cifar.find` looks.
        device: to run the networks on. On a CPU several runs are measured at a time, a thread each.
        images: at most so many training images for the probes, and held-out ones for everything; all if
            absent.
        progress: told how many runs are done, of how many.

    Raises:
        LabError: not a results folder, no finished run on images in it, or one that cannot be opened.
    """
    results = collect(folder)
    finished = [run for run in results.runs if run.status == "done" and not extend.is_of_points(run.dataset)]
    if not finished:
        raise LabError(f"{folder}: holds no finished run on images; the bridge needs at least one")

    def measure(run_id: str) -> tuple[RunSettings, list[Block]]:
        run = open_run(RunFolder(folder, run_id).path, data_dir, device)
        return run.settings, _measure(run, images)

    blocks: list[Block] = []
    settings: dict[tuple[str, str], RunSettings] = {}
    workers = min(len(finished), os.cpu_count() or 1) if device.type == "cpu" else 1
    progress(0, len(finished))
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for done, (of, more) in enumerate(pool.map(measure, [run.id for run in finished]), 1):
            if more:
                settings.setdefault((of.dataset, of.variant), of)
                blocks += more
            progress(done, len(finished))
    if not blocks:
        raise LabError(
            f"{folder}: the networks of its runs have no projections to look at (t = 0 everywhere, or blocks "
            "that were added)"
        )
    return Bridge(tuple(blocks), settings, _course(results, finished))


def _course(results: Results, runs: Iterable[Run]) -> tuple[Moment, ...]:
    """What runs have measured of their bottlenecks, epoch by epoch; means over the seeds of each variant."""
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for run in runs:
        for epoch, measured in results.measured(run).items():
            if "below_zero" in measured and "above_six" in measured:
                shares = measured["below_zero"], measured["above_six"]
                found.setdefault((run.dataset, run.variant, epoch), []).append(shares)
    return tuple(
        Moment(*key, *(fmean(values) for values in zip(*shares, strict=True)))
        for key, shares in found.items()
    )


def _measure(run: TrainedRun, images: int | None) -> list[Block]:
    train, held_out = run.data.train, run.data.held_out
    labels = train.labels[:images].cpu().numpy(), held_out.labels[:images].cpu().numpy()
    blocks = []
    for state in BRIDGED:
        network = run.network(state, images)
        features = pooled_outputs(network, run.batches(train, images))
        seen = measure_bottlenecks(network, run.batches(held_out, images))
        for bottleneck, of_train in zip(seen, features, strict=True):
            probe = probe_accuracy(of_train, labels[0], bottleneck.pooled, labels[1])
            blocks.append(
                Block(
                    dataset=run.settings.dataset,
                    variant=run.settings.variant,
                    projection=projection_of(run.settings),
                    seed=run.settings.seed,
                    accuracy=run.accuracy,
                    state=state,
                    block=bottleneck.block,
                    width=bottleneck.width,
                    shortcut=bottleneck.shortcut,
                    measures=_measures(bottleneck, probe),
                )
            )
    return blocks


def _measures(seen: Bottleneck, probe: float) -> Measures:
    expansion, projection = seen.expansion, seen.projection
    return Measures(
        expansion_lost=expansion.share_of_pixels(expansion.lost) if expansion else None,
        lost=projection.share_of_pixels(projection.lost),
        clipped_low=projection.share_of_channels(projection.clipped_low),
        clipped_high=projection.share_of_channels(projection.clipped_high),
        rank_before=seen.rank_before,
        rank_after=seen.rank_after,
        affine_error=seen.affine_error,
        probe=probe,
        norm_bias=seen.norm_bias,
        norm_scale=seen.norm_scale,
    )
