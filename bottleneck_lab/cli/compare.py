"""`compare`: two results folders side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bottleneck_lab.report.findings.comparison import ClaimPair, Compared, Comparison, SideBySide


def compare(
    a: Annotated[Path, typer.Argument(help="A results folder: results/NAME/TIER, or one above several.")],
    b: Annotated[Path, typer.Argument(help="Another one: of another machine, version or colleague.")],
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON and nothing else.")] = False,
) -> None:
    """Say what is set differently in two results folders, and which numbers differ beyond noise.

    Accuracies are compared over seeds: in pairs where settings and seeds are the same, else by Welch's test;
    with 95 % intervals, and Holm's correction over all comparisons at 5 %. Exit codes: 0 whether or not they
    differ, 2 for folders that cannot be compared.
    """
    from bottleneck_lab.report.findings.comparison import compare as compare_folders

    found = compare_folders(a, b)
    if json_:
        print(json.dumps(asdict(found), allow_nan=False))
        return
    _print(found, a, b)


def _print(found: SideBySide, a: Path, b: Path) -> None:
    from bottleneck_lab.cli.text import say

    say(f"A: {a}")
    say(f"B: {b}")
    for who, names in (("A", found.only_in_a), ("B", found.only_in_b)):
        if names:
            say(f"only in {who}: {', '.join(names)}")
    for one in found.comparisons:
        print()
        say(one.name, style="bold")
        _print_settings(one)
        _print_rows(one.accuracies)
        _print_rows(one.measures)
        _print_claims(one.claims)
    print()
    _conclude(found)


def _print_settings(one: Comparison) -> None:
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.report.sentences import assignments, numbers

    lines = [f"variants only in A: {'; '.join(one.only_in_a)}"] if one.only_in_a else []
    lines += [f"variants only in B: {'; '.join(one.only_in_b)}"] if one.only_in_b else []
    if one.overrides is not None:
        lines.append("--set: " + _beside(*(assignments.changed(each) or "nothing" for each in one.overrides)))
    lines += [f"all variants, {key}: {_beside(*map(_shown, pair))}" for key, pair in one.shared.items()]
    for variant, settings in one.settings.items():
        lines += [f"{variant}, {key}: {_beside(*map(_shown, pair))}" for key, pair in settings.items()]
    every = set(one.seeds.values())
    if len(every) == 1 and len(one.seeds) == len(one.accuracies):
        lines.append(f"all variants, seeds: {_beside(*map(numbers.seeds, every.pop()))}")
    else:
        lines += [
            f"{variant}, seeds: {_beside(*map(numbers.seeds, pair))}" for variant, pair in one.seeds.items()
        ]
    lines += [f"{key}: {_beside(*map(_listed, pair))}" for key, pair in one.environment.items()]
    lines += [f"md5 or SHA-256 of {key}: {_beside(*map(_listed, p))}" for key, p in one.checksums.items()]
    if any(one.strays):
        lines.append(f"files left out as damaged or foreign: {_beside(*map(str, one.strays))}")
    say(
        "what differs in the settings (A | B):"
        if lines
        else "settings, seeds, data and versions are the same"
    )
    for line in lines:
        say(f"  {line}")


def _beside(a: str, b: str) -> str:
    return f"{a} | {b}"


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values) or "none"


def _print_rows(rows: Iterable[Compared]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.report.sentences import numbers

    tables: dict[str, list[Compared]] = {}
    for row in rows:
        of = "" if row.measure == "accuracy" else f", {row.measure}"
        tables.setdefault(f"{row.dataset}{of}", []).append(row)
    for title, group in tables.items():
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column(Text(title), overflow="fold")
        for name in ("A", "B", "B - A", "95 % interval", "p", "seeds"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in group:
            ends = {"ci_low": row.low, "ci_high": row.high, "share": row.share}
            pairs = (
                f"{row.n_pairs} pairs" if row.method == "paired" else f"{row.n_seeds[0]}, {row.n_seeds[1]}"
            )
            table.add_row(
                Text(row.variant),
                *(numbers.measured({"mean": m, "share": row.share, "ci_low": None}) for m in row.means),
                numbers.amount(row.difference, row.share),
                numbers.interval(ends),
                numbers.p_value(row.p_holm) + ("*" if row.differs else ""),
                pairs,
                style="bold" if row.differs else "",
            )
        print()
        Console(highlight=False).print(table)
        identical, pairs_of = sum(row.n_identical for row in group), sum(row.n_pairs for row in group)
        if group[0].measure != "accuracy":
            say(f"{group[0].measure}: {group[0].label}{' (% and points)' if group[0].share else ''}")
        elif pairs_of:
            say(
                f"{identical} of {pairs_of} pairs of runs are identical to the bit: the same accuracy, right "
                "about the same examples"
            )


def _print_claims(claims: Iterable[ClaimPair]) -> None:
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.report.sentences import numbers, verdicts

    shown = list(claims)
    if not shown:
        return
    print()
    say("claims (A | B):")
    for claim in shown:
        sides = []
        for estimate, (low, high), verdict in zip(
            claim.estimates, claim.intervals, claim.verdicts, strict=True
        ):
            row = {"estimate": estimate, "ci_low": low, "ci_high": high, "share": claim.share}
            sides.append(f"{verdict} {verdicts.estimate(row)} {numbers.interval(row)}")
        changed = "VERDICT CHANGED: " if claim.changed else ""
        say(f"  {changed}{claim.id} on {claim.dataset}: {_beside(*sides)}", style="bold" if changed else "")


def _conclude(found: SideBySide) -> None:
    from bottleneck_lab.cli.text import say

    rows = [row for one in found.comparisons for row in (*one.accuracies, *one.measures)]
    tested = [row for row in rows if row.p_holm is not None]
    claims = [claim for one in found.comparisons for claim in one.claims]
    differing = sum(row.differs for row in tested)
    say(
        f"{differing} of {len(tested)} accuracies and measures that could be tested differ beyond noise (*; "
        f"p after Holm's correction over these {len(tested)}, at 5 %); {sum(c.changed for c in claims)} of "
        f"{len(claims)} verdicts changed.",
        style="bold",
    )
    say(
        "Compared were mean held-out accuracies of the last epoch, in % and points, and what was measured of "
        "the trained networks: in pairs where settings and seeds are the same, else by Welch's test. The 95 "
        "% intervals are each for itself and say how "
        "large a difference may still be there. Fewer than three seeds are not tested."
    )
