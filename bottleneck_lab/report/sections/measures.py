"""What was measured besides accuracy, and what the paper has beside it."""

from __future__ import annotations

from collections.abc import Iterator

from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.document import Cell, Column, Section, Table, Text
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import numbers

MOST_COLUMNS = 8  # of measures; more are rows, and the variants columns


def measures(results: Results, summary: Summary, dataset: str, table_id: str) -> Iterator[Section]:
    """The section of what was measured on a data set; none where nothing was."""
    names = results.plan.part_on(dataset).measures
    if not names:
        return
    variants = summary.on(dataset)
    finished = [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
    missing = any(name not in run.measures for run in finished for name in names)
    labels = [variants[0].measures[name].label for name in names]
    cells = [
        [
            Cell(numbers.measured(of.mean, of.ci_low, of.ci_high, of.share), of.mean, not variant.complete)
            for of in (variant.measures[name] for name in names)
        ]
        for variant in variants
    ]
    said = "Measures are of the trained networks: mean over seeds and 95 % interval."
    if len(names) > MOST_COLUMNS:
        columns = (Column("measure"), *(Column(variant.name, True) for variant in variants))
        rows = tuple((Cell(label), *row) for label, row in zip(labels, zip(*cells, strict=True), strict=True))
    else:
        columns = (Column("variant"), *(Column(label, True) for label in labels))
        rows = tuple((Cell(variant.name), *row) for variant, row in zip(variants, cells, strict=True))
    yield Section(
        f"measures-{dataset}",
        f"Measures: {dataset}",
        (
            Table(table_id, f"Measures on {dataset}", columns, rows),
            Text((said + (" Not every finished run has them all." if missing else ""),)),
        ),
    )


def beside_paper(results: Results) -> Iterator[Section]:
    """The tables of the paper that an experiment file has; none where it has none."""
    parts = dict.fromkeys(variant.part for variant in results.plan.variants)
    papers = [results.plan.ablation.parts[part].paper for part in parts]
    tables = [(paper, table) for paper in papers if paper is not None for table in paper.tables]
    blocks = []
    for place, (paper, table) in enumerate(tables):
        columns = tuple(Column(name, index > 0) for index, name in enumerate(table.columns))
        rows = tuple(
            tuple(
                Cell(text, None if isinstance(value, str) else value)
                for text, value in zip(texts, values, strict=True)
            )
            for texts, values in zip(numbers.aligned(table.rows), table.rows, strict=True)
        )
        caption = f"{table.title} ({paper.data}; {paper.source})"
        blocks.append(Table(f"paper-{place + 1}", caption, columns, rows))
    if blocks:
        yield Section("paper", "Beside the paper", tuple(blocks))
