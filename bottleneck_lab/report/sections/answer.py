"""What was asked, and how it came out."""

from __future__ import annotations

from collections.abc import Iterator

from bottleneck_lab.config import TIERS
from bottleneck_lab.records.results.plan import PlannedAblation
from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.document import Block, Code, Note, Strong, Text
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.cells import oneline
from bottleneck_lab.report.sentences import assignments, conditions, verdicts


def answered(results: Results, summary: Summary) -> Iterator[Block]:
    """How the claims came out, in a sentence or two for each data set; then what nobody may overlook."""
    claims = summary.claims
    if not claims:
        yield Text((Strong(verdicts.answer(claims)),))
    marked = {claim.id for claim in headline_claims(results.plan, claims)}
    for dataset in summary.datasets:
        if here := summary.claims_on(dataset):
            told = " ".join(verdicts.found(claim) for claim in verdicts.foremost(here, marked))
            yield Text((Strong(f"{dataset}: {verdicts.held(here)}."), f" {told}"))
    yield from _notes(summary)


def _notes(summary: Summary) -> Iterator[Block]:
    for notice in summary.notices:
        yield Note("NOTE", notice)
    if changed := assignments.changed(summary.overrides):
        yield Note("CHANGED", f"with --set: {changed}.")
    if len(summary.origins) > 1:
        machines = f"{len(summary.origins)} different codes or machines"
        yield Note("NOTE", f"The finished runs come from {machines}, listed at the end.")
    if unfinished := conditions.unfinished(summary.runs):
        changing = any(not variant.complete for variant in summary.variants)
        rest = " Numbers with * may change, and so may the figures; what is missing is listed below."
        yield Note("PARTIAL", unfinished + (rest if changing else ""))
    if strays := summary.strays:
        files = f"{len(strays)} {'file' if len(strays) == 1 else 'files'}"
        yield Note(
            "LEFT OUT", f"{files} in the folder could not be read or are not of this plan; listed below."
        )


def asked(ablation: PlannedAblation, summary: Summary) -> Iterator[Block]:
    """Where the question comes from, what would have spoken against it, and what the tier can carry."""
    yield Text((f"Source: {ablation.source}.",))
    yield Text((f"The paper reports: {oneline(ablation.reported)}",))
    yield Text((f"What would count against it: {oneline(ablation.against)}",))
    yield Text(("Tier ", Code(summary.tier), f": {TIERS[summary.tier]}."))
