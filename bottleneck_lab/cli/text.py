"""What the commands print: tables and verdicts for 80 columns, in colour where the terminal has it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bottleneck_lab.report import format as fmt

if TYPE_CHECKING:
    from bottleneck_lab.runs.plan import Plan

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "equivalent": "cyan", "inconclusive": "yellow"}

# Through a pipe rich assumes 80 columns; nothing here needs more.
_console = Console(highlight=False, soft_wrap=False)


def say(text: str, style: str = "") -> None:
    """Print a line, folded at the terminal's width, its rest indented as its beginning is."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    width = min(_console.width, 100)
    for line in text.splitlines():
        folded = textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
        _console.print(Text(folded, style=style), soft_wrap=True)


def notice(text: str) -> None:
    """Print what nobody may overlook."""
    _console.print()
    lines = textwrap.wrap(text, min(_console.width, 80) - 4)
    rule = "!" * min(_console.width, 80)
    _console.print(Text("\n".join([rule, *(f"! {line}" for line in lines), rule]), style="bold yellow"))


def cost_table(plan: Plan) -> None:
    """Print parameters and MAdds of every variant."""
    from bottleneck_lab.models import cost_of

    for name in plan.data.names:
        table = _table(f"{name}: variant", ("parameters", "right"), ("MAdds", "right"), ("runs", "right"))
        for variant in plan.variants:
            if variant.dataset == name:
                cost = cost_of(variant.settings)
                seeds = str(len(plan.seeds[name]))
                table.add_row(Text(variant.name), f"{cost.params:,}", f"{cost.madds:,}", seeds)
        _console.print(table)


def print_summary(summary: dict[str, Any]) -> None:
    """Print the table of variants and the verdict of every claim."""
    for dataset in summary["datasets"]:
        variants = [variant for variant in summary["variants"] if variant["dataset"] == dataset]
        axis = next(
            (
                axis
                for axis in variants[0]["levels"]
                if len(variants) > 8 and len({v["levels"][axis] for v in variants}) > 3
            ),
            None,
        )
        _console.print()
        _console.print(_pivoted(dataset, variants, axis) if axis else _listed(dataset, variants))
    _console.print()
    for claim in summary["claims"]:
        _print_claim(claim)
    say(fmt.answer(summary["claims"]))


def _listed(dataset: str, variants: list[dict[str, Any]]) -> Table:
    table = _table(
        dataset, ("parameters", "right"), ("MAdds", "right"), ("accuracy", "right"), ("95 % interval", "left")
    )
    for v in variants:
        cells = (f"{v['params']:,}", f"{v['madds']:,}", fmt.percent(v["mean"]), fmt.interval(v, sign=False))
        table.add_row(Text(v["name"]), *cells)
    table.caption = f"held-out accuracy, mean over {_seeds(variants)} seeds"
    return table


def _pivoted(dataset: str, variants: list[dict[str, Any]], axis: str) -> Table:
    """One row for each combination of the other axes, one column for each level of `axis`."""
    columns = list(dict.fromkeys(v["levels"][axis] for v in variants))
    table = _table(dataset, *((column, "right") for column in columns))
    rows: dict[str, dict[str, str]] = {}
    for v in variants:
        label = ", ".join(level for name, level in v["levels"].items() if name != axis)
        rows.setdefault(label, {})[v["levels"][axis]] = _with_half_width(v)
    for label, cells in rows.items():
        table.add_row(Text(label), *(cells.get(column, fmt.DASH) for column in columns))
    table.caption = f"held-out accuracy in %, mean over {_seeds(variants)} seeds ± half the 95 % interval"
    return table


def _with_half_width(variant: dict[str, Any]) -> str:
    if variant["mean"] is None:
        return fmt.DASH
    mean = f"{100 * variant['mean']:.1f}"
    if variant["ci_low"] is None:
        return mean
    half = max(variant["mean"] - variant["ci_low"], variant["ci_high"] - variant["mean"])
    return f"{mean}±{100 * half:.{0 if half >= 0.1 else 1}f}"


def _seeds(variants: list[dict[str, Any]]) -> str:
    counts = sorted({v["n_seeds"] for v in variants})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _print_claim(claim: dict[str, Any]) -> None:
    verdict = claim["verdict"]
    head = Text(f"{verdict:<14}", style=f"bold {VERDICT_STYLES[verdict]}")
    body = textwrap.wrap(f"{claim['statement']} ({claim['source']})", 64)
    numbers = f"{claim['dataset']}: {fmt.points(claim['estimate'])} points {fmt.interval(claim)}, "
    if claim["estimate"] is None:
        numbers = f"{claim['n_seeds']} seeds on {claim['dataset']}: too few to judge"
    elif claim["p_holm"] is None:
        numbers += f"{claim['n_seeds']} seeds"
    else:
        numbers += f"{fmt.tested(claim)}, {claim['n_seeds']} seeds{fmt.small(claim)}"
    if claim["reason"]:
        numbers += f" ({claim['reason']})"
    lines = [*body, *textwrap.wrap(numbers, 64)]
    _console.print(head + Text(("\n" + " " * 14).join(lines)))


def _table(first: str, *columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", header_style="bold")
    table.add_column(Text(first), no_wrap=len(columns) > 4, overflow="fold")
    for name, justify in columns:
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table
