"""The bridge from Lemma 2 to accuracy: what is lost in every bottleneck of the networks of a results folder.

Epochs in between leave no weights, so blocks are looked at as they started and as they ended. What is known
of the epochs between is what the runs themselves measured: where bottleneck pre-activations lay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from statistics import fmean
from typing import Any

from bottleneck_lab.activations import label_of
from bottleneck_lab.config import MobileNetV2Settings, RunSettings
from bottleneck_lab.instruments.bridge.record import Comparison, Drawn, Row
from bottleneck_lab.manifold.positives import State
from bottleneck_lab.stats import mean_interval, paired_contrast


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

    def drawn(self) -> Drawn:
        """Rows and comparisons: what figures show."""
        return Drawn(self.rows(), self.comparisons())

    def rows(self) -> list[Row]:
        """A row for each data set, variant, state and block: means over seeds."""
        groups: dict[tuple[object, ...], list[Block]] = {}
        for block in self.blocks:
            groups.setdefault((block.dataset, block.variant, block.state, block.block), []).append(block)
        return [self._row(group) for group in groups.values()]

    def _row(self, group: list[Block]) -> Row:
        first = group[0]
        means: Any = {name: _mean(getattr(block.measures, name) for block in group) for name in MEASURES}
        return Row(
            dataset=first.dataset,
            variant=first.variant,
            projection=first.projection,
            state=first.state,
            block=first.block,
            width=first.width,
            shortcut=first.shortcut,
            seeds=len(group),
            accuracy=fmean(block.accuracy for block in group),
            **means,
            probe_lost=self._probe_lost(first.dataset, first.variant, first.state, first.block),
        )

    def comparisons(self) -> list[Comparison]:
        """Every non-linear variant whose linear counterpart has been run with some of the same seeds."""
        compared = [self._compare(dataset, variant) for dataset, variant in self.settings]
        return [comparison for comparison in compared if comparison is not None]

    @cached_property
    def _probes(self) -> dict[tuple[str, str, State, int], dict[int, float]]:
        """Accuracies of the probes, by seed, for each block of each variant in each state."""
        found: dict[tuple[str, str, State, int], dict[int, float]] = {}
        for b in self.blocks:
            found.setdefault((b.dataset, b.variant, b.state, b.block), {})[b.seed] = b.measures.probe
        return found

    @cached_property
    def _counterparts(self) -> dict[tuple[str, str], str | None]:
        return {which: self._counterpart(*which) for which in self.settings}

    def linear_counterpart(self, dataset: str, variant: str) -> str | None:
        """The variant that differs in nothing but its linear projection; None for a linear one."""
        return self._counterparts[dataset, variant]

    def _counterpart(self, dataset: str, variant: str) -> str | None:
        own = self.settings[dataset, variant]
        if projection_of(own) == "linear":
            return None
        for (of, name), other in self.settings.items():
            if of == dataset and projection_of(other) == "linear" and _rest(other) == _rest(own):
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
        probes = {name: self._probes.get((dataset, name, state, block), {}) for name in (variant, against)}
        return _mean(paired_contrast(probes, {against: 1, variant: -1}).values())


def projection_of(settings: RunSettings) -> str:
    """What follows the projections of a run's network, in words."""
    assert isinstance(settings.model, MobileNetV2Settings)
    setting = settings.model.projection_activation
    return setting if isinstance(setting, str) else label_of(setting)


def _rest(settings: RunSettings) -> object:
    """All settings but those of the projection's activation, the seed and the name."""
    rest = settings.model_dump(exclude={"variant", "seed"})
    for name in ("projection_activation", "projection_place"):
        del rest["model"][name]
    return rest


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None for none."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None
