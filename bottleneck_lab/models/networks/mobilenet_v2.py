"""MobileNetV2 (Sandler et al. 2018, Table 2) from its stages, with the shortcuts where one wants them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

from torch import Tensor, nn

from bottleneck_lab import extend
from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass
from bottleneck_lab.models.widths import bottleneck_widths, head_width, stem_width


class MobileNetV2(nn.Module):
    """Stem, inverted residual blocks, 1x1 head, average pooling, classifier: images to logits.

    Takes `[N, channels, H, W]`, returns `[N, classes]`. The blocks are `blocks.0`, `blocks.1`, ...; each has
    its inner tensors by name (see `InvertedResidual`), so `blocks.3.expansion` is a place to measure at.
    Where shortcuts lead from expansion to expansion, the sum in block 3 is `joins.3`.

    Args:
        settings: stages and knobs.
        channels: of the images.
        classes: number of logits.
    """

    def __init__(self, settings: MobileNetV2Settings, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.settings = settings
        width = stem_width(settings)
        self.stem = ConvNorm(channels, width, 3, settings.stem_stride, then=settings.inner_activation)
        blocks: list[nn.Module] = []
        for stage, outputs in zip(settings.stages, bottleneck_widths(settings), strict=True):
            t = settings.expansion if stage.t is None else stage.t
            for repeat in range(stage.n):
                block = self._block(width, outputs, stage.s if repeat == 0 else 1, t)
                width = block.outputs if isinstance(block, Sandglass) else outputs
                blocks.append(block)
        self.blocks = nn.ModuleList(blocks)
        head = head_width(settings)
        self.head = ConvNorm(width, head, then=settings.inner_activation)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(head, classes)

        joinable = [False] + [_joinable(before, block) for before, block in itertools.pairwise(blocks)]
        if settings.shortcuts == "between_expansions":
            # A shortcut from one expansion to the next spans what the shortcut of the earlier block does.
            for block, has_counterpart in zip(blocks, [*joinable[1:], False], strict=True):
                if isinstance(block, InvertedResidual):
                    block.has_shortcut = block.has_shortcut and has_counterpart
        self.expansions_joined = [settings.residual == "expansion" and fits for fits in joinable]
        self.joins = nn.ModuleList(nn.Identity() for _ in blocks)

    def _block(self, inputs: int, width: int, stride: int, t: float) -> nn.Module:
        settings = self.settings
        if settings.block in extend.BLOCKS.added:
            return _added_block(settings, inputs, width, stride, t)
        if settings.residual == "sandglass":
            return Sandglass(
                inputs,
                width,
                round(t * width),
                stride,
                kernel=settings.kernel,
                projection_activation=settings.projection_activation,
                projection_place=settings.projection_place,
                inner_activation=settings.inner_activation,
                expansion_activation=settings.expansion_activation,
                depthwise_activation=settings.depthwise_activation,
            )
        return InvertedResidual(
            inputs,
            width,
            stride,
            t,
            kernel=settings.kernel,
            projection_activation=settings.projection_activation,
            projection_place=settings.projection_place,
            inner_activation=settings.inner_activation,
            expansion_activation=settings.expansion_activation,
            depthwise_activation=settings.depthwise_activation,
            shortcut=settings.residual == "bottleneck",
        )

    @property
    def shortcuts(self) -> int | None:
        """Number of shortcuts, wherever they are placed; None where an added placement decides."""
        if self.settings.residual in extend.RESIDUALS.added:
            return None
        own = sum(bool(getattr(block, "has_shortcut", False)) for block in self.blocks)
        return own + sum(self.expansions_joined)

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102
        x = self._way()(self.stem(images))  # no name keeps the stem's output alive
        x = self.head(x).mean((2, 3))
        return self.classifier(self.dropout(x))  # type: ignore[no-any-return]

    def _way(self) -> Callable[[Tensor], Tensor]:
        """How the blocks are run: one after another, or as the placement of shortcuts wants it."""
        residual = self.settings.residual
        if residual in extend.RESIDUALS.added:
            return functools.partial(extend.RESIDUALS[residual], self.blocks)
        return self._between_expansions if any(self.expansions_joined) else self._between_bottlenecks

    def _between_bottlenecks(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def _between_expansions(self, x: Tensor) -> Tensor:
        """The same blocks, but a shortcut leads from one expanded tensor to the next (Fig. 6b)."""
        previous = x
        for block, joined, join in zip(self.blocks, self.expansions_joined, self.joins, strict=True):
            wide = block.expansion(x)  # type: ignore[operator]
            previous = join(wide + previous) if joined else wide
            x = block.output(block.projection(block.depthwise(previous)))  # type: ignore[operator]
        return x


def _joinable(before: nn.Module, block: nn.Module) -> bool:
    """Whether a shortcut fits between the expansions of two blocks: where one fits around the earlier one.

    The expanded tensors then have one shape if the ratio is the same; widths that agree by chance (by
    rounding, or by another ratio) join nothing.
    """
    return (
        isinstance(before, InvertedResidual)
        and isinstance(block, InvertedResidual)
        and isinstance(before.expansion, ConvNorm)
        and isinstance(block.expansion, ConvNorm)
        and before.stride == 1
        and before.inputs == before.outputs
        and before.inner == block.inner
    )


def _added_block(
    settings: MobileNetV2Settings, inputs: int, outputs: int, stride: int, t: float
) -> nn.Module:
    """A block from outside, which is refused with a sentence where it is none."""
    name = settings.block
    try:
        made = extend.BLOCKS[name](inputs, outputs, stride, t, settings)
    except LabError:
        raise
    except Exception as error:
        raise LabError(f"the block {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise LabError(f"the block {name!r} must return a torch.nn.Module, not {made!r}")
    made.register_forward_hook(functools.partial(_check_shape, name, outputs, stride))
    return made


def _check_shape(
    name: str, outputs: int, stride: int, block: nn.Module, inputs: tuple[Tensor, ...], output: object
) -> None:
    count, _, height, width = inputs[0].shape
    wanted = [count, outputs, -(-height // stride), -(-width // stride)]
    if not isinstance(output, Tensor) or list(output.shape) != wanted:
        got = list(output.shape) if isinstance(output, Tensor) else repr(output)
        raise LabError(
            f"the block {name!r} must turn {list(inputs[0].shape)} into {wanted} (stride {stride}), not {got}"
        )
