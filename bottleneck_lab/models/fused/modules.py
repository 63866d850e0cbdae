"""Which modules the kernel can compute, and computing them with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from bottleneck_lab.models.fused import library
from bottleneck_lab.models.fused.functions import Bounds, ConvNormFunction, InvertedResidualFunction

if TYPE_CHECKING:
    from bottleneck_lab.models.block import ConvNorm, InvertedResidual

# Between which values an activation is the identity; it is constant beyond.
BOUNDS: dict[type[nn.Module], Bounds] = {
    nn.Identity: (-math.inf, math.inf),
    nn.ReLU: (0.0, math.inf),
    nn.ReLU6: (0.0, 6.0),
}
MOST_PATCH = 64  # numbers that a wider convolution reads for a pixel: its covariance would cost too much


def why_not_block(block: InvertedResidual) -> str | None:
    """Why the kernel cannot compute this block; None if it can."""
    if block.inner == 0:
        return "expansion 0"
    if block.kernel != 3:
        return f"kernel {block.kernel}"
    if block.stride not in (1, 2):
        return f"stride {block.stride}"
    for stage in _stages(block):
        if stage is not block.projection and type(stage.activation) not in BOUNDS:
            return f"{type(stage.activation).__name__} inside the blocks"
        if (reason := _why_not_norm(stage.norm)) is not None:
            return reason
    return None


def why_not_conv_norm(module: ConvNorm) -> str | None:
    """Why the kernel cannot compute this convolution with norm and activation; None if it can."""
    conv = module.conv
    edge, patch = conv.kernel_size[0], conv.in_channels * conv.kernel_size[0] ** 2
    if conv.groups != 1 or patch > MOST_PATCH or conv.out_channels < conv.in_channels:
        return "not one that widens a thin tensor"
    if edge == 1 and conv.stride != (1, 1):
        return "1x1 with a stride"
    if type(module.activation) not in BOUNDS:
        return type(module.activation).__name__
    return _why_not_norm(module.norm)


def _why_not_norm(norm: nn.Module) -> str | None:
    usual = type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats
    return None if usual and norm.momentum is not None else "a norm of another kind"


def _stages(block: InvertedResidual) -> Iterator[ConvNorm]:
    for stage in (block.expansion, block.depthwise, block.projection):
        if not isinstance(stage, nn.Identity):
            yield stage  # type: ignore[misc]


def normed_projection(block: InvertedResidual, x: Tensor) -> Tensor | None:
    """The output of the norm of the block's projection, in training; None where PyTorch must compute it."""
    stages = list(_stages(block))
    *inner, _ = (
        part for stage in stages for part in (stage, *stage)
    )  # what follows the projection is PyTorch's
    if not _can_be_fused(x, block.stride, inner):
        return None
    first, second = stages[0], stages[-2]
    bounds = (BOUNDS[type(first.activation)], BOUNDS[type(second.activation)])
    parameters: list[Tensor | None] = [None] * 3 if len(stages) == 2 else []
    norms: list[nn.BatchNorm2d | None] = [None] if len(stages) == 2 else []
    for stage in stages:
        assert isinstance(stage.norm, nn.BatchNorm2d)
        parameters.extend((stage.conv.weight, stage.norm.weight, stage.norm.bias))
        norms.append(stage.norm)
    normed: Tensor = InvertedResidualFunction.apply(block.stride, bounds, tuple(norms), x, *parameters)
    return normed


def conv_norm(module: ConvNorm, x: Tensor) -> Tensor | None:
    """The output of the module, in training; None where PyTorch must compute it."""
    stride = module.conv.stride[0]
    wants_its_gradient = x.requires_grad and torch.is_grad_enabled()
    if not _can_be_fused(x, stride, module.children()) or (
        module.conv.kernel_size != (1, 1) and wants_its_gradient
    ):
        return None
    output: Tensor = ConvNormFunction.apply(
        stride,
        BOUNDS[type(module.activation)],
        module.norm,
        x,
        module.conv.weight,
        module.norm.weight,
        module.norm.bias,
    )
    return output


def _can_be_fused(x: Tensor, stride: int, modules: Iterable[nn.Module]) -> bool:
    """Whether this input can pass these modules at once: float32, in training, and nobody looks inside.

    What does not fit is PyTorch's to refuse.
    """
    if type(x) is not Tensor or x.device.type != "cpu" or x.dtype != torch.float32 or x.dim() != 4:
        return False
    values = len(x) * -(-x.shape[2] // stride) * -(-x.shape[3] // stride)  # of a channel: one has no variance
    if values <= 1 or torch.is_autocast_enabled("cpu") or _looked_at_everywhere():
        return False
    channels = x.shape[1]
    for module in modules:
        if _is_looked_at(module) or not module.training or not _is_plain(module):
            return False
        if isinstance(module, nn.Conv2d):
            if module.in_channels != channels:
                return False
            channels = module.out_channels
        if isinstance(module, nn.BatchNorm2d) and (
            module.num_features != channels or module.momentum is None
        ):
            return False
    return library.why_not() is None


def _is_plain(module: nn.Module) -> bool:
    """Whether all numbers of a module itself lie in memory as the kernel reads them."""
    for tensor in (*module._parameters.values(), *module._buffers.values()):
        if tensor is None or not tensor.is_floating_point():
            continue
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not _is_dense(tensor):
            return False
    return True


def _is_dense(tensor: Tensor) -> bool:
    if tensor.is_contiguous():
        return True
    return tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)


def _is_looked_at(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def _looked_at_everywhere() -> bool:
    return bool(
        torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
        or torch_module._global_backward_hooks
        or torch_module._global_backward_pre_hooks
    )
