"""Which variant another is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.records.results.summary import VariantFinding

V = TypeVar("V", PlannedVariant, VariantFinding)


def reference_of(variant: V, variants: Sequence[V], contrasts: Iterable[Mapping[str, float]]) -> V:
    """The variant that another is compared with: in all else equal, where there is one.

    Claims about two variants that differ on one axis say which axis is in question, and which of its levels
    is the better one if they are right. Where no claim does, it is the variant that most claims begin with,
    or else the first.
    """
    by_name = {each.name: each for each in variants}
    found: Counter[tuple[str, str]] = Counter()
    first: Counter[str] = Counter()
    for contrast in contrasts:
        ahead = [name for name, weight in contrast.items() if weight == 1]
        behind = [name for name, weight in contrast.items() if weight == -1]
        first.update(ahead)
        if len(contrast) == 2 and len(ahead) == len(behind) == 1:
            better, worse = by_name[ahead[0]].levels, by_name[behind[0]].levels
            axes = [axis for axis in better if better[axis] != worse[axis]]
            if len(axes) == 1:
                found[axes[0], better[axes[0]]] += 1
    if found:
        axis, level = found.most_common(1)[0][0]
        levels = {**variant.levels, axis: level}
        for each in variants:
            if each.levels == levels:
                return each
    return by_name[first.most_common(1)[0][0]] if first else variants[0]
