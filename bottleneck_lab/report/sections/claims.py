"""Every claim with its verdict, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bottleneck_lab.records.results.summary import ClaimFinding, Summary
from bottleneck_lab.report.document import Block, Bullets, Cell, Code, Column, Forest, Note, Span, Table, Text
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.cells import oneline, seeds_of
from bottleneck_lab.report.sections.forest import forests
from bottleneck_lab.report.sentences import numbers, verdicts


def at_a_glance(results: Results, summary: Summary) -> Iterator[Block]:
    """Every claim on an axis, and what is drawn there."""
    drawn = list(forests(summary, results))
    yield from drawn
    if drawn:
        yield Text((_marks(drawn),))


def _marks(drawn: Sequence[Forest]) -> str:
    """What the marks of these forests are, as far as they have them."""
    bars = [bar for forest in drawn for bar in forest.bars]
    said = ["A bar, or [--o--], is the interval at which a claim was judged, with its estimate"]
    said += ["| is 0"]
    said += ["small dots, on pages, are seeds"] if any(bar.seeds for bar in bars) else []
    said += ["the band around 0 there is the margin below which nothing matters"]
    said += ["a diamond, or P, is the paper's number"] if any(bar.paper is not None for bar in bars) else []
    said += ["a triangle, or ^, is a prediction"] if any(bar.predicted for bar in bars) else []
    return f"{'; '.join(said)}."


def all_claims(results: Results, summary: Summary) -> Iterator[Block]:
    """The table of claims, and how to read it."""
    claims = summary.claims
    paper = any(claim.paper is not None for claim in claims)
    columns = [Column("claim"), Column("data"), Column("estimate", True)]
    designed = [claim for claim in claims if claim.has_design]
    own_level = any(claim.level is not None for claim in claims)
    over_seeds = "over seeds (level)" if own_level else "95 % over seeds"
    columns += [Column(over_seeds), Column("verdict"), Column("95 % over examples")]
    columns += [Column("p (Holm)", True), Column("seeds", True)]
    columns += [Column("paper", True)] if paper else []
    columns += [Column("source")]
    yield Table("table-claims", "Every claim", tuple(columns), tuple(_claim(each, paper) for each in claims))
    yield Text((_claims_explained(results, summary),))
    meaning = (
        "Verdicts rest on the seeds. A claim of a difference says that its contrast is above 0; one of "
        "equivalence, that it is within its margin."
    )
    if len(designed) < len(claims):
        which = f" of the claims on {_listed_datasets(claims)}" if designed else ""
        yield Text(
            (
                f"{meaning} Verdicts{which} hold after Holm's correction over all claims of this report, at "
                "5 % for each kind of verdict, and an interval is of the level at which that came to its "
                "claim, so that it shows the verdict; fewer than three seeds carry none, and neither does a "
                "claim that misses a pair that was planned.",
            )
        )
    if designed:
        said = "" if len(designed) < len(claims) else f"{meaning} "
        yield Text(
            (
                f"{said}{' '.join(verdicts.promises(summary))} An interval over seeds is of the level at "
                "which its claim was judged, among the claims of its family and at its look, so that it "
                "shows the verdict; p is to be compared with 5 %. Fewer than four seeds carry no verdict, "
                "and neither does a claim that misses a pair.",
            )
        )
    for claim in designed:
        if claim.far_from_normal:
            yield Note(
                "CAUTION",
                f"The contrasts of {claim.id} on {claim.dataset} are far from normal over seeds "
                "(Shapiro-Wilk, p < 1 %), which its interval takes them for.",
            )
    yield Bullets(tuple(_contrast(claim) for claim in claims))


def _claim(claim: ClaimFinding, paper: bool) -> tuple[Cell, ...]:
    still, changing = not claim.estimate_complete, not claim.complete
    of = f" ({claim.label})" if claim.measure != "accuracy" else ""
    equivalence = claim.kind == "equivalence" and claim.p_holm is not None
    p = verdicts.tested(claim) if equivalence else numbers.p_value(claim.p_holm)
    remark = verdicts.small(claim) + (f" ({claim.reason})" if claim.reason else "")
    cells = [
        Cell(oneline(claim.statement)),
        Cell(claim.dataset),
        Cell(verdicts.estimate(claim) + of, claim.estimate, still),
        Cell(_with_level(claim), open=still),
        Cell(remark, None, changing, claim.verdict),
        Cell(verdicts.over_examples(claim), open=still),
        Cell(p, claim.p_holm, changing),
        Cell(seeds_of(claim) + verdicts.decided(claim), claim.n_seeds),
    ]
    if paper:
        cells.append(Cell(verdicts.in_paper(claim), claim.paper))
    return (*cells, Cell(claim.source))


def _whose(summary: Summary) -> str:
    """Whose intervals those over seeds are."""
    bounded = [claim.bounds is not None for claim in summary.claims if claim.has_design]
    if not any(bounded):
        return "Student's"
    return (
        "that of bets"
        if len(bounded) == len(summary.claims) and all(bounded)
        else "Student's, or that of bets,"
    )


def _with_level(claim: ClaimFinding) -> str:
    """An interval, with its level where that is its own."""
    found = verdicts.interval(claim)
    return (
        f"{found} ({verdicts.level(claim)})" if claim.level is not None and found != numbers.DASH else found
    )


def _listed_datasets(claims: Sequence[ClaimFinding]) -> str:
    """The data sets whose claims are judged together."""
    return " and ".join(dict.fromkeys(claim.dataset for claim in claims if not claim.has_design))


def _claims_explained(results: Results, summary: Summary) -> str:
    drawn = any(results.plan.draws_points(dataset) for dataset in summary.datasets)
    return (
        "An estimate is the mean over seeds of a contrast that is paired by seed. The interval over seeds is "
        f"{_whose(summary)} and generalises over repetitions of training on this data"
        f"{' (on points: over new draws of them, too)' if drawn else ''}. The interval over examples is a "
        "bootstrap, paired by example, and generalises over held-out examples for these very networks, the "
        "mean over their seeds. Neither does both, and neither speaks of other data sets."
    )


def _contrast(claim: ClaimFinding) -> tuple[Span, ...]:
    of = f", of {claim.label}" if claim.measure != "accuracy" else ""
    margin = numbers.amount(claim.margin, claim.share, sign=False)
    return (
        Code(claim.id),
        f" on {claim.dataset}: {verdicts.contrast(claim.contrast)}; {claim.kind}, margin {margin}{of}.",
    )


def outlook(summary: Summary) -> Iterator[Block]:
    """What it would take to know better."""
    claims = summary.claims
    if not claims:
        yield Text(("There is no verdict to change.",))
        return
    columns = (
        Column("claim"),
        Column("data"),
        Column("verdict"),
        Column("detectable", True),
        Column("seeds", True),
        Column("seeds for half the interval", True),
    )
    rows = tuple(
        (
            Cell(oneline(claim.statement)),
            Cell(claim.dataset),
            Cell("", None, not claim.complete, claim.verdict),
            Cell(_detectable(claim), claim.detectable, not claim.complete),
            Cell(str(claim.n_seeds), claim.n_seeds),
            Cell(str(claim.seeds_for_half_interval or numbers.DASH), claim.seeds_for_half_interval),
        )
        for claim in claims
    )
    yield Table("table-outlook", "What it would take to know better", columns, rows)
    said = '"Detectable" is the smallest true contrast that this many seeds find with 80 % power.'
    yield Text((f"{said} {verdicts.outlook(claims)}".strip(),))
    still_open = [(claim, more) for claim in claims if (more := verdicts.to_decide(claim))]
    if still_open:
        yield Text(
            (
                "What would decide the open claims in a new plan of fixed seeds, among as many claims, if "
                "what was found were true:",
            )
        )
        yield Bullets(tuple((Code(claim.id), f" on {claim.dataset}: {more}.") for claim, more in still_open))


def _detectable(claim: ClaimFinding) -> str:
    return numbers.with_unit(claim.detectable, claim.share, sign=False)
