"""What the commands print: tables and verdicts, in colour where the terminal has it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bottleneck_lab.report.sentences import matching, numbers, verdicts

if TYPE_CHECKING:
    from bottleneck_lab.records.lenient import Stray
    from bottleneck_lab.records.results.summary import (
        ClaimFinding,
        PredictionsFinding,
        Summary,
        VariantFinding,
    )
    from bottleneck_lab.report.document import Block, Forest, Span
    from bottleneck_lab.runs.plan import Plan

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "equivalent": "cyan", "inconclusive": "yellow"}

# Through a pipe rich assumes 80 columns; nothing here needs more.
_NARROWEST = 20
_console = Console(highlight=False, soft_wrap=False)


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none, or one that is too narrow for a word."""
    return _console.width if _console.width >= _NARROWEST else 80


def say(text: str, style: str = "") -> None:
    """Print a line, folded at the terminal's width, its rest indented as its beginning is."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    width = min(terminal_width(), 100)
    for line in text.splitlines():
        folded = textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)
        _console.print(Text(folded, style=style), soft_wrap=True)


def notice(text: str) -> None:
    """Print what nobody may overlook."""
    _console.print()
    lines = textwrap.wrap(text, min(terminal_width(), 80) - 4)
    rule = "!" * min(terminal_width(), 80)
    _console.print(Text("\n".join([rule, *(f"! {line}" for line in lines), rule]), style="bold yellow"))


def print_blocks(blocks: Iterable[Block]) -> None:
    """Print what stands in a document: texts, lists and tables."""
    from bottleneck_lab.report import document

    for block in blocks:
        if isinstance(block, document.Text):
            strong = any(isinstance(span, document.Strong) for span in block.spans)
            say(_plain(block.spans), style="bold" if strong else "")
        elif isinstance(block, document.Note):
            notice(f"{block.word}: {block.text}")
        elif isinstance(block, document.Bullets):
            for item in block.items:
                strong = any(isinstance(span, document.Strong) for span in item)
                say(f"  {_plain(item)}", style="bold" if strong else "")
        elif isinstance(block, document.Table):
            first, *others = block.columns
            table = _table(first.name, *((each.name, "right" if each.number else "left") for each in others))
            for row in block.rows:
                table.add_row(*(Text(f"{cell.verdict or ''}{cell.text}{'*' * cell.open}") for cell in row))
            _console.print()
            _console.print(table)


def _plain(spans: Iterable[Span]) -> str:
    return "".join(span if isinstance(span, str) else span.text for span in spans)


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


def print_details(summary: Summary) -> None:
    """Print the tables of variants, what hypotheses predicted, and what verdicts rest on."""
    for dataset in summary.datasets:
        variants = summary.on(dataset)
        axis = _across(variants)
        tables = _pivoted(dataset, variants, axis) if axis else _listed(dataset, variants)
        for table, note in tables:
            _console.print()
            _console.print(table)
            say(note, style="italic")
    _console.print()
    for found in summary.predictions:
        _print_predictions(found)
    for promise in verdicts.promises(summary):
        say(promise)
    if any(claim.examples_low is not None for claim in summary.claims):
        say(
            "The interval on the axis generalises over repetitions of training on this data, the one over "
            "examples over held-out examples for these very networks. Verdicts rest on the first."
        )


def print_answer(summary: Summary, marked: Collection[str] = ()) -> None:
    """Print every claim on an axis, and how they came out: the end, since what is above scrolls away.

    Args:
        summary: of a results folder.
        marked: ids of the claims that its experiment file calls its headline.
    """
    from bottleneck_lab.report.findings.judged import with_intervals_as_judged
    from bottleneck_lab.report.sections.forest import forests

    summary = replace(summary, claims=with_intervals_as_judged(summary.claims))
    claims = summary.claims
    by_name = {(claim.dataset, claim.id): claim for claim in claims}
    for forest in forests(summary):
        _print_forest(forest, [by_name[forest.dataset, bar.name] for bar in forest.bars])
    _console.print()
    is_final = all(each.complete for each in summary.variants) and all(each.complete for each in claims)
    say(f"{verdicts.answer(claims)}{'' if is_final else '*'}")
    if not is_final:
        say("* may change: runs are missing.", style="bold yellow")
    for dataset in summary.datasets:
        if here := summary.claims_on(dataset):
            say(f"{dataset}: {verdicts.held(here)}.", style="bold")
            for claim in verdicts.foremost(here, marked):
                say(f"  {verdicts.found(claim)}")


def _print_forest(forest: Forest, claims: Sequence[ClaimFinding]) -> None:
    """Every claim: its verdict and statement, its place on the axis, and its numbers."""
    from bottleneck_lab.report.writers.characters import axis_line, bar_line, legend

    indent = 14 if terminal_width() >= 70 else 2
    numbers = max(27, *(len(bar.found) for bar in forest.bars))
    drawn = max(12, min(terminal_width(), 80) - indent - numbers - 1)
    _console.print()
    say(f"{forest.title}, in {forest.unit} ({legend(forest)})", style="italic")
    _console.print(Text(" " * indent + axis_line(forest, drawn).rstrip()), soft_wrap=True)
    for bar, claim in zip(forest.bars, claims, strict=True):
        head = Text(f"{bar.verdict + '*' * bar.open:<14}", style=f"bold {VERDICT_STYLES[bar.verdict]}")
        plot = f"{bar_line(bar, forest, drawn)} {bar.found}"
        lines = [
            *textwrap.wrap(f"{bar.statement} ({claim.source})", min(terminal_width(), 80) - indent),
            plot,
            *textwrap.wrap(_in_numbers(claim), min(terminal_width(), 80) - indent),
        ]
        begin = head if indent == 14 else head + Text("\n  ")
        _console.print(begin + Text(("\n" + " " * indent).join(lines)), soft_wrap=True)


def _in_numbers(claim: ClaimFinding) -> str:
    """What there is to say of a claim besides its place on the axis."""
    seeds = "1 seed" if claim.n_seeds == 1 else f"{claim.n_seeds} seeds"
    if claim.estimate is None:
        said = f"{seeds}: too few to judge"
    elif claim.p_holm is None:
        said = seeds
    else:
        said = f"{verdicts.tested(claim)}{_mark(claim)}, {seeds}{verdicts.decided(claim)}"
        said += verdicts.small(claim)
    if claim.reason:
        said += f" ({claim.reason})"
    if claim.examples_low is not None:
        said += f"; over examples {verdicts.over_examples(claim)}"
    if claim.paper is not None:
        said += f"; paper: {verdicts.in_paper(claim)}"
    if more := verdicts.to_decide(claim):
        said += f"; to decide it: {more}"
    if claim.far_from_normal:
        said += "; CAUTION: far from normal over seeds, which Student's interval takes it for"
    return said


def _print_predictions(found: PredictionsFinding) -> None:
    """A line for each hypothesis: whether its predictions exclude it, and how well they order the arms."""
    for hypothesis in found.hypotheses:
        line = f"{hypothesis.name.replace('_', ' ')} ({found.dataset}): {hypothesis.verdict}"
        if hypothesis.excluded_by:
            line += f" by {', '.join(hypothesis.excluded_by)}"
        if rank := hypothesis.rank:
            ends = numbers.ends(rank.low, rank.high, 2)
            line += f"; rank correlation {rank.estimate:.2f} {ends} over {rank.arms} arms"
        say(line)
    _console.print()


def _across(variants: list[VariantFinding]) -> str | None:
    """The axis whose levels become columns, where there are many variants; None to list them."""
    if len(variants) <= _MOST_LISTED:
        return None
    levels = {axis: len({v.levels[axis] for v in variants}) for axis in variants[0].levels}
    return next((axis for axis, count in levels.items() if 3 < count <= _MOST_COLUMNS), None)


Noted = tuple[Table, str]  # and what to print below
_MOST_LISTED = 8
_MOST_COLUMNS = 7  # of `72.6±9.5` beside a name


def _listed(dataset: str, variants: list[VariantFinding]) -> list[Noted]:
    """A row for each variant; what is equal for all stands below instead of in a column."""
    costs = [key for key in matching.MATCHED if matching.differing(variants, key)]
    paper = any(v.paper_top1 is not None for v in variants)
    together = len(costs) + paper > 2  # accuracy and interval in one column, else 80 are too few
    columns = [(_COST_COLUMNS[key], "right") for key in costs]
    columns += [("accuracy", "right")] if together else [("accuracy", "right"), ("95 % interval", "left")]
    columns += [(f"paper\n({variants[0].paper_data})", "right")] if paper else []
    table = _table(dataset, *columns)
    for v in variants:
        cells = [numbers.DASH if getattr(v, key) is None else f"{getattr(v, key):,}" for key in costs]
        mean, ends = numbers.percent(v.mean), numbers.interval(v.ci_low, v.ci_high, sign=False)
        cells += [_half_width(v)] if together else [mean + _mark(v), ends + _mark(v)]
        cells += [numbers.top1(v.paper_top1)] if paper else []
        table.add_row(Text(v.name), *cells)
    unit = " in %, ± half the 95 % interval" if together else ""
    note = f"held-out accuracy{unit}, mean over {_seeds(variants)}"
    if equal := [
        f"{getattr(variants[0], key):,} {matching.MATCHED[key]}"
        for key in ("params", "madds")
        if key not in costs
    ]:
        note += f"; each has {' and '.join(equal)}"
    return [(table, note), *_measured(variants)]


_COST_COLUMNS = {
    "params": "parameters",
    "madds": "MAdds",
    "shortcuts": "shortcuts",
    "depthwise": "depthwise",
}


def _measured(variants: list[VariantFinding]) -> list[Noted]:
    """Measures, a column each, where they find room."""
    measures = variants[0].measures
    if not measures or sum(max(len(name), 8) + 1 for name in measures) > 64:
        return []
    table = _table("measures", *((name, "right") for name in measures))
    for v in variants:
        cells = (numbers.half_width(of.mean, of.ci_low, of.ci_high, of.share) for of in v.measures.values())
        table.add_row(Text(v.name), *(f"{cell}{_mark(v)}" for cell in cells))
    labels = (f"{name}: {of.label}{' (%)' if of.share else ''}" for name, of in measures.items())
    return [(table, "\n".join(labels))]


def _pivoted(dataset: str, variants: list[VariantFinding], axis: str) -> list[Noted]:
    """One row for each combination of the other axes, one column for each level of `axis`."""
    ours = _grid(dataset, variants, axis, lambda v: _half_width(v))
    note = f"held-out accuracy in %, mean over {_seeds(variants)} ± half the 95 % interval"
    if all(v.paper_top1 is None for v in variants):
        return [(ours, note)]
    paper = _grid("paper", variants, axis, lambda v: numbers.top1(v.paper_top1))
    return [(ours, note), (paper, f"{variants[0].paper_data}: top-1 accuracy that the paper reports")]


def _grid(
    title: str, variants: list[VariantFinding], axis: str, show: Callable[[VariantFinding], str]
) -> Table:
    columns = list(dict.fromkeys(v.levels[axis] for v in variants))
    table = _table(title, *((column, "right") for column in columns))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for v in variants:
        others = tuple(level for name, level in v.levels.items() if name != axis)
        rows.setdefault(others, {})[v.levels[axis]] = show(v)
    for others, cells in rows.items():
        table.add_row(Text(", ".join(others)), *(cells.get(column, numbers.DASH) for column in columns))
    return table


def _mark(entry: VariantFinding | ClaimFinding) -> str:
    """The star of what may change, as in the report."""
    return "" if entry.complete else "*"


def _half_width(variant: VariantFinding) -> str:
    return numbers.half_width(variant.mean, variant.ci_low, variant.ci_high) + _mark(variant)


def _seeds(variants: list[VariantFinding]) -> str:
    counts = sorted({v.n_seeds for v in variants})
    if counts == [1]:
        return "1 seed"
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _table(first: str, *columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for name, justify in columns:
        table.add_column(Text(name), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table
