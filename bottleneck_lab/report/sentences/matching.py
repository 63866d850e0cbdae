"""Whether variants that are compared cost the same, in words."""

from __future__ import annotations

from collections.abc import Sequence

from bottleneck_lab.records.results.summary import VariantFinding

# What variants must have in common to be matched, and how it is called.
MATCHED = {
    "params": "parameters",
    "madds": "MAdds",
    "shortcuts": "shortcuts",
    "depthwise": "depthwise convolutions",
}


def matching(variants: Sequence[VariantFinding], facet: str | None) -> str:
    """Whether variants that are compared (with a facet, those of equal level) cost the same."""
    known = [key for key in MATCHED if any(getattr(variant, key) is not None for variant in variants)]
    levels: dict[str, list[VariantFinding]] = {}
    for variant in variants:
        levels.setdefault(variant.levels[facet] if facet else "", []).append(variant)
    differ = [key for key in known if any(differing(group, key) for group in levels.values())]
    equal = [key for key in known if key not in differ]
    who = f"Variants of equal {facet}" if facet else "All variants"
    if not differ:
        return f"{who} have equal {_listed(equal)}."
    which = f"variants of equal {facet}" if facet else "variants"
    rest = f"; they have equal {_listed(equal)}" if equal else ""
    return f"The {which} are NOT matched: they differ in {_listed(differ)}, as the table shows{rest}."


def differing(variants: Sequence[VariantFinding], key: str) -> bool:
    """Whether variants differ in a quantity."""
    return len({getattr(variant, key) for variant in variants}) > 1


def _listed(keys: Sequence[str]) -> str:
    names = [MATCHED[key] for key in keys]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
