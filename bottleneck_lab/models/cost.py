"""What a network costs: parameters and multiply-accumulates, counted on the network itself."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

Shape = Sequence[int]


def parameters(network: nn.Module) -> int:
    """Number of trainable parameters, batch norm's scales and shifts included."""
    return sum(parameter.numel() for parameter in network.parameters())


class Counted(NamedTuple):
    """Multiply-accumulates that could be counted, and torch's names of operators that multiply as well."""

    madds: int
    uncounted: tuple[str, ...]


def madds(network: nn.Module, *input_shape: int) -> int:
    """Multiply-accumulates of matrix products (convolutions, linear layers, attention) for one input.

    What works on every element by itself, as an activation or a normalisation does, is not counted.
    """
    return count(network, *input_shape).madds


def count(network: nn.Module, *input_shape: int) -> Counted:
    """`madds` for one input of `input_shape`, and what was used that it has no rule for."""
    was_training = network.training
    device = next(network.parameters()).device
    counting = _Counting()
    with torch.no_grad(), _attention_in_steps(), counting:
        network.eval()(torch.zeros(*input_shape, device=device))
    network.train(was_training)
    return Counted(counting.flops // 2, tuple(sorted(filter(_multiplies, counting.without_rule))))


@contextlib.contextmanager
def _attention_in_steps() -> Iterator[None]:
    """Without torch's one operator for all of `nn.MultiheadAttention`, which has no rule."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Counting(TorchDispatchMode):
    """Adds up floating point operations by torch's rules and ours, and notes operators that have none."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.without_rule: set[str] = set()
        self._rules = FlopCounterMode(display=False, custom_mapping=_RULES).flop_registry

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it is not in use, and to be told that, torch would load its compiler for seconds

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        rule = self._rules.get(operator._overloadpacket)
        if rule is None:
            with self:  # without autograd (`torch.inference_mode`) what is made of others arrives whole
                parts = operator.decompose(*args, **(kwargs or {}))
            if parts is not NotImplemented:
                return parts
            self.without_rule.add(str(operator._overloadpacket))
        out = operator(*args, **(kwargs or {}))
        if rule is not None:
            self.flops += rule(*args, **(kwargs or {}), out_val=out)
        return out


# Words in the names of torch's operators that multiply and add up; those of other libraries may all do so.
_MULTIPLYING = {
    "addbmm", "addmm", "addmv", "addr", "attention", "baddbmm", "bilinear", "bmm", "cdist", "cholesky", "dot",
    "einsum", "ger", "gru", "inverse", "kron", "linalg", "linear", "lstm", "lu", "matmul", "mkldnn", "mm",
    "mv", "ormqr", "pdist", "qr", "quantized", "rnn", "sparse", "svd", "triangular", "trilinear", "vdot",
}  # fmt: skip


def _multiplies(operator: str) -> bool:
    library, _, name = operator.partition(".")
    words = name.strip("_").split("_")
    if library not in ("aten", "prim", "prims", "profiler"):
        return True
    return words[0] != "upsample" and any(
        word in _MULTIPLYING or word.startswith(("conv", "fft")) for word in words
    )


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Queries by keys, and the weights by values: `[..., L, E]`, `[..., S, E]` and `[..., S, V]`."""
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _lstm(sequence: Shape, of_input: Shape, of_state: Shape, *_: Any, **__: Any) -> int:
    """A layer of a recurrent network: both matrices once a step, `[T, N, inputs]` being its input."""
    return 2 * math.prod(sequence[:-1]) * (math.prod(of_input) + math.prod(of_state))


# Floating point operations, of which a multiply-accumulate is two, where torch's own counter has no rule.
_RULES: dict[Any, Callable[..., int]] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten.mkldnn_rnn_layer: _lstm,
    torch.ops.aten.mv: lambda matrix, vector, **_: 2 * math.prod(matrix),
    torch.ops.aten.addmv: lambda bias, matrix, vector, **_: 2 * math.prod(matrix),
    torch.ops.aten.dot: lambda one, other, **_: 2 * math.prod(one),
    torch.ops.aten.vdot: lambda one, other, **_: 2 * math.prod(one),
    torch.ops.aten.addbmm: lambda bias, one, other, **_: 2 * math.prod(one) * other[-1],
}
