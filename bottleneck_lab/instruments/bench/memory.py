"""Activation memory of a network: eq. (2) of Sandler et al. 2018, Sec. 5, counted on the network itself."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from bottleneck_lab.errors import LabError


@dataclass(frozen=True)
class Operation:
    """An operation of a network and the activations that it needs at once, in bytes.

    Args:
        name: path of the module that it belongs to.
        inputs: all tensors that it reads, weights excepted.
        outputs: all tensors that it makes.
        internal: what a block that counts as one operation holds inside, beside inputs and outputs.
    """

    name: str
    inputs: int
    outputs: int
    internal: int = 0

    @property
    def memory(self) -> int:
        """The term of eq. (2): inputs, outputs and internal storage."""
        return self.inputs + self.outputs + self.internal


def peak(operations: Sequence[Operation]) -> Operation:
    """The operation that decides eq. (2), M(G) = max over operations of |inputs| + |outputs| + |op|."""
    return max(operations, key=lambda operation: operation.memory)


def operations(
    network: nn.Module, *input_shape: int, element_size: int = 2, parts: int | None = None
) -> list[Operation]:
    """The operations of a network in evaluation, in order, for inputs of `input_shape`.

    They are read off a forward pass that allocates nothing. What counts is what an inference runtime would
    allocate: activations, the images among them, and neither weights nor scratch memory. Batch norms are
    folded, and an element-wise operation writes over an operand as large as its result: activations are no
    operations of their own, and an addition needs its two operands. Views are free. As in eq. (2), a shortcut
    counts where it is made and where it is added, not while it waits.

    Args:
        network: any; with `parts`, one whose blocks are the children of `network.blocks`.
        input_shape: of the images, `[N, channels, H, W]`.
        element_size: bytes of one number; the paper counts 2.
        parts: count each block as one operation whose inner tensors exist in that many parts, one of them at
            a time; its internal storage is then the most that one of its own operations needs of inner
            tensors, with `ceil(channels / parts)` channels of each. Without it, each operation of a block
            counts for itself.

    Raises:
        LabError: `parts` is not positive; or blocks cannot be single operations, because there are none or
            their inner tensors are used outside; or cannot be made in parts, because they mix the channels
            of an inner tensor.
    """
    if parts is not None and parts < 1:
        raise LabError(f"parts = {parts}: a block is split into 1 part or more")
    steps, blocks = _record(network, input_shape)
    if parts is None:
        return [step.operation(element_size) for step in steps]
    if not blocks:
        raise LabError("this network has no `blocks` that could count as single operations")
    for name, block in blocks.items():
        if block is None:
            raise LabError(f"{name} is no single operation: its inner tensors are used outside of it")
    return list(_with_blocks(steps, blocks, parts, element_size))


@dataclass(frozen=True, eq=False)
class _Activation:
    """Memory that a tensor has for itself."""

    elements: int
    channels: int
    age: int

    def part(self, parts: int) -> int:
        """Elements of one of so many parts of its channels."""
        return self.elements // self.channels * -(-self.channels // parts)


@dataclass(frozen=True)
class _Step:
    name: str
    block: str | None
    reads: list[_Activation]
    makes: list[_Activation]
    mixes_channels: bool

    def operation(self, element_size: int) -> Operation:
        return Operation(self.name, *(element_size * _elements(of) for of in (self.reads, self.makes)))


# What a block reads and makes, or None if it was not executed as a whole.
_Ends = tuple[list[_Activation], list[_Activation]] | None


def _record(network: nn.Module, input_shape: Sequence[int]) -> tuple[list[_Step], dict[str, _Ends]]:
    """Steps and blocks, in order, of a forward pass in evaluation on tensors without memory."""
    named = itertools.chain(network.named_parameters(), network.named_buffers())
    weights = {name: weight.detach().to("meta") for name, weight in named}
    was_training = network.training
    network.eval()
    recorder = _Recorder(network, weights.values())
    try:
        # In inference mode torch would show some operators whole that are others together.
        with torch.inference_mode(False), torch.no_grad(), recorder:
            images = torch.empty(tuple(input_shape), device="meta")
            functional_call(network, weights, (images,))
    finally:
        recorder.remove_hooks()
        network.train(was_training)
    return recorder.steps, recorder.blocks


class _Recorder(TorchDispatchMode):
    """Notes which operation reads and makes which activations, and in which module."""

    def __init__(self, network: nn.Module, weights: Iterable[Tensor]) -> None:
        super().__init__()
        self.steps: list[_Step] = []
        blocks = getattr(network, "blocks", None)
        names = [f"blocks.{name}" for name, _ in blocks.named_children()] if blocks else []
        self.blocks: dict[str, _Ends] = dict.fromkeys(names)
        self._known: dict[int, _Activation | None] = {_storage(weight): None for weight in weights}
        self._kept: list[Tensor] = []  # else a new tensor could get the storage of one that is gone
        self._modules: list[str] = []
        self._hooks: list[RemovableHandle] = []
        for name, module in network.named_modules():
            self._hooks.append(module.register_forward_pre_hook(functools.partial(self._enter, name)))
            self._hooks.append(module.register_forward_hook(functools.partial(self._leave, name)))

    def remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        self._modules.append(name)

    def _leave(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        self._modules.pop()
        if name in self.blocks:
            self.blocks[name] = self._activations(inputs), self._activations(output)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        reads = self._activations((args, kwargs))
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self._kept += made
        normalises = func.overloadpacket is torch.ops.aten.native_batch_norm
        if normalises:
            made = made[:1]  # the rest are statistics of the batch, which evaluation does not take
        makes = []
        for tensor in made:
            if _storage(tensor) in self._known:
                continue  # a view, or in place
            over = [read for read in reads if read.elements == tensor.numel()]
            if over and (normalises or torch.Tag.pointwise in func.tags):
                self._known[_storage(tensor)] = max(over, key=lambda read: read.age)
                continue
            new = _Activation(tensor.numel(), tensor.shape[1] if tensor.dim() > 1 else 1, len(self._kept))
            self._known[_storage(tensor)] = new
            makes.append(new)
        if reads and made and (makes or len(reads) > 1):
            module = next(reversed(self._modules), "")
            block = next((name for name in self._modules if name in self.blocks), None)
            operator = func.overloadpacket.__name__
            self.steps.append(
                _Step(f"{module}: {operator}", block, reads, makes, _mixes_channels(func, args))
            )
        return result

    def _activations(self, tree: Any) -> list[_Activation]:
        """The activations among the tensors of a tree, each once."""
        tensors = [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
        found = (self._known.get(_storage(tensor)) for tensor in tensors)
        return list(dict.fromkeys(activation for activation in found if activation is not None))


def _mixes_channels(func: Any, args: Any) -> bool:
    if func.overloadpacket is torch.ops.aten.convolution:
        groups: int = args[-1]
        return bool(groups != args[0].shape[1])
    return func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm)


def _with_blocks(
    steps: Iterable[_Step], blocks: dict[str, _Ends], parts: int, element_size: int
) -> Iterator[Operation]:
    for block, group in itertools.groupby(steps, key=lambda step: step.block):
        ends_of_block = None if block is None else blocks[block]
        if block is None or ends_of_block is None:
            yield from (step.operation(element_size) for step in group)
            continue
        reads, makes = ends_of_block
        ends = {*reads, *makes}
        internal = 0
        for step in group:
            inner_reads, inner_makes = set(step.reads) - ends, set(step.makes) - ends
            if parts > 1 and step.mixes_channels and inner_reads and inner_makes:
                raise LabError(
                    f"{step.name} mixes the channels of an inner tensor: the block cannot be split"
                )
            internal = max(internal, sum(of.part(parts) for of in inner_reads | inner_makes))
        made = [activation for activation in makes if activation not in reads]
        yield Operation(
            block, *(element_size * size for size in (_elements(reads), _elements(made), internal))
        )


def _elements(activations: Iterable[_Activation]) -> int:
    return sum(activation.elements for activation in activations)


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
