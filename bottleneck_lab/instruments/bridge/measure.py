"""The bridge from Lemma 2 to accuracy: what is lost in every bottleneck of the networks of a results folder.

Epochs in between leave no weights, so blocks are looked at as they started and as they ended. What is known
of the epochs between is what the runs themselves measured: where bottleneck pre-activations lay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn, without types

from bottleneck_lab import extend
from bottleneck_lab.activations import label_of
from bottleneck_lab.config import MobileNetV2Settings, RunSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.trained import State, TrainedRun, open_run
from bottleneck_lab.measures.layers import Bottleneck, measure_bottlenecks, pooled_outputs, probe_accuracy
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.reading.results import Results, Run
from bottleneck_lab.stats import mean_interval, paired_contrast

BRIDGED: tuple[State, ...] = ("initial", "trained")


@dataclass(frozen=True)
class Measures:
    """What is measured of one block, over the held-out images; shares and accuracies are 0 to 1.

    Args:
        expansion_lost: pixels that fail Lemma 2 after the expansion; None if there is none (t = 1).
        lost: pixels of the bottleneck that fail Lemma 2 after its own activation: any channel is clipped. A
            shortcut carries the block's input past this activation all the same.
        clipped_low: channels of the bottleneck clipped at 0, mean over pixels.
        clipped_high: channels clipped at 6.
        rank_before: effective rank of the bottleneck's pixels before that activation.
        rank_after: the same after it.
        affine_error: of the best affine map back through it; 0 where nothing is lost.
        probe: accuracy of a linear probe on the block's output, averaged over each image; it has learned from
            the training images, without augmentation.
        norm_bias: shift of the projection's batch norm, mean over channels.
        norm_scale: size of its scale, mean over channels.
    """

    expansion_lost: float | None
    lost: float
    clipped_low: float
    clipped_high: float
    rank_before: float
    rank_after: float
    affine_error: float
    probe: float
    norm_bias: float
    norm_scale: float


MEASURES = tuple(field.name for field in fields(Measures))


@dataclass(frozen=True)
class Block:
    """One block of one run in one state. `accuracy` is that of the trained network, on held-out images."""

    dataset: str
    variant: str
    projection: str
    seed: int
    accuracy: float
    state: State
    block: int
    width: int
    shortcut: bool
    measures: Measures


@dataclass(frozen=True)
class Comparison:
    """A variant with a non-linear projection beside the one that differs from it in nothing else.

    Args:
        against: that linear variant.
        seeds: that both have finished.
        accuracy_lost: by the non-linear one, mean of the differences by seed; 1 is everything.
        ci_low: lower end of its 95 % interval; None for one seed.
        ci_high: upper end.
        probe_lost_first: the same difference for the probe on the first bottleneck.
        probe_lost_last: on the last one.
        probe_lost_last_initial: on the last one before training.
        lost: pixels of a bottleneck that fail Lemma 2 in the non-linear one, mean over blocks.
        expansion_lost: the same after expansions.
        clipped_initial: channels clipped, at 0 or 6, mean over blocks, before training.
        clipped: after training.
        affine_error: mean over blocks.
        mean_width: of its bottlenecks.
    """

    dataset: str
    variant: str
    against: str
    seeds: int
    accuracy_lost: float
    ci_low: float | None
    ci_high: float | None
    probe_lost_first: float
    probe_lost_last: float
    probe_lost_last_initial: float
    lost: float
    expansion_lost: float | None
    clipped_initial: float
    clipped: float
    affine_error: float
    mean_width: float


@dataclass(frozen=True)
class Moment:
    """Where the bottleneck pre-activations of a variant lay after an epoch.

    Args:
        below_zero: share below 0, mean over blocks and seeds, 0 to 1; a ReLU clips them.
        above_six: share above 6; a ReLU6 clips them, too.
    """

    dataset: str
    variant: str
    epoch: int
    below_zero: float
    above_six: float


@dataclass(frozen=True)
class Bridge:
    """All blocks of all finished runs on images of a results folder, and the settings of each variant.

    `course` holds the moments of each variant whose runs have measured them over training, in order.
    """

    blocks: tuple[Block, ...]
    settings: dict[tuple[str, str], RunSettings]  # by data set and variant
    course: tuple[Moment, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for each data set, variant, state and block: means over `seeds` seeds.

        `probe_lost` is the probe accuracy lost against the linear variant, over the seeds that both have.
        """
        groups: dict[tuple[Any, ...], list[Block]] = {}
        for block in self.blocks:
            groups.setdefault((block.dataset, block.variant, block.state, block.block), []).append(block)
        return [self._row(group) for group in groups.values()]

    def _row(self, group: list[Block]) -> dict[str, Any]:
        first = group[0]
        return {
            "dataset": first.dataset,
            "variant": first.variant,
            "projection": first.projection,
            "state": first.state,
            "block": first.block,
            "width": first.width,
            "shortcut": first.shortcut,
            "seeds": len(group),
            "accuracy": fmean(block.accuracy for block in group),
            **{name: _mean(getattr(block.measures, name) for block in group) for name in MEASURES},
            "probe_lost": self._probe_lost(first.dataset, first.variant, first.state, first.block),
        }

    def contents(self) -> dict[str, Any]:
        """Rows, comparisons and course as JSON has them: all that is printed and drawn."""
        return {
            "rows": self.rows(),
            "comparisons": [asdict(compared) for compared in self.comparisons()],
            "course": [asdict(moment) for moment in self.course],
        }

    def comparisons(self) -> list[Comparison]:
        """Every non-linear variant whose linear counterpart has been run with some of the same seeds."""
        compared = [self._compare(dataset, variant) for dataset, variant in self.settings]
        return [comparison for comparison in compared if comparison is not None]

    def linear_counterpart(self, dataset: str, variant: str) -> str | None:
        """The variant that differs in nothing but its linear projection; None for a linear one."""
        own = self.settings[dataset, variant]
        if _projection(own) == "linear":
            return None
        for (of, name), other in self.settings.items():
            if of == dataset and _projection(other) == "linear" and _rest(other) == _rest(own):
                return name
        return None

    def _compare(self, dataset: str, variant: str) -> Comparison | None:
        against = self.linear_counterpart(dataset, variant)
        if against is None:
            return None
        accuracies: dict[str, dict[int, float]] = {variant: {}, against: {}}
        for block in self.blocks:
            if block.dataset == dataset and block.variant in accuracies:
                accuracies[block.variant][block.seed] = block.accuracy
        lost = list(paired_contrast(accuracies, {against: 1, variant: -1}).values())
        if not lost:
            return None
        interval = mean_interval(lost)
        own = [b for b in self.blocks if (b.dataset, b.variant) == (dataset, variant)]
        start = [b.measures for b in own if b.state == "initial"]
        end = [b.measures for b in own if b.state == "trained"]
        first, last = min(b.block for b in own), max(b.block for b in own)

        def probe_lost(state: State, block: int) -> float:
            value = self._probe_lost(dataset, variant, state, block)
            assert value is not None
            return value

        return Comparison(
            dataset=dataset,
            variant=variant,
            against=against,
            seeds=len(lost),
            accuracy_lost=interval.estimate,
            ci_low=interval.low,
            ci_high=interval.high,
            probe_lost_first=probe_lost("trained", first),
            probe_lost_last=probe_lost("trained", last),
            probe_lost_last_initial=probe_lost("initial", last),
            lost=fmean(m.lost for m in end),
            expansion_lost=_mean(m.expansion_lost for m in end if m.expansion_lost is not None),
            clipped_initial=fmean(m.clipped_low + m.clipped_high for m in start),
            clipped=fmean(m.clipped_low + m.clipped_high for m in end),
            affine_error=fmean(m.affine_error for m in end),
            mean_width=fmean(b.width for b in own),
        )

    def _probe_lost(self, dataset: str, variant: str, state: State, block: int) -> float | None:
        against = self.linear_counterpart(dataset, variant)
        if against is None:
            return None
        probes: dict[str, dict[int, float]] = {variant: {}, against: {}}
        for b in self.blocks:
            if (b.dataset, b.state, b.block) == (dataset, state, block) and b.variant in probes:
                probes[b.variant][b.seed] = b.measures.probe
        return _mean(paired_contrast(probes, {against: 1, variant: -1}).values())


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
        for done, (of, more) in enumerate(pool.map(measure, [run.run for run in finished]), 1):
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
                    projection=_projection(run.settings),
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


def _projection(settings: RunSettings) -> str:
    assert isinstance(settings.model, MobileNetV2Settings)
    setting = settings.model.projection_activation
    return setting if isinstance(setting, str) else label_of(setting)


def _rest(settings: RunSettings) -> dict[str, Any]:
    """All settings but those of the projection's activation, the seed and the name."""
    rest = settings.model_dump(exclude={"variant", "seed"})
    for name in ("projection_activation", "projection_place"):
        del rest["model"][name]
    return rest


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None for none."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None
