"""Memory-efficient inference (Sandler et al. 2018, Sec. 5), executed: the expansion exists only in parts.

A block is F(x) = sum_i (A_i o N o B_i)(x): part i of the expansion is made, filtered, projected and added to
the output before part i + 1 is made, since N (activation, depthwise convolution, activation) acts on each
channel by itself. MAdds stay the same.

Parts of channels do not help where a tensor between operations is what is large, as at the beginning of
MobileNetV2: there several layers are executed together, a few rows of the image at a time (Alwani et al.
2016, "Fused-layer CNN accelerators"). Rows at the seams are computed twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bottleneck_lab import extend
from bottleneck_lab.activations import KINDS, kind_of
from bottleneck_lab.errors import LabError
from bottleneck_lab.models.activations import made_of
from bottleneck_lab.models.block import ConvNorm, InvertedResidual
from bottleneck_lab.models.folding import fold_norms, folded, in_place
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2


def _by_channel(step: nn.Module) -> bool:
    """Whether a step acts on each channel by itself, or is taken apart here."""
    if isinstance(step, nn.Conv2d | nn.BatchNorm2d):
        return True
    setting = made_of(step)
    kind = KINDS.get(kind_of(setting)) if setting is not None else None
    return kind is not None and kind.by_element


class RowwiseLayer(nn.Module):
    """A layer whose output rows need a window of input rows, and that can make any of them from those alone.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: edge of its window, odd, in pixels; `kernel // 2` rows and columns of zeros surround the
            image.
        stride: step of the window.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel, self.stride = inputs, outputs, kernel, stride

    def height(self, height: int) -> int:
        """Rows that come out of `height` rows."""
        return -(-height // self.stride)

    def window(self, rows: range, height: int) -> range:
        """The input rows, of `height` there are, that output `rows` are made of: the halo included."""
        first = rows.start * self.stride - self.kernel // 2
        last = (rows.stop - 1) * self.stride - self.kernel // 2 + self.kernel
        return range(max(first, 0), min(last, height))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        height = x.shape[2]
        return self.tile(x, range(self.height(height)), height)

    def tile(self, x: Tensor, rows: range, height: int) -> Tensor:
        """Output `rows` from `x`, which holds just their `window` of an image of `height` rows."""
        raise NotImplementedError

    def _filter(self, x: Tensor, weight: Tensor, bias: Tensor, rows: range, height: int) -> Tensor:
        """Convolve, with zeros where the window goes beyond the image and nowhere else."""
        padding, groups = self.kernel // 2, x.shape[1] // weight.shape[1]
        above = max(padding - rows.start * self.stride, 0)
        below = max((rows.stop - 1) * self.stride - padding + self.kernel - height, 0)
        made = (x.shape[2] + 2 * padding - self.kernel) // self.stride + 1
        if above == padding and made == len(rows):  # the convolution's own padding adds no row too many
            return F.conv2d(x, weight, bias, self.stride, padding, groups=groups)
        if above or below:
            x = F.pad(x, (0, 0, above, below))
        return F.conv2d(x, weight, bias, self.stride, (0, padding), groups=groups)


class FoldedConv(RowwiseLayer):
    """A `ConvNorm` in evaluation, its batch norm folded into the convolution and its activation in place.

    Args:
        layer: is copied. Not depthwise.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: ConvNorm) -> None:
        conv = layer.conv
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0])
        weight, bias = folded(layer)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)
        self.activation = in_place(layer.get_submodule("activation"))

    def tile(self, x: Tensor, rows: range, height: int) -> Tensor:  # noqa: D102
        return self.activation(self._filter(x, self.weight, self.bias, rows, height))  # type: ignore[no-any-return]


class Part(nn.Module):
    """N o B_i and the weight of A_i: the inner channels `channels` of a block, as `SplitBlock` needs them."""

    expansion_weight: Tensor | None  # [inputs, channels]
    expansion_bias: Tensor | None
    depthwise_weight: Tensor  # [channels, 1, kernel, kernel]
    depthwise_bias: Tensor
    projection_weight: Tensor  # [channels, outputs]

    def __init__(self, block: InvertedResidual, channels: slice) -> None:
        super().__init__()
        assert isinstance(block.depthwise, ConvNorm)
        assert isinstance(block.projection, ConvNorm)
        self.channels = channels
        self.expansion_activation: nn.Module = nn.Identity()
        weight, bias = None, None
        if isinstance(block.expansion, ConvNorm):
            weight, bias = folded(block.expansion)
            weight, bias = weight[channels].flatten(1).t().contiguous(), bias[channels].clone()
            self.expansion_activation = in_place(block.expansion.get_submodule("activation"))
        self.register_buffer("expansion_weight", weight)
        self.register_buffer("expansion_bias", bias)

        weight, bias = folded(block.depthwise)
        self.register_buffer("depthwise_weight", weight[channels].clone(memory_format=torch.channels_last))
        self.register_buffer("depthwise_bias", bias[channels].clone())
        self.depthwise_activation = in_place(block.depthwise.get_submodule("activation"))

        weight, _ = folded(block.projection)
        self.register_buffer("projection_weight", weight[:, channels].flatten(1).t().contiguous())

    def expand(self, x: Tensor) -> Tensor:
        """`[N, in, H, W]` to this part of the expansion: of the input itself where nothing is expanded."""
        if self.expansion_weight is None or self.expansion_bias is None:
            return x[:, self.channels]
        of_pixels = pixels(x)
        batch, height, width, inputs = of_pixels.shape
        wide = torch.addmm(self.expansion_bias, of_pixels.reshape(-1, inputs), self.expansion_weight)
        return self.expansion_activation(wide.view(batch, height, width, -1).permute(0, 3, 1, 2))  # type: ignore[no-any-return]


class SplitBlock(RowwiseLayer):
    """An inverted residual block that never holds more than `ceil(inner / parts)` channels of its expansion.

    `[N, in, H, W]` to `[N, out, ceil(H/s), ceil(W/s)]`, equal to the block in evaluation up to rounding: the
    projection is summed in another order, in the block's own type, and batch norms are folded. What is alive
    at a time: input, output, a part of the expansion and the same part after the depthwise convolution.

    Args:
        block: is copied.
        parts: into how many the inner channels are split; more than there are channels is one channel each.

    Raises:
        LabError: the block is being trained, has no inner channels, or an activation that was added and may
            need all channels together; or `parts` is not positive.
    """

    projection_bias: Tensor

    def __init__(self, block: InvertedResidual, parts: int) -> None:
        super().__init__(block.inputs, block.outputs, block.kernel, block.stride)
        if parts < 1:
            raise LabError(f"parts = {parts}: a block is split into 1 part or more")
        if block.training:
            raise LabError("only a block in evaluation can be split, for batch norms are folded: call eval()")
        if block.inner == 0:
            raise LabError("a block of expansion 0 has no inner channels to split")
        for step in block.modules():
            if not (isinstance(step, ConvNorm | InvertedResidual) or _by_channel(step)):
                raise LabError(
                    f"{type(step).__name__}: an activation that may join channels: cannot be split"
                )
        assert isinstance(block.projection, ConvNorm)
        most = -(-block.inner // parts)
        starts = range(0, block.inner, most)
        self.parts: Iterable[Part] = nn.ModuleList(  # type: ignore[assignment]
            Part(block, slice(start, start + most)) for start in starts
        )
        self.register_buffer("projection_bias", folded(block.projection)[1])
        self.projection_activation = in_place(block.projection.get_submodule("activation"))
        self.output = in_place(block.output)
        self.has_shortcut = block.has_shortcut
        # A sum may as well begin with the shortcut, unless an activation comes between.
        self._begins_with_shortcut = block.has_shortcut and isinstance(
            self.projection_activation, nn.Identity
        )

    def tile(self, x: Tensor, rows: range, height: int) -> Tensor:  # noqa: D102
        x = x.contiguous(memory_format=torch.channels_last)  # of a batch, some rows are not in one piece
        size = (x.shape[0], len(rows), -(-x.shape[3] // self.stride), self.outputs)
        y = self.projection_bias.expand(size).clone(memory_format=torch.contiguous_format)
        skipped = rows.start - self.window(rows, height).start
        shortcut = pixels(x)[:, skipped : skipped + len(rows)]
        if self._begins_with_shortcut:
            y += shortcut
        flat = y.view(-1, self.outputs)
        for part in self.parts:
            wide = self._filter(part.expand(x), part.depthwise_weight, part.depthwise_bias, rows, height)
            wide = part.depthwise_activation(wide)
            flat.addmm_(pixels(wide).reshape(-1, wide.shape[1]), part.projection_weight)
            del wide  # or it would live on beside the next part
        y = self.projection_activation(y)
        if self.has_shortcut and not self._begins_with_shortcut:
            y += shortcut
        return self.output(y).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class FusedRows(nn.Module):
    """Layers executed together, so many output rows at a time: between them only those rows exist.

    `[N, in, H, W]` to `[N, out, H', W']` as by the layers one after another. A tile's halo, the rows by which
    its windows reach into the tiles above and below, is computed again for each tile.

    Args:
        layers: in order.
        rows: of the last layer's output in a tile.

    Raises:
        LabError: `rows` is not positive.
    """

    def __init__(self, layers: Sequence[RowwiseLayer], rows: int) -> None:
        super().__init__()
        if rows < 1:
            raise LabError(f"rows = {rows}: a tile has 1 row or more")
        self.layers, self.rows = nn.ModuleList(layers), rows

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        heights = [x.shape[2]]
        for layer in self.layers:
            heights.append(layer.height(heights[-1]))  # type: ignore[operator]
        last = heights.pop()
        out: Tensor | None = None
        for start in range(0, last, self.rows):
            rows = range(start, min(start + self.rows, last))
            tile = self._tile(x, rows, heights)
            if out is None:
                shape = (len(tile), tile.shape[1], last, tile.shape[3])
                out = torch.empty(
                    shape, dtype=tile.dtype, device=tile.device, memory_format=torch.channels_last
                )
            out[:, :, rows.start : rows.stop] = tile
            del tile
        assert out is not None
        return out

    def _tile(self, x: Tensor, rows: range, heights: list[int]) -> Tensor:
        windows = [rows]
        for layer, height in zip(reversed(self.layers), reversed(heights), strict=True):
            windows.insert(0, layer.window(windows[0], height))  # type: ignore[operator]
        x = x[:, :, windows[0].start : windows[0].stop]
        for layer, made, height in zip(self.layers, windows[1:], heights, strict=True):
            x = layer.tile(x, made, height)  # type: ignore[operator]
        return x


class Pooled(nn.Module):
    """Head, average pooling, classifier: `[N, in, H, W]` to logits `[N, classes]`."""

    def __init__(self, head: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.head, self.classifier = head, classifier

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.classifier(self.head(x).mean((2, 3)))  # type: ignore[no-any-return]


def split(network: MobileNetV2, parts: int, rows: int | None = None, fused: int = 2) -> nn.Sequential:
    """The network with every block split into `parts`, and stem and first blocks fused over rows.

    Args:
        network: in evaluation; is copied.
        parts: into how many the inner channels of each block are split.
        rows: output rows of a tile of the fused layers; without it nothing is fused. Fused blocks are not
            split into channels as well: a tile holds no more than its rows of their expansion.
        fused: how many blocks are fused with the stem. In MobileNetV2 two, up to the first block that reduces
            the image, take the largest tensors away.

    Returns:
        A network of the same inputs (best in channels-last layout) and logits, for evaluation only.

    Raises:
        LabError: the network is being trained; or its blocks cannot be split, because their expanded tensors
            are used outside of them; or a number is out of range.
    """
    blocks = _splittable(network)
    if not 0 <= fused <= len(blocks):
        raise LabError(f"fused = {fused}: the network has {len(blocks)} blocks to fuse with the stem")
    stem = FoldedConv(network.stem)
    first = [stem] if rows is None else [FusedRows([stem, *_rowwise(blocks[:fused], 1)], rows)]
    rest = _rowwise(blocks if rows is None else blocks[fused:], parts)
    head = Pooled(FoldedConv(network.head), copy.deepcopy(network.classifier))
    return nn.Sequential(*first, *rest, head).eval()


def plain(network: MobileNetV2) -> nn.Sequential:
    """The same network executed operation by operation: what the split one is fairly compared with.

    Batch norms are folded, activations are in place, nothing is held longer than its block lasts, and
    convolutions are torch's own.

    Raises:
        LabError: as `split`.
    """
    blocks = _splittable(network)
    layers = fold_norms(nn.ModuleList([network.stem, *blocks, network.head]))
    for layer in layers:
        if isinstance(layer, InvertedResidual):
            layer.output = in_place(layer.output)  # over the sum, which nothing else reads
    *inner, head = layers
    return nn.Sequential(*inner, Pooled(head, copy.deepcopy(network.classifier))).eval()


def _splittable(network: MobileNetV2) -> list[InvertedResidual]:
    if network.training:
        raise LabError("only a network in evaluation can be split, for batch norms are folded: call eval()")
    if any(network.expansions_joined):
        raise LabError(
            "residual = expansion: its shortcuts join the expanded tensors, so these cannot be split"
        )
    if network.settings.residual in extend.RESIDUALS.added:
        raise LabError(
            f"residual = {network.settings.residual}: what it joins is not known, so nothing is split"
        )
    blocks = []
    for block in network.blocks:
        if type(block) is not InvertedResidual:
            raise LabError(f"{type(block).__name__}: only the inverted residual block can be split")
        blocks.append(block)
    return blocks


def _rowwise(blocks: Sequence[InvertedResidual], parts: int) -> Iterator[RowwiseLayer]:
    for block in blocks:
        if block.inner > 0:
            yield SplitBlock(block, parts)
        elif isinstance(block.projection, ConvNorm):
            yield FoldedConv(block.projection)
        # else the block is the identity (Sec. 3.4)


def pixels(x: Tensor) -> Tensor:
    """`[N, C, H, W]` seen as `[N, H, W, C]`."""
    return x.permute(0, 2, 3, 1)
