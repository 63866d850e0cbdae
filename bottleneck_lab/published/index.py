"""`index.html`: every ablation below a folder, how it came out, and the way to its report."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bottleneck_lab.config import catalogue, load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.names import PLAN, SUMMARY
from bottleneck_lab.records.results.plan import read_plan
from bottleneck_lab.records.results.summary import read_summary
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.sentences import verdicts
from bottleneck_lab.report.writers.html import page_template


@dataclass(frozen=True)
class Entry:
    """One ablation and tier: what its `summary.json` says of it.

    `href` leads to its report, relative to the index; None where it has none.
    """

    folder: str
    name: str
    tier: str
    question: str
    done: int
    planned: int
    headline: str
    verdicts: dict[str, int]
    href: str | None

    @property
    def complete(self) -> bool:
        """Whether every run that was planned is done."""
        return self.done == self.planned


def write_index(out: Path) -> Path:
    """Write `index.html` into a folder of results, or of published ones; returns its path.

    It reads the summaries of the reports at most two folders below, not their runs. A folder whose summary
    cannot be read is named in it.
    """
    entries: list[Entry] = []
    unreadable: list[str] = []
    for folder in _folders(out):
        try:
            entries.append(_entry(out, folder))
        except LabError:
            unreadable.append(folder.relative_to(out).as_posix())
    template = page_template("index.html.j2")
    files.write_text(out / "index.html", template.render(entries=entries, unreadable=unreadable))
    return out / "index.html"


def _folders(out: Path) -> Iterator[Path]:
    """The folders of reports, NAME or NAME/TIER, in the order of their names."""
    for outer in sorted(out.iterdir()):
        for folder in (outer, *_children(outer)):
            if any(os.path.exists(folder / name) for name in (SUMMARY, PLAN)):
                yield folder


def _children(folder: Path) -> list[Path]:
    if not os.path.isdir(folder) or os.path.exists(folder / SUMMARY):
        return []
    try:
        return sorted(child for child in folder.iterdir() if os.path.isdir(child))
    except OSError:
        return []


def _entry(out: Path, folder: Path) -> Entry:
    """Raises LabError for a summary that cannot be read; without its plan it says less."""
    summary, plan = read_summary(folder), None
    with contextlib.suppress(LabError):
        plan = read_plan(folder)
    first = headline_claims(plan, summary.claims) if plan else summary.claims[:1]
    report = next((name for name in ("report.html", "report.md") if (folder / name).exists()), None)
    return Entry(
        folder=folder.relative_to(out).as_posix(),
        name=summary.ablation,
        tier=summary.tier,
        question=plan.ablation.question if plan else _question(summary.ablation),
        done=summary.runs.get("done", 0),
        planned=summary.runs.get("planned", 0),
        headline=" ".join(map(verdicts.headline, first)),
        verdicts=Counter(claim.verdict for claim in summary.claims),
        href=report and f"{folder.relative_to(out).as_posix()}/{report}",
    )


def _question(name: str) -> str:
    """From the catalogue, if it has the ablation."""
    return load(name).question if name in catalogue() else ""
