"""All claims at a glance: estimate, interval, seeds, margin, the paper's number, predictions, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bottleneck_lab.records.results.summary import ClaimFinding, Summary
from bottleneck_lab.report.document import Bar, Forest
from bottleneck_lab.report.findings.claims import values_of
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.cells import oneline
from bottleneck_lab.report.sentences import numbers, verdicts
from bottleneck_lab.stats import paired_contrast


def forests(summary: Summary, results: Results | None = None) -> Iterator[Forest]:
    """A forest for every data set and every unit that claims on it have, decided claims first.

    Args:
        summary: with its claims as they were judged.
        results: for the seeds; without them there are none.
    """
    for dataset in summary.datasets:
        claims = summary.claims_on(dataset)
        for label in dict.fromkeys(claim.label for claim in claims):
            alike = [claim for claim in claims if claim.label == label]
            bars = tuple(_bar(claim, summary, results) for claim in _decided_first(alike))
            of = "" if label == "accuracy" else f", {label}"
            unit = "percentage points" if alike[0].share else label
            yield Forest(dataset, f"{dataset}{of}", unit, bars)


def _decided_first(claims: Sequence[ClaimFinding]) -> list[ClaimFinding]:
    return sorted(claims, key=lambda claim: claim.verdict == "inconclusive")


def _bar(claim: ClaimFinding, summary: Summary, results: Results | None) -> Bar:
    scale = 100.0 if claim.share else 1.0
    estimate, low, high = (
        None if value is None else scale * value for value in (claim.estimate, claim.ci_low, claim.ci_high)
    )
    more = []
    if claim.paper is not None:
        more.append(f"paper: {verdicts.in_paper(claim)}")
    if claim.reason:
        more.append(claim.reason)
    if needed := verdicts.to_decide(claim):
        more.append(f"to decide: {needed}")
    interval = verdicts.interval(claim)
    still = "" if claim.estimate_complete else "*"
    return Bar(
        name=claim.id,
        statement=oneline(claim.statement),
        verdict=claim.verdict,
        open=not claim.complete,
        estimate=estimate,
        low=low,
        high=high,
        seeds=_seeds(claim, results, scale),
        margin=scale * claim.margin,
        paper=claim.paper if claim.share else None,
        predicted=_predicted(claim, summary),
        found=f"{verdicts.estimate(claim)}{still}"
        + ("" if interval == numbers.DASH else f" {interval}{still}"),
        more=tuple(more),
    )


def _seeds(claim: ClaimFinding, results: Results | None, scale: float) -> tuple[tuple[int, float], ...]:
    if results is None:
        return ()
    values = values_of(results, claim.dataset, claim.measure, claim.contrast)
    contrasts = list(paired_contrast(values, claim.contrast).items())
    return tuple((seed, scale * value) for seed, value in contrasts[: claim.n_seeds])


def _predicted(claim: ClaimFinding, summary: Summary) -> tuple[tuple[str, float], ...]:
    """What hypotheses predicted of a claim that an arm loses to its reference."""
    if claim.measure != "accuracy":
        return ()
    for found in summary.predictions:
        for arm in found.arms if found.dataset == claim.dataset else ():
            if claim.contrast == {arm.reference: 1, arm.variant: -1}:
                return tuple((name.replace("_", " "), one.points) for name, one in arm.predicted.items())
    return ()
