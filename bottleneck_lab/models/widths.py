"""How wide the layers of a MobileNetV2 are: the multiplier's rounding, and widths for an equal cost."""

from __future__ import annotations

import functools

from bottleneck_lab.config import MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models.block import inner_width

NARROWEST, WIDEST = 1 / 64, 64.0  # factors that a match is sought between
FARTHEST = 0.05  # share of the cost that a match may miss
STEPS = 1000  # factors tried around the best one, since widths are whole numbers


def make_divisible(width: float, divisor: int = 8) -> int:
    """Round a width to a multiple of `divisor`, never down by more than 10 % (the official code's rule)."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


def stem_width(settings: MobileNetV2Settings) -> int:
    """Channels of the first convolution."""
    return make_divisible(settings.stem_width * settings.width_multiplier, settings.channel_multiple)


def head_width(settings: MobileNetV2Settings) -> int:
    """Channels of the last convolution, which no multiplier makes narrower (Sec. 4)."""
    return make_divisible(settings.head_width * max(1.0, settings.width_multiplier), 8)


@functools.lru_cache(maxsize=1024)
def bottleneck_widths(settings: MobileNetV2Settings) -> tuple[int, ...]:
    """Bottleneck channels of every stage.

    With `madds_of_expansion` they are scaled by the one factor, and then rounded to whole channels, that
    brings the cost of the convolutions closest to that of the network with that expansion and its own widths.

    Raises:
        LabError: no widths come close.
    """
    if settings.madds_of_expansion is None:
        return tuple(
            make_divisible(stage.c * settings.width_multiplier, settings.channel_multiple)
            for stage in settings.stages
        )
    changes = {"expansion": settings.madds_of_expansion, "madds_of_expansion": None}
    reference = settings.model_copy(update=changes)
    target = relative_madds(reference, bottleneck_widths(reference))
    low, high = NARROWEST, WIDEST
    for _ in range(40):  # the cost grows with the factor
        middle = (low * high) ** 0.5
        below = relative_madds(settings, _scaled(settings, middle)) < target
        low, high = (middle, high) if below else (low, middle)
    candidates = (_scaled(settings, low * (0.95 + 0.1 * step / STEPS)) for step in range(STEPS + 1))
    best = min(candidates, key=lambda widths: abs(relative_madds(settings, widths) - target))
    if abs(relative_madds(settings, best) - target) > FARTHEST * target:
        raise LabError(
            f"with expansion {settings.expansion:g} no bottleneck widths cost as much as with "
            f"{settings.madds_of_expansion:g}: choose ratios that are closer"
        )
    return best


def _scaled(settings: MobileNetV2Settings, factor: float) -> tuple[int, ...]:
    return tuple(max(1, round(stage.c * settings.width_multiplier * factor)) for stage in settings.stages)


def relative_madds(settings: MobileNetV2Settings, widths: tuple[int, ...]) -> float:
    """Multiply-accumulates of blocks and head, per pixel of the image, with these bottleneck widths.

    A block costs h w (d' n + k^2 n / s^2 + n d'' / s^2) with n = t d' inner channels (Sec. 3.3); that strides
    round image sizes up is left out.
    """
    area = 1 / settings.stem_stride**2
    inputs, total = stem_width(settings), 0.0
    for stage, outputs in zip(settings.stages, widths, strict=True):
        t = settings.expansion if stage.t is None else stage.t
        for repeat in range(stage.n):
            stride = stage.s if repeat == 0 else 1
            smaller = area / stride**2
            inner = inner_width(inputs, t)
            if inner:
                expansion = inputs * inner if t != 1 else 0
                total += area * expansion + smaller * inner * (settings.kernel**2 + outputs)
            elif stride > 1 or inputs != outputs:
                total += smaller * inputs * outputs
            inputs, area = outputs, smaller
    return total + area * inputs * head_width(settings)
