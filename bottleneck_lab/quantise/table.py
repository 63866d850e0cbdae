"""One network in few bits: what every scheme costs, and how far its channels reach, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bottleneck_lab.data.images import ImageData
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.models.folding import fold_norms
from bottleneck_lab.quantise.integers import IntegerNetwork, why_not
from bottleneck_lab.quantise.rounded import (
    FEATURES,
    IMAGES,
    LOGITS,
    Spreads,
    observed,
    outputs,
    places,
    rounded,
)
from bottleneck_lab.quantise.scheme import BITS, EXAMPLE, Scheme, half_step, parse_scheme

KINDS = {  # of schemes, with the bits left open
    "weights alone, a grid a channel": "w{bits}_channel",
    "weights alone, a grid a tensor": "w{bits}_tensor",
    "the same before batch norm is folded in": "w{bits}_tensor_unfolded",
    "both, a grid a channel, asymmetric, min to max": "w{bits}_channel_a{bits}_asymmetric_minmax",
    "the same, percentiles": "w{bits}_channel_a{bits}_asymmetric_percentile",
    "the same, least squared error": "w{bits}_channel_a{bits}_asymmetric_mse",
    "symmetric, least squared error": "w{bits}_channel_a{bits}_symmetric_mse",
    "unsigned, least squared error": "w{bits}_channel_a{bits}_unsigned_mse",
    "both, a grid a tensor, asymmetric, least squared error": "w{bits}_tensor_a{bits}_asymmetric_mse",
}
_DIGITS = 4  # of a range that are kept


@dataclass(frozen=True)
class Row:
    """What a scheme does to a network, over held-out images.

    Args:
        scheme: its name.
        accuracy: of the rounded network, 0 to 1; None where the classifier tells nothing.
        lost: the network's own minus that.
        same: share of images that get the class they got before, 0 to 1.
        signal: of the features before the classifier, over what rounding changes of them, in decibels;
            None where it changes nothing.
    """

    scheme: str
    accuracy: float | None
    lost: float | None
    same: float | None
    signal: float | None


@dataclass(frozen=True)
class Reach:
    """How far the channels of a weight (batch norm folded in) or of a stored tensor reach.

    Args:
        layer: its name in the network.
        of: `weights` or `activations`.
        low: smallest value of each channel.
        high: largest value of each channel.
    """

    layer: str
    of: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    def reach(self) -> list[float]:
        """The largest of each channel's values, beside the width of the grid that all share; 0 to 1."""
        width = max(0.0, *self.high) - min(0.0, *self.low)
        if self.of == "weights":  # a symmetric grid
            width = 2 * max(*map(abs, self.low), *map(abs, self.high))
        pairs = zip(self.low, self.high, strict=True)
        return [max(abs(low), abs(high)) / width if width else 0.0 for low, high in pairs]

    def all_zero(self, bits: int) -> int:
        """How many channels one grid of so many bits makes 0 that are not 0 already."""
        return sum(0 < reach < half_step(bits, self.of) for reach in self.reach())


@dataclass(frozen=True)
class Integers:
    """8-bit integers beside rounded floats: accuracies (0 to 1), and the share of images of one class."""

    scheme: str
    accuracy: float | None
    accuracy_floats: float | None
    same: float
    steps: float
    """The largest difference of two logits, in steps of their grid."""


class Subject:
    """A network that is to be rounded in many ways, and the held-out images that it is judged by.

    Args:
        network: trained.
        data: its images.
    """

    def __init__(self, network: nn.Module, data: ImageData) -> None:
        self.network, self.data = network.eval(), data
        self.spreads: Spreads = observed(network, data)
        self.logits, self._features = self._run(network)
        constant = bool((self.logits == self.logits[:1]).all())
        self.accuracy = None if constant else self._right(self.logits)

    def row(self, scheme: Scheme) -> Row:
        """What `scheme` does to it."""
        logits, features = self._run(rounded(self.network, self.spreads, scheme))
        noise = float((features - self._features).square().sum())
        ratio = float(self._features.square().sum()) / noise if noise else math.inf
        signal = 10 * math.log10(ratio) if 0 < ratio < math.inf else None
        if self.accuracy is None:
            return Row(scheme.name, None, None, None, signal)
        accuracy, same = self._right(logits), self._same(logits, self.logits)
        return Row(scheme.name, accuracy, self.accuracy - accuracy, same, signal)

    def integers(self) -> Integers | str:
        """The same in integers, or why that cannot be."""
        scheme = parse_scheme(EXAMPLE)
        if why := why_not(self.network, scheme):
            return why
        integers = IntegerNetwork(self.network, self.spreads, scheme)
        logits = outputs(integers, self.data)
        floats, _ = self._run(rounded(self.network, self.spreads, scheme))
        assert scheme.activations is not None
        step = self.spreads[LOGITS].grid(scheme.activations).step
        known = self.accuracy is not None
        return Integers(
            EXAMPLE,
            self._right(logits) if known else None,
            self._right(floats) if known else None,
            self._same(logits, floats),
            float((logits - floats).abs().max()) / step,
        )

    def _run(self, network: nn.Module) -> tuple[Tensor, Tensor]:
        features: list[Tensor] = []
        handle = places(network)[FEATURES].hook(features.append)
        logits = outputs(network, self.data)
        handle.remove()
        return logits, torch.cat(features)

    def _right(self, logits: Tensor) -> float:
        return int((logits.argmax(1) == self.data.held_out.labels).sum()) / len(logits)

    def _same(self, one: Tensor, other: Tensor) -> float:
        return int((one.argmax(1) == other.argmax(1)).sum()) / len(one)


def reaches(network: nn.Module, spreads: Spreads) -> Iterator[Reach]:
    """Every layer's weights and every stored tensor, in the order of the network."""
    folded = fold_norms(network.eval())
    for name, layer in folded.named_modules():
        if isinstance(layer, ConvNorm):
            rows = layer.conv.weight.detach().flatten(1)
            yield Reach(name, "weights", _kept(rows.amin(1)), _kept(rows.amax(1)))
    for name, spread in spreads.items():
        if spread.channels is not None and name not in (IMAGES, FEATURES, LOGITS):
            yield Reach(name, "activations", *map(_kept, spread.channels))


def _kept(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values.tolist())


def default_schemes() -> Sequence[Scheme]:
    """Those of the table."""
    return [parse_scheme(kind.format(bits=bits)) for kind in KINDS.values() for bits in BITS]
