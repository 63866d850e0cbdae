"""What a report says, in order and in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.document import Block, Content, Link, Picture, Section, Text
from bottleneck_lab.report.findings.judged import with_intervals_as_judged
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.answer import answered, asked
from bottleneck_lab.report.sections.claims import all_claims, at_a_glance, outlook
from bottleneck_lab.report.sections.measures import beside_paper, measures
from bottleneck_lab.report.sections.outcome import outcome
from bottleneck_lab.report.sections.predictions import predictions
from bottleneck_lab.report.sections.provenance import citations, cost, lost, method, settings
from bottleneck_lab.report.sections.training import budget, tuning


def content_of(results: Results, summary: Summary, pictures: Mapping[str, Sequence[Picture]]) -> Content:
    """The report of a results folder.

    Args:
        results: as collected.
        summary: of them.
        pictures: what was drawn of each data set, and under `collapse` what is the same in every report (it
            may be left out).
    """
    ablation = results.plan.ablation
    summary = replace(summary, claims=with_intervals_as_judged(summary.claims))
    datasets = summary.datasets
    return Content(
        name=ablation.name,
        tier=summary.tier,
        question=ablation.question,
        answer=tuple(answered(results, summary)),
        sections=(
            *_first(results, summary, pictures),
            *(replace(section, folded=True) for section in _details(results, summary, pictures)),
            *lost(results, summary),
            *(replace(section, folded=True) for section in _provenance(results, summary, datasets)),
        ),
    )


def with_sections(content: Content, more: tuple[Section, ...]) -> Content:
    """The same with more sections, before where the numbers come from."""
    at = next(place for place, section in enumerate(content.sections) if section.id == "cost")
    return replace(content, sections=(*content.sections[:at], *more, *content.sections[at:]))


def _first(
    results: Results, summary: Summary, pictures: Mapping[str, Sequence[Picture]]
) -> Iterator[Section]:
    """All claims at a glance, and of every data set the figure that decides."""
    if blocks := tuple(at_a_glance(results, summary)):
        yield Section("claims", "All claims", blocks)
    if deciding := tuple(picture for dataset in summary.datasets for picture in pictures[dataset][:1]):
        title = "The figure that decides" if len(deciding) == 1 else "The figures that decide"
        yield Section("figures", title, deciding)


def _details(
    results: Results, summary: Summary, pictures: Mapping[str, Sequence[Picture]]
) -> Iterator[Section]:
    """Every number, and the other figures."""
    datasets = summary.datasets
    yield Section(
        "asked",
        "The question, and what would count against it",
        tuple(asked(results.plan.ablation, summary)),
    )
    if summary.claims:
        yield Section("numbers", "The claims in numbers", tuple(all_claims(results, summary)))
    for place, dataset in enumerate(datasets):
        yield outcome(results, summary, dataset, f"table-{place + 1}")
    yield Section("outlook", "What would change the verdict", tuple(outlook(summary)))
    for place, found in enumerate(summary.predictions):
        yield predictions(found, f"predictions-{place + 1}")
    for place, lengths in enumerate(summary.budgets):
        yield budget(lengths, f"budget-{place + 1}")
    for place, record in enumerate(results.plan.tuning):
        yield tuning(record, f"tuning-{place + 1}")
    for dataset in datasets:
        if more := tuple(pictures[dataset][1:]):
            yield Section(f"curves-{dataset}", f"More figures: {dataset}", more)
    for place, dataset in enumerate(datasets):
        yield from measures(results, summary, dataset, f"measures-{place + 1}")
    yield from beside_paper(results)
    if collapse := pictures.get("collapse"):
        yield Section("collapse", "The collapse that this is about", _collapse(collapse))


def _provenance(results: Results, summary: Summary, datasets: Sequence[str]) -> Iterator[Section]:
    """Where the numbers come from."""
    yield Section("cost", "What it cost", (Text((cost(results.runs),)),))
    yield Section("method", "How it was done", tuple(method(results, summary)))
    for place, dataset in enumerate(datasets):
        yield settings(results, dataset, f"settings-{place + 1}")
    yield Section("cite", "How to cite", tuple(citations(summary)))


def _collapse(pictures: Sequence[Picture]) -> tuple[Block, ...]:
    return (
        Text(
            (
                "A spiral in two dimensions is put into more channels by a random matrix, then through a "
                "ReLU. In few channels its points fall onto each other (Fig. 1 and Theorem 1 of the paper). "
                "The page ",
                Link("collapse.html", "collapse.html"),
                " beside this report lets one slide the number of channels.",
            )
        ),
        *pictures,
    )
