"""The ledger: every claim that published results speak to, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bottleneck_lab.published.repeat import repeat_command
from bottleneck_lab.records.names import PLAN
from bottleneck_lab.records.results.plan import PlanRecord, read_plan
from bottleneck_lab.records.results.summary import Summary, read_summary
from bottleneck_lab.records.results.table import cpu_seconds_in
from bottleneck_lab.report.findings.judged import with_intervals_as_judged
from bottleneck_lab.report.sentences import numbers, plain, verdicts

LEDGER = "CLAIMS.md"

_HEAD = """# Every claim that was tested

Where each stands in the paper (Sandler et al. 2018; its numbers are one run each, on ImageNet), what
came out here, and the command that repeats it. Estimates and intervals over seeds are in percentage
points, or in the unit of the measure that is named; they are positive where the claim says so. p is
Holm's over all claims of an ablation (with planned looks: over those of one kind of data, at the look
that decided), an interval of the level at which that came to its claim, so that it shows the verdict; a
claim of equivalence has that of two one-sided tests. Questions, claims, margins and numbers of seeds
stood in `experiments/` before the runs (other seeds: in [docs](../docs/published.md), which also say
what was learnt). A claim of equivalence can be contradicted, by a difference that is larger than its
margin; the p shown is still that of the equivalence. For an open claim the last column says how many
new seeds would decide it among as many claims, if the estimate and the spread that were found were
true. This page is made by `make-figures` from the records beside it."""

_HEADINGS = "claim, in the paper, paper, data, ours, interval, p (Holm), seeds, verdict, to decide"
_RULE = "| --- | --- | --- | --- | ---: | --- | ---: | ---: | --- | ---: |"


@dataclass(frozen=True)
class _Entry:
    """What a published folder says of its ablation."""

    name: str
    plan: PlanRecord
    summary: Summary
    cpu_seconds: float


def ledger(folders: Sequence[Path]) -> str:
    """A Markdown page with a section for each of these folders that is of an ablation.

    Raises:
        LabError: a folder without its summary or table.
    """
    counts: Counter[str] = Counter()
    seconds = 0.0
    sections = []
    for folder in folders:
        if (folder / PLAN).exists():
            entry = _Entry(folder.name, read_plan(folder), read_summary(folder), cpu_seconds_in(folder))
            sections.append("\n".join(_section(entry)))
            counts.update(claim.verdict for claim in entry.summary.claims)
            seconds += entry.cpu_seconds
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    total = f"**{counts.total()} verdicts: {verdicts}.** {seconds / 3600:.1f} core-hours in all."
    return "\n\n".join([_HEAD, total, *sections]) + "\n"


def _section(entry: _Entry) -> Iterator[str]:
    processors = dict.fromkeys(origin.cpu or "an unknown processor" for origin in entry.summary.origins)
    yield f"## {plain.markdown(entry.name)}"
    yield ""
    yield plain.markdown(f"{entry.plan.ablation.question} ({entry.plan.ablation.source})")
    yield ""
    yield f"    {repeat_command(entry.plan)}"
    yield ""
    yield (
        f"{entry.summary.runs.get('done', 0)} runs, {entry.cpu_seconds / 3600:.2f} core-hours on "
        f"{plain.markdown(' and '.join(processors))}. Numbers and figures: [{entry.name}/]({entry.name}/)."
    )
    yield ""
    yield f"| {_HEADINGS.replace(', ', ' | ')} |"
    yield _RULE
    for claim in with_intervals_as_judged(entry.summary.claims):
        measure = "" if claim.measure == "accuracy" else f" ({claim.label})"
        cells = (
            plain.cell(claim.statement + measure),
            plain.cell(claim.source),
            verdicts.in_paper(claim),
            claim.dataset,
            numbers.amount(claim.estimate, claim.share),
            verdicts.interval(claim),
            numbers.p_value(claim.p_holm),
            str(claim.n_seeds),
            f"**{claim.verdict}**",
            f"{claim.to_decide:,}" if claim.to_decide else numbers.DASH,
        )
        yield f"| {' | '.join(cells)} |"
