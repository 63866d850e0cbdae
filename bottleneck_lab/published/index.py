"""`index.html`: every ablation below a folder, how it came out, and the way to its report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bottleneck_lab.config import catalogue, load
from bottleneck_lab.errors import LabError
from bottleneck_lab.published.blame import unless_a_bug
from bottleneck_lab.records import files
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
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
            with unless_a_bug(folder / "summary.json", partial(_summary_again, folder)):
                entries.append(_entry(out, folder))
        except LabError:
            unreadable.append(folder.relative_to(out).as_posix())
    template = page_template("index.html.j2")
    files.write_text(out / "index.html", template.render(entries=entries, unreadable=unreadable))
    return out / "index.html"


def _summary_again(folder: Path) -> dict[str, Any]:
    return summarise(collect(folder))


def _folders(out: Path) -> Iterator[Path]:
    """The folders of reports, NAME or NAME/TIER, in the order of their names."""
    for outer in sorted(out.iterdir()):
        for folder in (outer, *_children(outer)):
            if any(os.path.exists(folder / name) for name in ("summary.json", "plan.json")):
                yield folder


def _children(folder: Path) -> list[Path]:
    if not os.path.isdir(folder) or os.path.exists(folder / "summary.json"):
        return []
    try:
        return sorted(child for child in folder.iterdir() if os.path.isdir(child))
    except OSError:
        return []


def _entry(out: Path, folder: Path) -> Entry:
    """Raises whatever a damaged summary leads to."""
    summary: dict[str, Any] = files.read_json(folder / "summary.json")
    claims = summary["claims"]
    counted = Counter(str(claim["verdict"]) for claim in claims)
    report = next((name for name in ("report.html", "report.md") if (folder / name).exists()), None)
    return Entry(
        folder=folder.relative_to(out).as_posix(),
        name=str(summary["ablation"]),
        tier=str(summary["tier"]),
        question=_question(folder, summary),
        done=int(summary["runs"].get("done", 0)),
        planned=int(summary["runs"]["planned"]),
        headline=" ".join(verdicts.headline({"complete": True, **claim}) for claim in _first(folder, claims)),
        verdicts=dict(counted),
        href=report and f"{folder.relative_to(out).as_posix()}/{report}",
    )


def _first(folder: Path, claims: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The claims that answer the question; the first, where only the summary was published."""
    plan = files.read_json(folder / "plan.json")
    return headline_claims(plan, claims) if isinstance(plan, dict) else claims[:1]


def _question(folder: Path, summary: dict[str, Any]) -> str:
    """From the plan; where only the summary was published, from the catalogue, if it has the ablation."""
    plan = files.read_json(folder / "plan.json")
    asked = plan.get("ablation") if isinstance(plan, dict) else None
    if isinstance(asked, dict) and "question" in asked:
        return str(asked["question"])
    name = str(summary["ablation"])
    return load(name).question if name in catalogue() else ""
