"""Two results folders side by side: what is set differently, and which numbers differ beyond noise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bottleneck_lab.report.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Content,
    Section,
    Strong,
    Table,
    Text,
)
from bottleneck_lab.report.findings.comparison import ClaimPair, Compared, Comparison, SideBySide
from bottleneck_lab.report.sentences import assignments, numbers


def comparison_of(found: SideBySide, a: str, b: str) -> Content:
    """The document of a comparison.

    Args:
        found: what was compared.
        a: what the first folder is called.
        b: the second.
    """
    only = [
        (f"only in {who}: {', '.join(names)}",)
        for who, names in (("A", found.only_in_a), ("B", found.only_in_b))
        if names
    ]
    sections = [
        section
        for place, one in enumerate(found.comparisons)
        for section in (
            Section(f"compared-{place + 1}", one.name, tuple(_numbers(one, place + 1))),
            Section(f"set-{place + 1}", f"{one.name}: settings", tuple(_differing(one)), folded=True),
        )
    ]
    explained = Section("explained", "How they were compared", (Text((_EXPLAINED,)),))
    return Content(
        name="compare",
        tier=f"{a} | {b}",
        question="Do two results differ beyond noise?",
        answer=(
            Text((Strong(_concluded(found)),)),
            Bullets(((f"A: {a}",), (f"B: {b}",), *only)),
        ),
        sections=(*sections, explained),
    )


_EXPLAINED = (
    "Compared were mean held-out accuracies of the last epoch, in % and points, and what was measured of "
    "the trained networks: in pairs where settings and seeds are the same, else by Welch's test. The 95 "
    "% intervals are each for itself and say how large a difference may still be there; those of claims are "
    "of the level at which they were judged. Fewer than three seeds are not tested."
)


def _differing(one: Comparison) -> Iterator[Block]:
    lines = list(_settings(one))
    said = "what differs in the settings (A | B):"
    yield Text((said if lines else "settings, seeds, data and versions are the same",))
    if lines:
        yield Bullets(tuple((line,) for line in lines))


def _numbers(one: Comparison, place: int) -> Iterator[Block]:
    yield from _tables((*one.accuracies, *one.measures), f"compared-{place}")
    if one.claims:
        yield Text(("claims (A | B):",))
        yield Bullets(tuple(_claim(claim) for claim in one.claims))


def _settings(one: Comparison) -> Iterator[str]:
    for who, names in (("A", one.only_in_a), ("B", one.only_in_b)):
        if names:
            yield f"variants only in {who}: {'; '.join(names)}"
    if one.overrides is not None:
        yield "--set: " + _beside(*(assignments.changed(each) or "nothing" for each in one.overrides))
    for key, pair in one.shared.items():
        yield f"all variants, {key}: {_beside(*map(_shown, pair))}"
    for variant, settings in one.settings.items():
        for key, pair in settings.items():
            yield f"{variant}, {key}: {_beside(*map(_shown, pair))}"
    every = set(one.seeds.values())
    if len(every) == 1 and len(one.seeds) == len(one.accuracies):
        yield f"all variants, seeds: {_beside(*map(numbers.seeds, every.pop()))}"
    else:
        for variant, seeds in one.seeds.items():
            yield f"{variant}, seeds: {_beside(*map(numbers.seeds, seeds))}"
    for key, values in one.environment.items():
        yield f"{key}: {_beside(*map(_listed, values))}"
    for key, values in one.checksums.items():
        yield f"md5 or SHA-256 of {key}: {_beside(*map(_listed, values))}"
    if any(one.strays):
        yield f"files left out as damaged or foreign: {_beside(*map(str, one.strays))}"


def _beside(a: str, b: str) -> str:
    return f"{a} | {b}"


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values) or "none"


def _tables(rows: Iterable[Compared], table_id: str) -> Iterator[Block]:
    """A table for every data set and measure."""
    groups: dict[str, list[Compared]] = {}
    for row in rows:
        of = "" if row.measure == "accuracy" else f", {row.measure}"
        groups.setdefault(f"{row.dataset}{of}", []).append(row)
    names = ("A", "B", "B - A", "95 % interval", "p", "seeds")
    for place, (title, group) in enumerate(groups.items()):
        columns = (Column(title), *(Column(name, True) for name in names))
        yield Table(f"{table_id}-{place + 1}", title, columns, tuple(map(_row, group)))
        identical, pairs = sum(row.n_identical for row in group), sum(row.n_pairs for row in group)
        if group[0].measure != "accuracy":
            share = " (% and points)" if group[0].share else ""
            yield Text((f"{group[0].measure}: {group[0].label}{share}",))
        elif pairs:
            yield Text(
                (
                    f"{identical} of {pairs} pairs of runs are identical to the bit: the same accuracy, "
                    "right about the same examples",
                )
            )


def _row(row: Compared) -> tuple[Cell, ...]:
    pairs = f"{row.n_pairs} pairs" if row.method == "paired" else f"{row.n_seeds[0]}, {row.n_seeds[1]}"
    return (
        Cell(row.variant),
        *(Cell(numbers.measured(mean, None, None, row.share), mean) for mean in row.means),
        Cell(numbers.amount(row.difference, row.share), row.difference),
        Cell(numbers.interval(row.low, row.high, row.share)),
        Cell(numbers.p_value(row.p_holm), row.p_holm, row.differs),
        Cell(pairs),
    )


def _claim(claim: ClaimPair) -> tuple[str | Strong, ...]:
    sides = []
    for estimate, (low, high), verdict in zip(claim.estimates, claim.intervals, claim.verdicts, strict=True):
        size = numbers.with_unit(estimate, claim.share)
        sides.append(f"{verdict} {size} {numbers.interval(low, high, claim.share)}")
    said = f"{claim.id} on {claim.dataset}: {_beside(*sides)}"
    return (Strong(f"VERDICT CHANGED: {said}"),) if claim.changed else (said,)


def _concluded(found: SideBySide) -> str:
    rows = [row for one in found.comparisons for row in (*one.accuracies, *one.measures)]
    tested = [row for row in rows if row.p_holm is not None]
    claims: Sequence[ClaimPair] = [claim for one in found.comparisons for claim in one.claims]
    return (
        f"{sum(row.differs for row in tested)} of {len(tested)} accuracies and measures that could be tested "
        f"differ beyond noise (*; p after Holm's correction over these {len(tested)}, at 5 %); "
        f"{sum(claim.changed for claim in claims)} of {len(claims)} verdicts changed."
    )
