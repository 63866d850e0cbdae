"""The report of one results folder: `report.md`, `summary.json`, `results.csv` and the curves."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2

from bottleneck_lab.config import TIERS
from bottleneck_lab.report import format as fmt
from bottleneck_lab.report.collect import Results, Run, collect
from bottleneck_lab.report.explorer import explorer_page
from bottleneck_lab.report.figures import Drawn, figures_of
from bottleneck_lab.report.style import save
from bottleneck_lab.report.summary import ORIGIN, summarise
from bottleneck_lab.runs import files


def write_report(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Make the report of a results folder from what is on disk; returns its path and the summary.

    Raises:
        LabError: a folder without a plan.
    """
    results = collect(folder)
    summary = summarise(results)
    files.write_json(folder / "summary.json", summary)
    files.write_text(folder / "results.csv", _csv(results.runs))
    parts = [_part(results, summary, dataset) for dataset in summary["datasets"]]
    environment = next((results.environment(run) for run in results.runs if run.status == "done"), {})
    checksums = _checksums(results)
    files.write_text(folder / "collapse.html", explorer_page())
    text = _template().render(
        ablation=results.plan["ablation"],
        summary=summary,
        unfinished=fmt.unfinished(summary["runs"]),
        answer=fmt.answer(summary["claims"]),
        outlook=fmt.outlook(summary["claims"]),
        tier_text=TIERS[summary["tier"]],
        parts=parts,
        troubled=results.troubled(),
        beside_paper=any(claim["paper"] is not None for claim in summary["claims"]),
        points_drawn=any(_draws_points(results, dataset) for dataset in summary["datasets"]),
        matched=fmt.MATCHED,
        papers=_papers(results),
        cost=_cost(results.runs),
        changed=fmt.changed(summary["overrides"]),
        environment={key: value for key, value in environment.items() if key not in (*_PER_RUN, *ORIGIN)},
        checksums=checksums,
    )
    files.write_text(folder / "report.md", text)
    return folder / "report.md", summary


_PER_RUN = ("checksums", "wall_seconds", "cpu_seconds", "trained_together")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bottleneck_lab.report"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters.update(
        amount=fmt.amount,
        aligned=fmt.aligned,
        cell=fmt.cell,
        contrast=fmt.contrast,
        estimate=fmt.estimate,
        in_paper=fmt.in_paper,
        interval=fmt.interval,
        measured=fmt.measured,
        oneline=lambda text: " ".join(text.split()),
        over_examples=fmt.over_examples,
        p=fmt.p_value,
        percent=fmt.percent,
        points=fmt.points,
        small=fmt.small,
        tested=fmt.tested,
        top1=fmt.top1,
    )
    return environment.get_template("report.md.j2")


def _csv(runs: tuple[Run, ...]) -> str:
    stream = io.StringIO()
    columns = [field.name for field in dataclasses.fields(Run) if field.name != "measures"]
    taken = dict.fromkeys(f"measures.{name}" for run in runs for name in run.measures)
    writer = csv.DictWriter(stream, [*columns, *taken], lineterminator="\n")
    writer.writeheader()
    for run in runs:
        row = {column: getattr(run, column) for column in columns}
        writer.writerow(row | {f"measures.{name}": value for name, value in run.measures.items()})
    return stream.getvalue()


def _part(results: Results, summary: dict[str, Any], dataset: str) -> dict[str, Any]:
    variants = [variant for variant in summary["variants"] if variant["dataset"] == dataset]
    part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
    shape = results.plan["ablation"]["parts"][part]
    finished = [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
    return {
        "title": shape["title"],
        "dataset": dataset,
        "variants": variants,
        "figures": [
            {"file": f"{drawn.stem}.svg", "alt": drawn.alt} for drawn in _save(results, summary, dataset)
        ],
        "settings": _shared_settings(
            [v["settings"] for v in results.plan["variants"] if v["dataset"] == dataset]
        ),
        "levels": _levels(shape["axes"]),
        "without": shape["without"],
        "tested": any(variant["test_mean"] is not None for variant in variants),
        "uneven": [key for key in ("shortcuts", "depthwise") if fmt.differing(variants, key)],
        "matching": fmt.matching(variants, shape["facet"]),
        "paper": shape["paper"] if any(variant["paper_top1"] is not None for variant in variants) else None,
        "measures": shape["measures"],
        "measures_missing": any(name not in run.measures for run in finished for name in shape["measures"]),
        "split": _split(dataset, finished),
    }


def _save(results: Results, summary: dict[str, Any], dataset: str) -> Iterator[Drawn]:
    for drawn in figures_of(results, summary, dataset):
        save(drawn.figure, results.folder / drawn.stem)
        yield drawn


def _papers(results: Results) -> list[dict[str, Any]]:
    """What the paper reports besides single variants, for the parts that were run."""
    parts = dict.fromkeys(variant["part"] for variant in results.plan["variants"])
    papers = [results.plan["ablation"]["parts"][part]["paper"] for part in parts]
    return [paper for paper in papers if paper is not None and paper["tables"]]


def _draws_points(results: Results, dataset: str) -> bool:
    """Whether every seed has points of its own; networks for points are toys."""
    first = next(v for v in results.plan["variants"] if v["dataset"] == dataset)
    return bool(first["settings"]["model"].get("family") == "toy")


def _set(overrides: dict[str, Any]) -> str:
    return fmt.changed({section: values for section, values in overrides.items() if values}) or "nothing"


def _levels(axes: dict[str, dict[str, dict[str, Any]]]) -> list[tuple[str, str, str]]:
    """What every level of every axis sets: axis, level, settings in a line."""
    return [
        (axis, level, _set(overrides)) for axis, levels in axes.items() for level, overrides in levels.items()
    ]


def _shared_settings(variants: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What all variants of a data set have in common, a line for each section; stages have their own."""
    lines = {}
    for section in ("train", "data", "model"):
        shared = {
            key: value
            for key, value in variants[0][section].items()
            if key not in ("family", "dataset")
            and all(key in other[section] and other[section][key] == value for other in variants)
        }
        stages = shared.pop("stages", None)
        if shared:
            lines[section] = fmt.settings(shared)
        if stages is not None:
            lines["stages (t, c, n, s; a bare t is the expansion)"] = fmt.stages(stages)
    return lines


def _split(dataset: str, done: Sequence[Run]) -> str:
    if dataset not in ("cifar10", "cifar100"):
        return "Accuracy is that of the last epoch on held-out examples that took no part in training."
    held_out = (
        "Accuracy is that of the last epoch on training images 40,001 to 50,000, held out from training."
    )
    tested = sum(run.test_accuracy is not None for run in done)
    if not tested:
        return f"{held_out} The official test part was not at hand."
    whose = "" if tested == len(done) else f" for {tested} of {len(done)} runs"
    return f"{held_out} The official test part was at hand{whose} and used once, after the last epoch."


def _cost(runs: tuple[Run, ...]) -> str:
    done = [run for run in runs if run.wall_seconds is not None]
    wall = sum(run.wall_seconds or 0.0 for run in done)
    cpu = sum(run.cpu_seconds or 0.0 for run in done)
    return f"{len(done)} runs took {fmt.duration(wall)} in all ({fmt.duration(cpu)} of CPU time)."


def _checksums(results: Results) -> dict[str, str]:
    found: dict[str, str] = {}
    for dataset in results.plan["datasets"]:
        run = next((r for r in results.runs if r.dataset == dataset and r.status == "done"), None)
        if run is not None:
            checksums = results.environment(run).get("checksums")
            found |= checksums if isinstance(checksums, dict) else {}
    return found
