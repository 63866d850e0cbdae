"""SGD whose steps have a length relative to the weights that they change, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class LARS(torch.optim.SGD):
    """Layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, arXiv 1708.03888, with coefficient 1).

    In groups with `layerwise`, the gradient g of a weight w, with its decay, is scaled by |w| / |g| before
    momentum: the learning rate is the relative change of a step. Where either is 0 it is left alone. In
    groups with `batched` the first axis is that of independent networks, each of which has its own lengths.
    The other groups are those of SGD.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Scale the gradients of the layer-wise groups in place, and step as SGD does."""
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            if group.get("layerwise"):
                for weight in group["params"]:
                    if weight.grad is not None:
                        weight.grad.add_(weight, alpha=group["weight_decay"])
                        weight.grad.mul_(_trust(weight, weight.grad, group.get("batched", False)))
                group["weight_decay"] = 0.0  # is in the gradient now
        loss: Any = super().step(closure)
        for group, decay in zip(self.param_groups, decays, strict=True):
            group["weight_decay"] = decay
        return loss  # type: ignore[no-any-return]


def _trust(weight: Tensor, gradient: Tensor, batched: bool) -> Tensor:
    axes = tuple(range(int(batched), weight.dim()))
    length = torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
    slope = torch.linalg.vector_norm(gradient, dim=axes, keepdim=True)
    return torch.where((length > 0) & (slope > 0), length / slope.clamp(min=1e-30), 1.0)
