"""Every variant of a data set, beside the one that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bottleneck_lab.records.results.summary import ClaimFinding, Summary, VariantFinding
from bottleneck_lab.report.document import Block, Cell, Column, Section, Table, Text
from bottleneck_lab.report.findings.references import reference_of
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.cells import count, seeds_of
from bottleneck_lab.report.sentences import matching, numbers
from bottleneck_lab.stats import Interval, mean_interval, paired_contrast


@dataclass(frozen=True)
class _Difference:
    """What a variant differs by from the one that it is compared with, and the claim that says so."""

    against: str
    interval: Interval | None
    verdict: str | None
    complete: bool


def outcome(results: Results, summary: Summary, dataset: str, table_id: str) -> Section:
    """The section of a data set: every variant with what it differs by."""
    shape = results.plan.part_on(dataset)
    variants = summary.on(dataset)
    claims = [claim for claim in summary.claims_on(dataset) if claim.measure == "accuracy"]
    tested = any(variant.test_mean is not None for variant in variants)
    paper = shape.paper if any(variant.paper_top1 is not None for variant in variants) else None
    uneven = [key for key in ("shortcuts", "depthwise") if matching.differing(variants, key)]
    columns = [Column("variant"), Column("held-out accuracy", True), Column("95 % interval")]
    columns += [Column("difference, points", True), Column("to"), Column("verdict")]
    columns += [Column("test accuracy", True)] if tested else []
    columns += [Column(f"paper ({paper.data})", True)] if paper else []
    columns += [Column("seeds", True), Column("parameters", True), Column("MAdds", True)]
    columns += [Column(matching.MATCHED[key], True) for key in uneven]
    rows = []
    for variant in variants:
        still = not variant.complete
        cells = [
            Cell(variant.name),
            Cell(numbers.percent(variant.mean), variant.mean, still),
            Cell(numbers.interval(variant.ci_low, variant.ci_high, sign=False), open=still),
            *_difference_cells(_difference(results, variants, claims, variant)),
        ]
        if tested:
            cells.append(Cell(numbers.percent(variant.test_mean), variant.test_mean, still))
        if paper:
            cells.append(Cell(numbers.top1(variant.paper_top1), variant.paper_top1))
        cells.append(Cell(seeds_of(variant), variant.n_seeds))
        rows.append((*cells, *(count(getattr(variant, key)) for key in ("params", "madds", *uneven))))
    from_paper = (
        f' What stands under "paper" is top-1 accuracy on {paper.data}, from {paper.source}.' if paper else ""
    )
    blocks: list[Block] = [
        Table(table_id, f"Every variant on {dataset}", tuple(columns), tuple(rows)),
        Text((f"{matching.matching(variants, shape.facet)} {_split(results, dataset)}{from_paper}",)),
        Text(
            (
                "A difference is paired by seed. A verdict is that of the claim about these two, with the "
                "difference and the interval that it was judged by: of planned looks, those of the look that "
                "decided it, which may have had fewer seeds than there are now. Without a claim there is no "
                "verdict, and a 95 % interval over all seeds, not corrected for being one of many.",
            )
        ),
    ]
    if shape.without:
        blocks.append(Text((f"Combinations that the experiment leaves out: {'; '.join(shape.without)}.",)))
    return Section(f"outcome-{dataset}", f"{shape.title}: {dataset}", tuple(blocks))


def _difference_cells(found: _Difference | None) -> list[Cell]:
    if found is None:
        return [Cell("reference"), Cell(numbers.DASH), Cell(numbers.DASH)]
    if (interval := found.interval) is None:
        return [Cell(numbers.DASH), Cell(found.against), Cell(numbers.DASH)]
    still = not found.complete
    ends = numbers.interval(interval.low, interval.high)
    text = numbers.points(interval.estimate) + ("" if interval.low is None else f" {ends}")
    verdict = Cell("", None, still, found.verdict) if found.verdict else Cell(numbers.DASH)
    return [Cell(text, interval.estimate, still), Cell(found.against), verdict]


def _difference(
    results: Results,
    variants: Sequence[VariantFinding],
    claims: Sequence[ClaimFinding],
    variant: VariantFinding,
) -> _Difference | None:
    """What there is to say of a variant beside the one it is compared with; None where it is that one."""
    name, dataset = variant.name, variant.dataset
    against = reference_of(variant, variants, [claim.contrast for claim in claims])
    if against.name == name:
        return None
    for claim in claims:
        if claim.contrast in ({against.name: 1, name: -1}, {against.name: -1, name: 1}):
            ends = claim.ci_low, claim.ci_high
            interval = _turned(claim.estimate, *ends, claim.contrast[name])
            return _Difference(against.name, interval, claim.verdict, claim.complete)
    accuracies = {
        each: {run.seed: run.accuracy for run in results.of(each, dataset) if run.accuracy is not None}
        for each in (name, against.name)
    }
    pairs = paired_contrast(accuracies, {name: 1, against.name: -1})
    interval = mean_interval(list(pairs.values())) if pairs else None
    return _Difference(against.name, interval, None, variant.complete and against.complete)


def _turned(estimate: float | None, low: float | None, high: float | None, sign: float) -> Interval | None:
    """The interval of a contrast, or of its opposite."""
    if estimate is None:
        return None
    if low is None or high is None:
        return Interval(sign * estimate, None, None)
    low, high = sorted((sign * low, sign * high))
    return Interval(sign * estimate, low, high)


def _split(results: Results, dataset: str) -> str:
    if dataset not in ("cifar10", "cifar100"):
        return "Accuracy is that of the last epoch on held-out examples that took no part in training."
    held_out = (
        "Accuracy is that of the last epoch on training images 40,001 to 50,000, held out from training."
    )
    done = [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
    tested = sum(run.test_accuracy is not None for run in done)
    if not tested:
        return f"{held_out} The official test part was not at hand."
    whose = "" if tested == len(done) else f" for {tested} of {len(done)} runs"
    return f"{held_out} The official test part was at hand{whose} and used once, after the last epoch."
