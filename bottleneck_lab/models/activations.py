"""The modules of activations, by what settings say.

All take images `[N, channels, H, W]`, the points of toy networks `[N networks, points, channels]`, or any
tensor whose last axis is that of the channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab import extend
from bottleneck_lab.activations import KINDS, Activation, kind_of, schedules_of, values_of
from bottleneck_lab.config.problems import brief, nearest
from bottleneck_lab.errors import LabError
from bottleneck_lab.seeds import stream


def activation(setting: Activation) -> nn.Module:
    """A new module that applies the activation; it has the setting as `made_of`.

    One with a parameter that changes is as at the start of training; see `Changing`.

    Raises:
        LabError: one that was added, and is no such module.
    """
    name = kind_of(setting)
    made: nn.Module = (
        KINDS[name].make(**values_of(setting)) if name in KINDS else _added(name, values_of(setting))
    )
    made.made_of = setting  # type: ignore[assignment]
    return made


def made_of(module: nn.Module) -> Activation | None:
    """The setting that a module was made from; None for one that `activation` has not made."""
    if isinstance(module, nn.Identity):
        return "linear"
    setting: Activation | None = getattr(module, "made_of", None)
    return setting


def _added(name: str, parameters: dict[str, float]) -> nn.Module:
    if name not in extend.ACTIVATIONS:
        raise LabError(
            f"the activation {brief(name)} is not known; {nearest(name, extend.ACTIVATIONS.names)}"
        )
    try:
        made = extend.ACTIVATIONS[name](**parameters)
    except Exception as error:
        raise LabError(f"the activation {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise LabError(f"the activation {name!r} must return a torch.nn.Module, not {made!r}")
    if any(getattr(module, "inplace", False) for module in made.modules()):
        raise LabError(
            f"the activation {name!r} works in place, and measurements look at what goes into it: "
            "leave inplace=True out"
        )
    _check_on_a_few_numbers(name, made)
    return made


@torch.no_grad()
def _check_on_a_few_numbers(name: str, made: nn.Module) -> None:
    """Refuse what changes its input or its shape; whatever else it does shows when a network is counted."""
    numbers = torch.linspace(-3, 3, 48, device="cpu").view(1, 3, 4, 4)
    given = numbers.clone()
    try:
        returned = made.eval()(given)
    except Exception:  # it may want other numbers than these
        return
    finally:
        made.train()
    shape = tuple(returned.shape) if isinstance(returned, torch.Tensor) else type(returned).__name__
    if shape != tuple(numbers.shape):
        raise LabError(f"the activation {name!r} must keep the shape: {tuple(numbers.shape)} became {shape}")
    if not torch.equal(given, numbers):
        raise LabError(f"the activation {name!r} changes its input, which others read: return a new tensor")


# What depends on chance, or on how far training has come


@runtime_checkable
class Random(Protocol):
    """A module that draws random numbers: those of a run come from the run's own streams."""

    def draw_from(self, seeds: Sequence[int]) -> None:
        """Draw from here on by these seeds, one for each network that passes through at once."""


def give_chance(network: nn.Module, seeds: Sequence[int], *names: object) -> None:
    """Let what is random in a network draw from the streams with these names, a seed for each of its
    networks.

    A stream is told by the module's name too, so no module's draws disturb another's; and what is drawn after
    a call depends on nothing that was before it, so a run that goes on draws the same numbers.
    """
    for name, module in _random(network):
        module.draw_from([stream(seed, name, *names) for seed in seeds])


def _random(module: nn.Module, name: str = "") -> Iterator[tuple[str, Random]]:
    if isinstance(module, Random):
        yield name, module
        return
    for child_name, child in module.named_children():
        yield from _random(child, f"{name}.{child_name}".lstrip("."))


class Changing:
    """The parameters of a network's activations that change over training.

    Args:
        network: whose modules are looked through, once.
    """

    def __init__(self, network: nn.Module) -> None:
        self._found = [
            (module, name, schedule)
            for module in network.modules()
            for name, schedule in schedules_of(made_of(module) or "linear").items()
        ]

    def go_to(self, progress: float) -> None:
        """Set them as they are after `progress` of the training, 0 to 1."""
        for module, name, schedule in self._found:
            setattr(module, name, schedule.at(progress))


# The modules


class Leaky(nn.Module):
    """z above 0, `slope` times z below: ReLU at 0, the absolute value at -1."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        return F.leaky_relu(z, self.slope)


class Clip(nn.Module):
    """z between -`limit` and `limit`, and these beyond (hard tanh)."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        return F.hardtanh(z, -self.limit, self.limit)


class MaxMin(nn.Module):
    """The larger, then the smaller of every two neighbouring channels (Anil et al. 2019, GroupSort of 2).

    The last of an odd number of channels stays as it is. No length is changed, nor that of a gradient.
    """

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        channels = z.movedim(_channels(z), -1)
        even = channels.shape[-1] // 2 * 2
        first, second = channels[..., 0:even:2], channels[..., 1:even:2]
        ordered = torch.stack([torch.maximum(first, second), torch.minimum(first, second)], -1).flatten(-2)
        return torch.cat([ordered, channels[..., even:]], -1).movedim(-1, _channels(z))


class Noise(nn.Module):
    """z plus Gaussian noise of `variance` times each channel's variance over the batch, always.

    As much of z is lost to every decoder as 1 - 1 / (1 + variance), and no gradient changes. Also in
    evaluation.
    """

    def __init__(self, variance: float) -> None:
        super().__init__()
        self.variance = variance
        self._seeds: list[int] = []
        self._generators: list[torch.Generator] = []

    def draw_from(self, seeds: Sequence[int]) -> None:
        """Draw from here on by these seeds, one for each network of a batch of toy networks."""
        self._seeds, self._generators = list(seeds), []

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        spread = z.detach().var(_samples(z), correction=0, keepdim=True).mul(self.variance).sqrt()
        return z + spread * self._drawn(z)

    def _drawn(self, z: Tensor) -> Tensor:
        if self._seeds and not self._generators:
            self._generators = [torch.Generator(z.device).manual_seed(seed) for seed in self._seeds]
        like: dict[str, Any] = {"device": z.device, "dtype": z.dtype}
        if len(self._generators) > 1:
            return torch.stack([torch.randn(z.shape[1:], generator=g, **like) for g in self._generators])
        return torch.randn(z.shape, generator=next(iter(self._generators), None), **like)


class Bits(nn.Module):
    """z on a grid of 2^`bits` values for each channel, with the gradient of z itself (straight through).

    The grid is the uniform one with the least mean square error for a normal variable (Max 1960, Table II),
    of the channel's mean and variance over the batch.
    """

    STEPS = (1.5958, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308)  # in standard deviations

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        with torch.no_grad():
            variance, mean = torch.var_mean(z, _samples(z), correction=0, keepdim=True)
            spread = variance.sqrt().clamp(min=torch.finfo(z.dtype).tiny)
            away = mean + spread * on_grid((z - mean) / spread, self.bits) - z
        return z + away


def on_grid(z: Tensor, bits: int) -> Tensor:
    """The nearest of 2^`bits` values, spaced for a standard normal variable."""
    step, most = Bits.STEPS[bits - 1], 2 ** (bits - 1) - 0.5
    return ((z / step).floor() + 0.5).clamp(-most, most) * step


class MaskedBackward(nn.Module):
    """z itself, whose gradient passes as behind a ReLU: only above 0, and grown as much under batch norm.

    Forwards nothing is lost. Behind a ReLU and batch norm the mean square of gradients grows by pi / (pi - 1)
    (E f'^2 / Var f for a standard normal z); here half of them pass, times 1.713.
    """

    FACTOR = math.sqrt(2 * math.pi / (math.pi - 1))

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        passed: Tensor = _Masked.apply(z, self.FACTOR)
        return passed


class StraightThrough(nn.Module):
    """ReLU6, whose gradient passes as behind a linear projection: everywhere, and of the same size.

    Forwards as much is lost as by ReLU6. The gradient is that of z times .584, the standard deviation of a
    ReLU's output for a standard normal z, by which the next batch norm divides.
    """

    FACTOR = math.sqrt((1 - 1 / math.pi) / 2)

    def forward(self, z: Tensor) -> Tensor:  # noqa: D102
        passed: Tensor = _Through.apply(z, self.FACTOR)
        return passed


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(z > 0)
        ctx.factor = factor
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (above,) = ctx.saved_tensors
        return gradient * above * ctx.factor, None


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return F.relu6(z)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def _channels(z: Tensor) -> int:
    """The axis of the channels: images have them first, all else last."""
    return 1 if z.dim() == 4 else -1


def _samples(z: Tensor) -> tuple[int, ...]:
    """The axes over which a channel is spread: images and pixels, or the points of each toy network."""
    return (0, 2, 3) if z.dim() == 4 else (-2,)
