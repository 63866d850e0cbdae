"""Toy networks for spirals, many at once: N independent networks of one shape are one batch of matrices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bottleneck_lab.activations import Activation, kind_of
from bottleneck_lab.config import ToyNetworkSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models.activations import Random, activation
from bottleneck_lab.models.block import inner_width


class BatchedLinear(nn.Module):
    """N independent linear maps: `[N, points, inputs]` to `[N, points, outputs]`.

    `weight` is `[N, inputs, outputs]`, `bias` is `[N, 1, outputs]`.
    """

    def __init__(self, networks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(networks, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(networks, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.baddbmm(self.bias, x, self.weight)


class BatchedActivation(nn.Module):
    """An activation for each of N networks, applied along the first axis of `[N, ...]`.

    Raises:
        LabError: an activation with trained parameters, which N networks would share.
    """

    def __init__(self, settings: Sequence[Activation]) -> None:
        super().__init__()
        groups = [(setting, len(list(group))) for setting, group in itertools.groupby(settings)]
        self.counts = [count for _, count in groups]
        self.functions = nn.ModuleList(activation(setting) for setting, _ in groups)
        for (setting, _), function in zip(groups, self.functions, strict=True):
            if next(function.parameters(), None) is not None:
                raise LabError(
                    f"the activation {kind_of(setting)!r} has parameters, which toy networks of one batch "
                    "cannot share"
                )

        if any(isinstance(function, Random) for function in self.functions):
            self.draw_from = self._draw_from  # it is `Random` itself, then

    def _draw_from(self, seeds: Sequence[int]) -> None:
        """Let the networks draw from these streams, one for each network."""
        rest = iter(seeds)
        for count, function in zip(self.counts, self.functions, strict=True):
            of_these = list(itertools.islice(rest, count))
            if isinstance(function, Random):
                function.draw_from(of_these)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if len(self.counts) == 1:
            return self.functions[0](x)  # type: ignore[no-any-return]
        pieces = x.split(self.counts)
        return torch.cat([f(piece) for f, piece in zip(self.functions, pieces, strict=True)])


class ToyBlocks(nn.Module):
    """The k-th inverted residual block of N networks, on vectors: expand, activate, project, add.

    `[N, points, d]` and the previous block's expanded `[N, points, td]` (or None) to the same two.
    Named as in `InvertedResidual`: `expansion`, `projection`, `output`.
    """

    def __init__(self, settings: Sequence[ToyNetworkSettings]) -> None:
        super().__init__()
        count, width = len(settings), settings[0].channels
        inner = inner_width(width, settings[0].expansion)
        self.expansion = nn.Sequential(
            BatchedLinear(count, width, inner), BatchedActivation([s.inner_activation for s in settings])
        )

        def placed(place: str) -> list[Activation]:
            return [s.projection_activation if s.projection_place == place else "linear" for s in settings]

        self.projection = nn.Sequential(
            BatchedLinear(count, inner, width), BatchedActivation(placed("before_add"))
        )
        self.output = BatchedActivation(placed("after_add"))

    def forward(
        self, x: Tensor, wide: Tensor | None, bottleneck: Tensor, expansion: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`bottleneck` and `expansion` are `[N, 1, 1]` of 0 and 1: which networks have which shortcut."""
        inner = self.expansion(x)
        if wide is not None and expansion is not None:
            inner = inner + expansion * wide
        return self.output(bottleneck * x + self.projection(inner)), inner


class ToyNetworks(nn.Module):
    """N toy networks of one shape, trained and evaluated together: `[N, points, dimensions]` to logits.

    Shape is `width`, `blocks` and `expansion`; activations and shortcuts may differ from network to network.
    The result of a network depends on its companions by rounding alone: at odd widths a matrix kernel may
    add in another order when a network's numbers lie elsewhere in memory.

    Args:
        settings: one for each network.
        dimensions: of the points.
        classes: number of logits; the output is `[N, points, classes]`.
    """

    def __init__(self, settings: Sequence[ToyNetworkSettings], dimensions: int = 2, classes: int = 3) -> None:
        super().__init__()
        count, first = len(settings), settings[0]
        if len({toy_shape(s) for s in settings}) > 1:
            raise ValueError("networks of different shapes cannot share a batch")
        self.settings = first
        self.projection_places = [s.projection_place for s in settings]
        blocks = first.blocks if first.expansion > 0 else 0  # without inner layer a block is the identity
        self.stem = BatchedLinear(count, dimensions, first.channels)
        self.blocks = nn.ModuleList(ToyBlocks(settings) for _ in range(blocks))
        self.classifier = BatchedLinear(count, first.channels, classes)
        everywhere = self._where(settings, "bottleneck")
        at_the_end = torch.tensor([float(s.shortcuts == "all") for s in settings])[:, None, None]
        self.register_buffer("bottleneck", everywhere, persistent=False)
        self.register_buffer("last_bottleneck", everywhere * at_the_end, persistent=False)
        some = any(s.residual == "expansion" for s in settings)
        mask = self._where(settings, "expansion") if some else None
        self.register_buffer("expansion", mask, persistent=False)

    @property
    def shortcuts(self) -> int:
        """Number of shortcuts in the first of the networks."""
        if self.settings.residual == "none" or not self.blocks:
            return 0
        between = self.settings.residual == "expansion" or self.settings.shortcuts == "between_expansions"
        return len(self.blocks) - between

    @staticmethod
    def _where(settings: Sequence[ToyNetworkSettings], residual: str) -> Tensor:
        return torch.tensor([float(s.residual == residual) for s in settings])[:, None, None]

    def forward(self, points: Tensor) -> Tensor:  # noqa: D102
        x, wide = self.stem(points), None
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            mask = self.last_bottleneck if index == last else self.bottleneck
            x, wide = block(x, wide, mask, self.expansion)
        return self.classifier(x)  # type: ignore[no-any-return]


def toy_shape(settings: ToyNetworkSettings) -> tuple[int, int, float]:
    """What networks must have in common to be trained as one batch."""
    return settings.channels, settings.blocks, settings.expansion
