"""The kernel's functions as differentiable functions of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import Structure, byref, c_double, c_float, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bottleneck_lab.models.fused.library import library


class _Norm(Structure):
    """`Norm` of norms.hpp."""

    _fields_ = (
        ("gamma", c_void_p),
        ("beta", c_void_p),
        ("running_mean", c_void_p),
        ("running_var", c_void_p),
        ("batches", c_void_p),
        ("eps", c_double),
        ("momentum", c_double),
    )


class _Block(Structure):
    """`Block` of inverted_residual.cpp."""

    _fields_ = (
        ("N", c_int64),
        ("H", c_int64),
        ("W", c_int64),
        ("inputs", c_int64),
        ("inner", c_int64),
        ("outputs", c_int64),
        ("stride", c_int64),
        ("expands", c_int64),
        ("low", c_float * 2),
        ("high", c_float * 2),
        ("weights", c_void_p * 3),
        ("norms", _Norm * 3),
    )


class _Conv(Structure):
    """`Conv` of conv_norm.cpp."""

    _fields_ = (
        ("N", c_int64),
        ("H", c_int64),
        ("W", c_int64),
        ("inputs", c_int64),
        ("outputs", c_int64),
        ("stride", c_int64),
        ("kernel", c_int64),
        ("low", c_float),
        ("high", c_float),
        ("weights", c_void_p),
        ("norm", _Norm),
    )


class _ConvGradients(Structure):
    """`ConvGradients` of conv_norm.cpp."""

    _fields_ = (("x", c_void_p), ("weights", c_void_p), ("gamma", c_void_p), ("beta", c_void_p))


class _BlockGradients(Structure):
    """`Gradients` of inverted_residual.cpp."""

    _fields_ = (
        ("x", c_void_p),
        ("weights", c_void_p * 3),
        ("gamma", c_void_p * 3),
        ("beta", c_void_p * 3),
    )


Bounds = tuple[float, float]  # between which an activation is the identity, and constant beyond
Stages = tuple[nn.BatchNorm2d | None, nn.BatchNorm2d, nn.BatchNorm2d]


class InvertedResidualFunction(torch.autograd.Function):
    """An inverted residual up to and including the norm of its projection, in training.

    `[N, k, H, W]` to `[N, k', ceil(H/s), ceil(W/s)]`, float32 and channels-last on the CPU. The running
    statistics of the norms move as in PyTorch.
    """

    @staticmethod
    def forward(
        ctx: Any, stride: int, bounds: Sequence[Bounds], norms: Stages, x: Tensor, *parameters: Tensor | None
    ) -> Tensor:
        """Take input and, of expansion, depthwise convolution and projection, weight, gamma and beta."""
        x = x.contiguous(memory_format=torch.channels_last)
        block = _block(stride, bounds, norms, x, parameters)
        sizes = (c_int64 * 3)()
        library().inverted_residual_sizes(byref(block), sizes)
        wide, projected = torch.empty(sizes[0]), torch.empty(sizes[1])
        statistics = torch.empty(sizes[2], dtype=torch.float64)
        height, width = -(-x.shape[2] // stride), -(-x.shape[3] // stride)
        y = _images(len(x), block.outputs, height, width)
        _done(
            library().inverted_residual_forward(
                byref(block),
                *(tensor.data_ptr() for tensor in (x, wide, projected, statistics, y)),
            )
        )
        ctx.save_for_backward(x, wide, projected, statistics, *parameters)
        ctx.stride, ctx.bounds, ctx.norms = stride, bounds, norms
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what `forward` takes."""
        x, wide, projected, statistics, *parameters = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        block = _block(ctx.stride, ctx.bounds, ctx.norms, x, parameters)
        dx = _images(*x.shape)
        gradients = [None if parameter is None else torch.empty_like(parameter) for parameter in parameters]
        places = _BlockGradients(dx.data_ptr())
        for stage in range(3):
            weight, gamma, beta = gradients[3 * stage : 3 * stage + 3]
            if weight is not None and gamma is not None and beta is not None:
                places.weights[stage] = weight.data_ptr()
                places.gamma[stage] = gamma.data_ptr()
                places.beta[stage] = beta.data_ptr()
        _done(
            library().inverted_residual_backward(
                byref(block),
                *(tensor.data_ptr() for tensor in (dy, x, wide, projected, statistics)),
                byref(places),
            )
        )
        return None, None, None, dx, *gradients


class ConvNormFunction(torch.autograd.Function):
    """A convolution (1x1 at stride 1, or of few channels), its batch norm and a clamp, in training.

    `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`, float32 and channels-last on the CPU. The gradient of
    the input is to be had at 1x1 only.
    """

    @staticmethod
    def forward(
        ctx: Any,
        stride: int,
        bounds: Bounds,
        norm: nn.BatchNorm2d,
        x: Tensor,
        weight: Tensor,
        gamma: Tensor,
        beta: Tensor,
    ) -> Tensor:
        """Take input, weight `[out, in, edge, edge]`, and the norm's gamma and beta."""
        x = x.contiguous(memory_format=torch.channels_last)
        weight = weight.contiguous(memory_format=torch.channels_last)
        conv = _conv(stride, bounds, norm, x, weight, gamma, beta)
        statistics = torch.empty(library().conv_norm_size(byref(conv)), dtype=torch.float64)
        y = _images(len(x), len(weight), -(-x.shape[2] // stride), -(-x.shape[3] // stride))
        _done(library().conv_norm_forward(byref(conv), *(tensor.data_ptr() for tensor in (x, statistics, y))))
        ctx.save_for_backward(x, weight, gamma, beta, y, statistics)
        ctx.stride, ctx.bounds, ctx.norm = stride, bounds, norm
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what `forward` takes."""
        x, weight, gamma, beta, y, statistics = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        conv = _conv(ctx.stride, ctx.bounds, ctx.norm, x, weight, gamma, beta)
        dx = _images(*x.shape) if ctx.needs_input_grad[3] else None
        gradients = [torch.empty_like(parameter) for parameter in (weight, gamma, beta)]
        places = _ConvGradients(
            None if dx is None else dx.data_ptr(), *(each.data_ptr() for each in gradients)
        )
        _done(
            library().conv_norm_backward(
                byref(conv), *(tensor.data_ptr() for tensor in (dy, x, y, statistics)), byref(places)
            )
        )
        return None, None, None, dx, *gradients


def _conv(
    stride: int, bounds: Bounds, norm: nn.BatchNorm2d, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor
) -> _Conv:
    conv = _Conv(len(x), *x.shape[2:], x.shape[1], len(weight), stride, weight.shape[2], *bounds)
    conv.weights = weight.data_ptr()
    _fill(conv.norm, norm, gamma, beta)
    return conv


def _block(
    stride: int, bounds: Sequence[Bounds], norms: Stages, x: Tensor, parameters: Sequence[Tensor | None]
) -> _Block:
    block = _Block(*x.shape[:1], *x.shape[2:], x.shape[1])
    block.stride = stride
    block.expands = parameters[0] is not None
    for place, (low, high) in enumerate(bounds):
        block.low[place], block.high[place] = low, high
    for stage, norm in enumerate(norms):
        weight, gamma, beta = parameters[3 * stage : 3 * stage + 3]
        if norm is not None and weight is not None and gamma is not None and beta is not None:
            block.weights[stage] = weight.data_ptr()
            _fill(block.norms[stage], norm, gamma, beta)
    depthwise, projection = parameters[3], parameters[6]
    assert depthwise is not None
    assert projection is not None
    block.inner, block.outputs = len(depthwise), len(projection)
    return block


def _fill(place: _Norm, norm: nn.BatchNorm2d, gamma: Tensor, beta: Tensor) -> None:
    place.gamma, place.beta = gamma.data_ptr(), beta.data_ptr()
    place.running_mean, place.running_var = norm.running_mean.data_ptr(), norm.running_var.data_ptr()  # type: ignore[union-attr]
    place.batches = norm.num_batches_tracked.data_ptr()  # type: ignore[union-attr]
    place.eps, place.momentum = norm.eps, norm.momentum


def _images(count: int, channels: int, height: int, width: int) -> Tensor:
    return torch.empty((count, channels, height, width), memory_format=torch.channels_last)


def _done(status: int) -> None:
    if status:
        raise MemoryError("the fused kernel has not got the memory it needs")
