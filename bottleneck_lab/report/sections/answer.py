"""What was asked, and how it came out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bottleneck_lab.config import TIERS
from bottleneck_lab.report.document import Block, Code, Note, Span, Strong, Text
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.cells import oneline
from bottleneck_lab.report.sentences import assignments, conditions, verdicts


def preamble(ablation: dict[str, Any], summary: dict[str, Any]) -> Iterator[Block]:
    """Where the question comes from, and what a reader must know before the answer."""
    yield Text((f"Source: {ablation['source']}.",))
    yield Text((f"The paper reports: {oneline(ablation['reported'])}",))
    yield Text((f"What would count against it: {oneline(ablation['against'])}",))
    for notice in summary["notices"]:
        yield Note("NOTE", notice)
    if len(summary["origins"]) > 1:
        machines = f"{len(summary['origins'])} different codes or machines"
        yield Note("NOTE", f"The finished runs come from {machines}, listed at the end.")
    if unfinished := conditions.unfinished(summary["runs"]):
        changing = any(not variant["complete"] for variant in summary["variants"])
        rest = " Numbers with * may change, and so may the figures; what is missing is listed below."
        yield Note("PARTIAL", unfinished + (rest if changing else ""))
    if strays := summary["strays"]:
        files = f"{len(strays)} {'file' if len(strays) == 1 else 'files'}"
        yield Note(
            "LEFT OUT", f"{files} in the folder could not be read or are not of this plan; listed below."
        )


def answered(results: Results, summary: dict[str, Any]) -> Iterator[Block]:
    """How the claims came out."""
    claims = summary["claims"]
    for claim in headline_claims(results.plan, claims):
        yield Text((Strong(verdicts.headline(claim)),))
    mark = "" if all(variant["complete"] for variant in summary["variants"]) else "*"
    spans: tuple[Span, ...] = (
        f"{verdicts.answer(claims)}{mark} Tier ",
        Code(summary["tier"]),
        f": {TIERS[summary['tier']]}.",
    )
    if changed := assignments.changed(summary["overrides"]):
        spans += (" ", Strong(f"Changed with --set: {changed}."))
    yield Text(spans)
