"""Appendix A: the share that ReLU collapses, its bound, and the threshold of Fig. 7."""

from __future__ import annotations

import itertools
import math
from typing import cast

from bottleneck_lab.instruments.paper.networks import build
from bottleneck_lab.instruments.paper.published import published
from bottleneck_lab.instruments.paper.row import Agreement, Row, same
from bottleneck_lab.manifold.invertibility import (
    BOTTLENECK_WIDTHS,
    bounds_of_mobilenet_blocks,
    collapsed_in_theory,
)
from bottleneck_lab.manifold.positives import PAPER
from bottleneck_lab.models import InvertedResidual
from bottleneck_lab.report.sentences import numbers

APPENDIX = "Appendix A"
CAPTIONS = {APPENDIX: "the share that ReLU collapses, and Fig. 7"}


def appendix() -> list[Row]:
    """Theorem 1's share beside the sentence about it and its last bound, and Fig. 7 beside its threshold."""
    collapsed = collapsed_in_theory(2, 2)
    rows = [
        same(
            APPENDIX,
            'm = n = 2: N/2^m, called "collapsed"',
            f"{1 - collapsed:.2f}",
            f"{collapsed:.2f}",
            "By Theorem 1 itself N/2^m is the share that is kept.",
        )
    ]
    needed = {
        n: next(m for m in itertools.count(2) if (n + 1) * math.log2(m) <= m / 2) for n in BOTTLENECK_WIDTHS
    }
    reason = "The last step of the bound needs (n+1) log2 m <= m/2: " + ", ".join(
        f"m >= {needed[n]} for n = {n}" for n in (BOTTLENECK_WIDTHS[0], BOTTLENECK_WIDTHS[-1])
    )
    for bound in bounds_of_mobilenet_blocks():
        row = f"n = {bound.data_dim}, m = {bound.channels}: at most 2^(-m/2)"
        paper, ours = (numbers.power_of_two(exponent) for exponent in (bound.half, bound.collapsed))
        agrees: Agreement = "agrees" if bound.last_bound_holds else "differs"
        rows.append(Row(APPENDIX, row, paper, ours, agrees, "" if bound.last_bound_holds else f"{reason}."))
    network = build("mobilenet_v2")
    thresholds = [block.inputs for block in cast("list[InvertedResidual]", list(network.blocks))[1:]]
    below = [
        (index, layer.minimum, n)
        for index, (layer, n) in enumerate(zip(PAPER["trained"], thresholds, strict=True))
        if layer.minimum < n
    ]
    shown = ", ".join(f"{low} < {n} in layer {index}" for index, low, n in below)
    rows.append(
        same(
            APPENDIX,
            "trained layers below the threshold",
            published()["text"]["layers_below_threshold"],
            str(len(below)),
            f"By the minimum that Fig. 7b draws: {shown}.",
        )
    )
    return rows
