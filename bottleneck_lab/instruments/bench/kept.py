"""What a network keeps in forward for its backward pass: measured, and as a plain count of tensors says."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bottleneck_lab.models.block import ConvNorm, InvertedResidual
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2

BYTES = 4  # of a float32
REST = "rest"  # pooling, dropout, classifier, loss


def places_of(network: MobileNetV2) -> dict[str, nn.Module]:
    """Stem, blocks and head by name, in their order."""
    blocks = {f"blocks.{number}": block for number, block in enumerate(network.blocks)}
    return {"stem": network.stem, **blocks, "head": network.head}


def kept_for_backward(network: MobileNetV2, loss: Callable[[], Tensor]) -> dict[str, int]:
    """Bytes that each place keeps while `loss` is computed, parameters excepted.

    Counted from autograd's own record of every tensor that it saves. A tensor that several places need counts
    at the first, and one that shares memory with another counts once.
    """
    parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[str, int] = dict.fromkeys([*places_of(network), REST], 0)
    alive: dict[int, Tensor] = {}  # so that no address is given out twice
    here = [REST]

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters and storage.data_ptr() not in alive:
            alive[storage.data_ptr()] = tensor
            kept[here[-1]] += storage.nbytes()
        return tensor

    def enter(name: str, *_: object) -> None:
        here.append(name)

    def leave(*_: object) -> None:
        here.pop()

    handles = []
    for name, module in places_of(network).items():
        handles.append(module.register_forward_pre_hook(functools.partial(enter, name)))
        handles.append(module.register_forward_hook(leave))
    try:
        with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
            loss()
    finally:
        for handle in handles:
            handle.remove()
    return kept


def kept_by_count(network: MobileNetV2, resolution: int, batch: int, fused: bool) -> dict[str, int]:
    """Bytes that each place must keep, counted by tensors of float32.

    Operation by operation a convolution keeps its input, its norm what the convolution gives, and the clamp
    what the norm gives: of a block its input, three wide tensors before and three after the stride, and the
    projection. The fused kernel keeps the input, the depthwise output and the projection; of stem and head
    input and output. What projections are followed by is not counted.
    """
    kept: dict[str, int] = {}
    edge, input_is_kept = resolution, False
    for name, module in places_of(network).items():
        before = batch * edge**2  # pixels
        if isinstance(module, InvertedResidual):
            edge = -(-edge // module.stride)
            after = batch * edge**2
            expands = not isinstance(module.expansion, nn.Identity)
            pixels = after if fused else 3 * after + 3 * before * expands
            wide = module.inner * pixels
            numbers, inputs = wide + module.outputs * after, module.inputs
        else:
            assert isinstance(module, ConvNorm)
            edge = -(-edge // module.conv.stride[0])
            after = batch * edge**2
            numbers = (1 if fused else 2) * module.conv.out_channels * after
            inputs = module.conv.in_channels
        kept[name] = BYTES * (numbers + (0 if input_is_kept else inputs * before))
        input_is_kept = fused and isinstance(module, ConvNorm)
    return kept
