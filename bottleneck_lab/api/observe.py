"""What passes the activations of a network, any network: `bottleneck_lab.observe`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from bottleneck_lab.activations import KINDS, kind_of, schedules_of, values_of
from bottleneck_lab.api.arguments import whole
from bottleneck_lab.api.evaluation import in_evaluation
from bottleneck_lab.api.frame import Frame
from bottleneck_lab.config.problems import brief
from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.decoders import Moments, affine_error, moments
from bottleneck_lab.manifold.distances import effective_rank, principal_variances
from bottleneck_lab.manifold.rows import rows
from bottleneck_lab.models.activations import made_of

# Those of torch, as the table of activations calls them.
_OF_TORCH: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.ReLU6: "relu6", nn.LeakyReLU: "leaky_relu"}
_ELEMENTWISE = (
    *_OF_TORCH, nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.LogSigmoid, nn.Mish, nn.PReLU, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign,
    nn.Tanh, nn.Tanhshrink, nn.Threshold,
)  # fmt: skip


def observe(
    network: nn.Module,
    inputs: Tensor | Iterable[Tensor],
    *,
    modules: Sequence[str] | None = None,
    channel_axis: int = 1,
) -> Frame:
    """Run inputs through a network and say, for each of its activations, what it does to what passes.

    >>> import torch, bottleneck_lab as lab
    >>> network = torch.nn.Sequential(lab.InvertedResidual(8, 8), torch.nn.ReLU())
    >>> seen = lab.observe(network, torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(0)))
    >>> seen["module"].tolist()
    ['0.expansion.activation', '0.depthwise.activation', '1']
    >>> seen["channels"].tolist()
    [48, 48, 8]
    >>> bool(0 < seen[0]["below_zero"] < 1)
    True

    The network is in evaluation mode meanwhile, and no gradients are kept. One axis is taken for channels,
    `channel_axis`, and every other place for a sample. The columns:

    - `module`: its name in the network; with ` #2` for the second call of a module that is called twice.
    - `activation`: what it is. `channels`: of what passes it.
    - `below_zero`: share of the pre-activations z that are below 0.
    - `flat`: share that lies where the activation is flat and forgets its input; none where that is unknown.
    - `readable`: share of the variance of z that a linear map reads from the activations (R^2), 0 to 1.
    - `rank_before`, `rank_after`: effective rank of z and of what comes out, 1 to `channels` (Roy &
      Vetterli 2007).

    Args:
        network: any module.
        inputs: a batch, or batches, as it takes them.
        modules: names of the modules to look at instead of all activations, as `named_modules` has them.
        channel_axis: 1, as images `[N, C, H, W]` have it, or -1, as tokens `[N, L, C]` have it; never that
            of the batch. Where a network has both, look at the `modules` of one kind at a time.

    Raises:
        LabError: a name that is not there; no activation, or none that anything has passed; what passes
            is no such tensor, or not finite.
    """
    if not isinstance(network, nn.Module):
        raise LabError(f"network: {brief(network)} is no torch.nn.Module")
    watched, axis = _chosen(network, modules), whole("channel_axis", channel_axis)
    found: dict[tuple[str, int], _Seen] = {}
    calls: dict[str, int] = {}
    before: dict[str, list[Any]] = {}

    def enter(name: str) -> Any:
        def note(module: nn.Module, given: tuple[Any, ...]) -> None:
            kept = given[0] if given else None
            before.setdefault(name, []).append(kept.detach().clone() if isinstance(kept, Tensor) else kept)

        return note

    def leave(name: str) -> Any:
        def see(module: nn.Module, given: Any, output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            seen = _seen(name, module, before[name].pop(), output, axis)
            which = (name, calls[name])
            if which in found and len(found[which].spread.point_mean) != len(seen.spread.point_mean):
                raise LabError(f"{name}: batches of different numbers of channels have passed it")
            found[which] = found[which] + seen if which in found else seen

        return see

    handles = [
        handle
        for name, module in watched.items()
        for handle in (
            module.register_forward_pre_hook(enter(name)),  # before one that works in place
            module.register_forward_hook(leave(name)),
        )
    ]
    try:
        with in_evaluation(network):
            for batch in [inputs] if isinstance(inputs, Tensor) else inputs:
                if not isinstance(batch, Tensor):
                    raise LabError("inputs: give tensors; of a DataLoader's pairs, (x for x, _ in loader)")
                calls.clear()
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise LabError("nothing has passed an activation of this network: give at least one batch")
    return Frame(
        {"module": name if call == 1 else f"{name} #{call}", **seen.row(watched[name])}
        for (name, call), seen in found.items()
    )


def _chosen(network: nn.Module, names: Sequence[str] | None) -> dict[str, nn.Module]:
    every = dict(network.named_modules())
    if names is None:
        found = {name: module for name, module in every.items() if _is_activation(module)}
        if not found:
            raise LabError("this network has no activation that is a module; name some modules=[...]")
        return found
    for name in names:
        if name not in every:
            raise LabError(f"modules: the network has none called {name!r}")
    return {name: every[name] for name in names}


def _is_activation(module: nn.Module) -> bool:
    setting = made_of(module)
    return isinstance(module, _ELEMENTWISE) or setting not in (None, "linear")


@dataclass(frozen=True)
class _Seen:
    """Counts and moments of what has passed; `+` gives those of all."""

    count: int
    below_zero: int
    flat: int | None
    spread: Moments

    def __add__(self, other: _Seen) -> _Seen:
        flat = None if self.flat is None or other.flat is None else self.flat + other.flat
        return _Seen(
            self.count + other.count,
            self.below_zero + other.below_zero,
            flat,
            self.spread + other.spread,
        )

    def row(self, module: nn.Module) -> dict[str, object]:
        variance = self.spread.point_variance
        return {
            "activation": type(module).__name__,
            "channels": len(self.spread.point_mean),
            "below_zero": self.below_zero / self.count,
            "flat": None if self.flat is None else self.flat / self.count,
            "readable": 1 - float(affine_error(self.spread)) ** 2 if variance > 0 else 1.0,
            "rank_before": float(effective_rank(principal_variances(self.spread.point_covariance))),
            "rank_after": float(effective_rank(principal_variances(self.spread.code_covariance))),
        }


def _seen(name: str, module: nn.Module, before: Any, after: Any, axis: int) -> _Seen:
    for tensor in (before, after):
        if not isinstance(tensor, Tensor) or tensor.dim() < 2 or tensor.is_complex():
            raise LabError(f"{name}: what passes it is no tensor [N, C] or [N, C, ...] of real numbers")
        if not tensor.numel() or not tensor.isfinite().all():
            raise LabError(f"{name}: what passes it is empty, or has NaN or infinity in it")
        if not -tensor.dim() < axis < tensor.dim() or axis == 0:
            raise LabError(f"channel_axis = {axis}: {name} is passed by {tuple(tensor.shape)}")
    z, h = (np.asarray(rows(tensor, axis).detach().cpu().double()) for tensor in (before, after))
    if len(z) != len(h):
        raise LabError(f"{name}: {tuple(before.shape)} becomes {tuple(after.shape)}: not of as many places")
    low, high = _flat(module)
    flat = None if np.isnan(low) else int(((z <= low) | (z >= high)).sum())
    return _Seen(z.size, int((z < 0).sum()), flat, moments(z, h))


def _flat(module: nn.Module) -> tuple[float, float]:
    """Below and above which the module is constant; NaN where that is not known."""
    setting = _OF_TORCH.get(type(module)) or made_of(module)
    if setting is None or kind_of(setting) not in KINDS or schedules_of(setting):
        return np.nan, np.nan
    return KINDS[kind_of(setting)].flat(**values_of(setting))
