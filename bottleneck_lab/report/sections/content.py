"""What a report says, in order and in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bottleneck_lab.report.document import Block, Content, Link, Picture, Section, Text
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sections.answer import answered, preamble
from bottleneck_lab.report.sections.claims import all_claims, outlook
from bottleneck_lab.report.sections.measures import beside_paper, measures
from bottleneck_lab.report.sections.outcome import outcome
from bottleneck_lab.report.sections.predictions import predictions
from bottleneck_lab.report.sections.provenance import citations, cost, lost, method, settings
from bottleneck_lab.report.sections.training import budget, tuning


def content_of(
    results: Results, summary: dict[str, Any], pictures: Mapping[str, Sequence[Picture]]
) -> Content:
    """The report of a results folder.

    Args:
        results: as collected.
        summary: of them.
        pictures: what was drawn of each data set, and under `collapse` what is the same in every report (it
            may be left out).
    """
    ablation = results.plan["ablation"]
    sections = [Section("answer", "Answer", tuple(answered(results, summary)))]
    for place, dataset in enumerate(summary["datasets"]):
        sections.append(outcome(results, summary, dataset, f"table-{place + 1}"))
    for place, record in enumerate(results.plan["tuning"]):
        sections.append(tuning(record, f"tuning-{place + 1}"))
    for place, found in enumerate(summary.get("budgets", ())):
        sections.append(budget(found, f"budget-{place + 1}"))
    for place, found in enumerate(summary.get("predictions", ())):
        sections.append(predictions(found, f"predictions-{place + 1}"))
    sections.append(Section("claims", "All claims", tuple(all_claims(results, summary))))
    for dataset in summary["datasets"]:
        if pictures[dataset]:
            sections.append(Section(f"curves-{dataset}", f"Figures: {dataset}", tuple(pictures[dataset])))
    for place, dataset in enumerate(summary["datasets"]):
        sections += measures(results, summary, dataset, f"measures-{place + 1}")
    sections += beside_paper(results)
    if collapse := pictures.get("collapse"):
        sections.append(Section("collapse", "The collapse that this is about", _collapse(collapse)))
    sections += lost(results, summary)
    sections.append(Section("cost", "What it cost", (Text((cost(results.runs),)),)))
    sections.append(Section("method", "How it was done", tuple(method(results, summary))))
    for place, dataset in enumerate(summary["datasets"]):
        sections.append(settings(results, dataset, f"settings-{place + 1}"))
    sections.append(Section("outlook", "What would change the verdict", tuple(outlook(summary))))
    sections.append(Section("cite", "How to cite", tuple(citations(summary))))
    return Content(
        name=ablation["name"],
        tier=summary["tier"],
        question=ablation["question"],
        preamble=tuple(preamble(ablation, summary)),
        sections=tuple(sections),
    )


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
