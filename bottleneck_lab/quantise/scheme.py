"""Schemes by name: how many bits, and which grids. Knows nothing of torch.

A name has a part for weights, one for activations, or both: `w8_channel_a8_asymmetric_minmax`.

- `w8_channel`: weights in 8 bits, a symmetric grid for each output channel; `w8_tensor`: one for the whole
  weight. Batch norm is folded in before; with `w8_tensor_unfolded` it stays behind the rounded convolution.
- `a8_asymmetric_minmax`: activations in 8 bits. Their grid is `unsigned` (from 0 up; what is below becomes
  0), `symmetric` (from -x to x) or `asymmetric` (from x to y, 0 included). Its ends are the smallest and
  largest value (`minmax`), leave out a ten-thousandth at either end (`percentile`), or have the least mean
  squared error (`mse`), all on training images.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal, get_args

Per = Literal["tensor", "channel"]
Sign = Literal["unsigned", "symmetric", "asymmetric"]
Span = Literal["minmax", "percentile", "mse"]

FEWEST, MOST = 2, 16  # bits
LOST = "lost_"  # before the name of a scheme: the accuracy that it costs
BITS = (8, 6, 4)  # of the tables and figures
EXAMPLE = "w8_channel_a8_asymmetric_minmax"

_NAME = re.compile(
    r"(?:w(?P<weight_bits>\d+)_(?P<per>[a-z]+?)(?P<unfolded>_unfolded)?)?"
    r"(?:(?(weight_bits)_|)a(?P<bits>\d+)_(?P<sign>[a-z]+)_(?P<span>[a-z]+))?"
)


@dataclass(frozen=True)
class Weights:
    """How weights are rounded."""

    bits: int
    per: Per
    folded: bool = True

    @property
    def name(self) -> str:
        """As it stands in a scheme's name."""
        return f"w{self.bits}_{self.per}{'' if self.folded else '_unfolded'}"


@dataclass(frozen=True)
class Activations:
    """How the values between layers are rounded."""

    bits: int
    sign: Sign
    span: Span

    @property
    def name(self) -> str:
        """As it stands in a scheme's name."""
        return f"a{self.bits}_{self.sign}_{self.span}"


@dataclass(frozen=True)
class Scheme:
    """How a network is rounded; None leaves weights or activations as they are."""

    weights: Weights | None
    activations: Activations | None

    @property
    def name(self) -> str:
        """As in settings and measures."""
        return "_".join(part.name for part in (self.weights, self.activations) if part is not None)

    @property
    def label(self) -> str:
        """In a few words: `8 bits, a grid a channel, unsigned (mse)`."""
        weights, values = self.weights, self.activations
        grid = f"a grid a {weights.per}{'' if weights.folded else ' before batch norm'}" if weights else ""
        sign = f"{values.sign} ({values.span})" if values else ""
        if weights and values:
            same = weights.bits == values.bits
            bits = f"{weights.bits} bits" if same else f"{weights.bits} and {values.bits} bits"
            return f"{bits}, {grid}, {sign}"
        if weights:
            return f"weights alone, {weights.bits} bits, {grid}"
        return f"activations alone, {values.bits} bits, {sign}" if values else "nothing rounded"


@functools.cache
def parse_scheme(name: str) -> Scheme:
    """The scheme of that name.

    Raises:
        ValueError: it names none; the message says which of its words is wrong.
    """
    found = _NAME.fullmatch(name)
    if not name or found is None:
        raise ValueError(f"{name!r} is no scheme of rounding; one is {EXAMPLE!r}")
    weights = activations = None
    if found["weight_bits"] is not None:
        per = _one_of(name, found["per"], get_args(Per))
        weights = Weights(_bits(name, found["weight_bits"]), per, found["unfolded"] is None)  # type: ignore[arg-type]
    if found["bits"] is not None:
        sign = _one_of(name, found["sign"], get_args(Sign))
        span = _one_of(name, found["span"], get_args(Span))
        activations = Activations(_bits(name, found["bits"]), sign, span)  # type: ignore[arg-type]
    return Scheme(weights, activations)


def lost_by(measure: str) -> Scheme | None:
    """The scheme whose cost in accuracy a measure of that name is; None where it is another measure."""
    try:
        return parse_scheme(measure.removeprefix(LOST)) if is_lost(measure) else None
    except ValueError:
        return None


def is_lost(measure: str) -> bool:
    """Whether a name sets out to be that of what a scheme costs."""
    return re.match(LOST + r"[wa]\d", measure) is not None


def _one_of(name: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"{name!r} is no scheme of rounding: {word!r} is none of {', '.join(words)}")
    return word


def _bits(name: str, digits: str) -> int:
    if not FEWEST <= int(digits[:3]) <= MOST or str(int(digits[:3])) != digits:
        raise ValueError(f"{name!r} is no scheme of rounding: {digits} bits; give {FEWEST} to {MOST}")
    return int(digits)


def half_step(bits: int, of: str) -> float:
    """Half a step of the grid of `weights` or `activations`, beside its width: what is smaller becomes 0.

    2^`bits` values make one step fewer; the symmetric grid of a weight has one value fewer as well.
    """
    return 0.5 / float(2**bits - (2 if of == "weights" else 1))
