"""The report of one results folder: `report.md`, `summary.json`, `results.csv` and the curves."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from bottleneck_lab.config import TIERS
from bottleneck_lab.report import format as fmt
from bottleneck_lab.report.collect import Results, Run, collect
from bottleneck_lab.report.curves import accuracy_against_facet, accuracy_curves
from bottleneck_lab.report.explorer import explorer_page
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
        cell=fmt.cell,
        contrast=fmt.contrast,
        interval=fmt.interval,
        oneline=lambda text: " ".join(text.split()),
        p=fmt.p_value,
        percent=fmt.percent,
        points=fmt.points,
        small=fmt.small,
        tested=fmt.tested,
    )
    return environment.get_template("report.md.j2")


def _csv(runs: tuple[Run, ...]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in dataclasses.fields(Run)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(run) for run in runs)
    return stream.getvalue()


def _part(results: Results, summary: dict[str, Any], dataset: str) -> dict[str, Any]:
    variants = [variant for variant in summary["variants"] if variant["dataset"] == dataset]
    part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
    shape = results.plan["ablation"]["parts"][part]
    figures = []
    if (facet := accuracy_against_facet(results, summary, dataset)) is not None:
        save(facet, results.folder / f"accuracy-{dataset}")
        figures.append(
            {"file": f"accuracy-{dataset}.svg", "alt": f"Accuracy on {dataset} by {shape['facet']}"}
        )
    save(accuracy_curves(results, dataset), results.folder / f"curves-{dataset}")
    figures.append({"file": f"curves-{dataset}.svg", "alt": f"Accuracy on {dataset} by epoch"})
    costs = {(variant["params"], variant["madds"]) for variant in variants}
    return {
        "title": shape["title"],
        "dataset": dataset,
        "variants": variants,
        "figures": figures,
        "settings": _shared_settings(
            [v["settings"] for v in results.plan["variants"] if v["dataset"] == dataset]
        ),
        "tested": any(variant["test_mean"] is not None for variant in variants),
        "matching": fmt.matching(variants, shape["facet"])
        if len(costs) > 1
        else "All variants have equal parameters and MAdds.",
        "split": _split(
            dataset, [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
        ),
    }


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
