"""What the commands print: tables and verdicts for 80 columns, in colour where the terminal has it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bottleneck_lab.report.sentences import matching, numbers, verdicts

if TYPE_CHECKING:
    from bottleneck_lab.report.reading.lenient import Stray
    from bottleneck_lab.runs.plan import Plan

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "equivalent": "cyan", "inconclusive": "yellow"}

# Through a pipe rich assumes 80 columns; nothing here needs more.
_NARROWEST = 20
_console = Console(highlight=False, soft_wrap=False)


def _width() -> int:
    """Columns of the terminal; 80 where there is none, or one that is too narrow for a word."""
    return _console.width if _console.width >= _NARROWEST else 80


def say(text: str, style: str = "") -> None:
    """Print a line, folded at the terminal's width, its rest indented as its beginning is."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    width = min(_width(), 100)
    for line in text.splitlines():
        folded = textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
        _console.print(Text(folded, style=style), soft_wrap=True)


def notice(text: str) -> None:
    """Print what nobody may overlook."""
    _console.print()
    lines = textwrap.wrap(text, min(_width(), 80) - 4)
    rule = "!" * min(_width(), 80)
    _console.print(Text("\n".join([rule, *(f"! {line}" for line in lines), rule]), style="bold yellow"))


def left_out(strays: Sequence[Stray], other_plans: int) -> None:
    """Say, in a few lines, which files of a results folder count nowhere; nothing where all do."""
    for stray in strays[:_MOST_STRAYS]:
        say(f"  left out: {stray.file}: {stray.why}")
    if len(strays) > _MOST_STRAYS:
        say(f"  and {len(strays) - _MOST_STRAYS} more that are damaged or foreign; summary.json names them")
    if other_plans:
        say(f"  {other_plans} runs of other plans")


_MOST_STRAYS = 5


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
        axis = _across(variants)
        tables = _pivoted(dataset, variants, axis) if axis else _listed(dataset, variants)
        for table, note in tables:
            _console.print()
            _console.print(table)
            say(note, style="italic")
    _console.print()
    for claim in summary["claims"]:
        _print_claim(claim)
    changing = not all(entry["complete"] for entry in (*summary["variants"], *summary["claims"]))
    for found in summary.get("predictions", ()):
        _print_predictions(found)
    say(f"{verdicts.answer(summary['claims'])}{'*' if changing else ''}")
    if changing:
        say("* may change: runs are missing.", style="bold yellow")
    for promise in verdicts.promises(summary):
        say(promise)
    if any(claim["examples_low"] is not None for claim in summary["claims"]):
        say(
            "The first interval generalises over repetitions of training on this data, the one over examples "
            "over held-out examples for these very networks. Verdicts rest on the first."
        )


def _print_predictions(found: dict[str, Any]) -> None:
    """A line for each hypothesis: whether its predictions exclude it, and how well they order the arms."""
    for hypothesis in found["hypotheses"]:
        line = f"{hypothesis['name'].replace('_', ' ')} ({found['dataset']}): {hypothesis['verdict']}"
        if hypothesis["excluded_by"]:
            line += f" by {', '.join(hypothesis['excluded_by'])}"
        if rank := hypothesis["rank"]:
            ends = numbers.ends(rank["low"], rank["high"], 2)
            line += f"; rank correlation {rank['estimate']:.2f} {ends} over {rank['arms']} arms"
        say(line)
    _console.print()


def _across(variants: list[dict[str, Any]]) -> str | None:
    """The axis whose levels become columns, where there are many variants; None to list them."""
    if len(variants) <= _MOST_LISTED:
        return None
    levels = {axis: len({v["levels"][axis] for v in variants}) for axis in variants[0]["levels"]}
    return next((axis for axis, count in levels.items() if 3 < count <= _MOST_COLUMNS), None)


Noted = tuple[Table, str]  # and what to print below
_MOST_LISTED = 8
_MOST_COLUMNS = 7  # of `72.6±9.5` beside a name


def _listed(dataset: str, variants: list[dict[str, Any]]) -> list[Noted]:
    """A row for each variant; what is equal for all stands below instead of in a column."""
    costs = [key for key in matching.MATCHED if matching.differing(variants, key)]
    paper = any(v["paper_top1"] is not None for v in variants)
    together = len(costs) + paper > 2  # accuracy and interval in one column, else 80 are too few
    columns = [(_COST_COLUMNS[key], "right") for key in costs]
    columns += [("accuracy", "right")] if together else [("accuracy", "right"), ("95 % interval", "left")]
    columns += [(f"paper\n({variants[0]['paper_data']})", "right")] if paper else []
    table = _table(dataset, *columns)
    for v in variants:
        cells = [numbers.DASH if v[key] is None else f"{v[key]:,}" for key in costs]
        mean, ends = numbers.percent(v["mean"]), numbers.interval(v, sign=False)
        cells += [_half_width(v, v)] if together else [mean + _mark(v), ends + _mark(v)]
        cells += [numbers.top1(v)] if paper else []
        table.add_row(Text(v["name"]), *cells)
    unit = " in %, ± half the 95 % interval" if together else ""
    note = f"held-out accuracy{unit}, mean over {_seeds(variants)}"
    if equal := [
        f"{variants[0][key]:,} {matching.MATCHED[key]}" for key in ("params", "madds") if key not in costs
    ]:
        note += f"; each has {' and '.join(equal)}"
    return [(table, note), *_measured(variants)]


_COST_COLUMNS = {
    "params": "parameters",
    "madds": "MAdds",
    "shortcuts": "shortcuts",
    "depthwise": "depthwise",
}


def _measured(variants: list[dict[str, Any]]) -> list[Noted]:
    """Measures, a column each, where they find room."""
    measures = variants[0]["measures"]
    if not measures or sum(max(len(name), 8) + 1 for name in measures) > 64:
        return []
    table = _table("measures", *((name, "right") for name in measures))
    for v in variants:
        table.add_row(Text(v["name"]), *(_half_width(v["measures"][name], v) for name in measures))
    labels = (f"{name}: {of['label']}{' (%)' if of['share'] else ''}" for name, of in measures.items())
    return [(table, "\n".join(labels))]


def _pivoted(dataset: str, variants: list[dict[str, Any]], axis: str) -> list[Noted]:
    """One row for each combination of the other axes, one column for each level of `axis`."""
    ours = _grid(dataset, variants, axis, lambda v: _half_width(v, v))
    note = f"held-out accuracy in %, mean over {_seeds(variants)} ± half the 95 % interval"
    if all(v["paper_top1"] is None for v in variants):
        return [(ours, note)]
    paper = _grid("paper", variants, axis, numbers.top1)
    return [(ours, note), (paper, f"{variants[0]['paper_data']}: top-1 accuracy that the paper reports")]


def _grid(
    title: str, variants: list[dict[str, Any]], axis: str, show: Callable[[dict[str, Any]], str]
) -> Table:
    columns = list(dict.fromkeys(v["levels"][axis] for v in variants))
    table = _table(title, *((column, "right") for column in columns))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for v in variants:
        others = tuple(level for name, level in v["levels"].items() if name != axis)
        rows.setdefault(others, {})[v["levels"][axis]] = show(v)
    for others, cells in rows.items():
        table.add_row(Text(", ".join(others)), *(cells.get(column, numbers.DASH) for column in columns))
    return table


def _mark(entry: dict[str, Any]) -> str:
    """The star of what may change, as in the report."""
    return "" if entry["complete"] else "*"


def _half_width(row: dict[str, Any], variant: dict[str, Any]) -> str:
    return numbers.half_width(row) + _mark(variant)


def _seeds(variants: list[dict[str, Any]]) -> str:
    counts = sorted({v["n_seeds"] for v in variants})
    if counts == [1]:
        return "1 seed"
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _print_claim(claim: dict[str, Any]) -> None:
    verdict = claim["verdict"]
    head = Text(f"{verdict + _mark(claim):<14}", style=f"bold {VERDICT_STYLES[verdict]}")
    body = textwrap.wrap(f"{claim['statement']} ({claim['source']})", 64)
    of = "" if claim["measure"] == "accuracy" else f"{claim['label']} "
    still = "" if claim["estimate_complete"] else "*"
    said = f"{claim['dataset']}: {of}{verdicts.estimate(claim)}{still} {numbers.interval(claim)}{still}, "
    if verdicts.level(claim) != "95 %":
        said = said.removesuffix(", ") + f" ({verdicts.level(claim)}), "
    if claim["estimate"] is None:
        said = f"{claim['n_seeds']} seeds on {claim['dataset']}: too few to judge"
    elif claim["p_holm"] is None:
        said += f"{claim['n_seeds']} seeds"
    else:
        said += f"{verdicts.tested(claim)}{_mark(claim)}, {claim['n_seeds']} seeds{verdicts.decided(claim)}"
        said += verdicts.small(claim)
    if claim["reason"]:
        said += f" ({claim['reason']})"
    if claim["examples_low"] is not None:
        said += f"; over examples {verdicts.over_examples(claim)}{still}"
    if claim["paper"] is not None:
        said += f"; paper: {verdicts.in_paper(claim)}"
    if more := verdicts.to_decide(claim):
        said += f"; to decide it: {more}"
    if claim.get("far_from_normal"):
        said += "; CAUTION: far from normal over seeds, which Student's interval takes it for"
    lines = [*body, *textwrap.wrap(said, 64)]
    _console.print(head + Text(("\n" + " " * 14).join(lines)))


def _table(first: str, *columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for name, justify in columns:
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table
