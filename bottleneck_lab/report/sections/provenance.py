"""Where the numbers come from, what they cost, what is missing, and how to cite them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bottleneck_lab import __version__
from bottleneck_lab.config import Unchecked
from bottleneck_lab.records.names import SUMMARY, TABLE
from bottleneck_lab.records.results.plan import PlannedPart
from bottleneck_lab.records.results.summary import ORIGIN, Missing, Summary
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Column,
    Link,
    Listing,
    Section,
    Span,
    Table,
    Text,
)
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import assignments, numbers


def lost(results: Results, summary: Summary) -> Iterator[Section]:
    """The sections of what is missing and what was left out."""
    if summary.missing:
        items = tuple(_missing(lost) for lost in summary.missing)
        yield Section("missing", "What is missing", (Bullets(items),))
    if troubled := results.troubled():
        said = Text(("They take no part in any number above.",))
        items = tuple(_trouble(run) for run in troubled)
        yield Section("troubled", "Runs that did not end well", (Bullets(items), said))
    left_out: list[tuple[Span, ...]] = [(Code(stray.file), f": {stray.why}") for stray in summary.strays]
    if count := summary.other_plans:
        runs = "run" if count == 1 else "runs"
        left_out.append((f"{count} {runs} of other plans of this ablation in ", Code("runs/"), "."))
    if left_out:
        said = Text(("Nothing of this is counted above.",))
        yield Section("left-out", "What was left out", (Bullets(tuple(left_out)), said))


def _missing(lost: Missing) -> tuple[Span, ...]:
    seeds = f"{'seed' if len(lost.seeds) == 1 else 'seeds'} {', '.join(map(str, lost.seeds))}"
    return (f"{lost.variant} on {lost.dataset}: {seeds} ({lost.status})",)


def _trouble(run: Run) -> tuple[Span, ...]:
    which = f"{run.status}: {run.variant}, {run.dataset}, seed {run.seed} ("
    return (which, Code(f"runs/{run.id}"), f"){f': {run.reason}' if run.reason else ''}")


def cost(runs: Sequence[Run]) -> str:
    """What the runs took."""
    done = [run for run in runs if run.wall_seconds is not None]
    wall = sum(run.wall_seconds or 0.0 for run in done)
    cpu = sum(run.cpu_seconds or 0.0 for run in done)
    count = f"{len(done)} {'run' if len(done) == 1 else 'runs'}"
    return f"{count} took {numbers.duration(wall)} in all ({numbers.duration(cpu)} of CPU time)."


_PER_RUN = ("checksums", "trained_together", "trunk", "trunk_epochs")


def method(results: Results, summary: Summary) -> Iterator[Block]:
    """Where the runs come from and where their records are."""
    yield Bullets(tuple((line,) for line in _provenance(results, summary)))
    yield Text(
        (
            "Every run's settings are in ",
            Code("runs/*/config.json"),
            ", its epochs in ",
            Code("metrics.jsonl"),
            ", its predictions of the held-out examples in ",
            Code("predictions.npy"),
            ", whether they are right in ",
            Code("correct.npy"),
            "; ",
            Link(TABLE, TABLE),
            " has a row a run, ",
            Link(SUMMARY, SUMMARY),
            " every number of this page.",
        )
    )


def _provenance(results: Results, summary: Summary) -> Iterator[str]:
    for dataset in summary.datasets:
        seeds = sorted({run.seed for run in results.runs if run.dataset == dataset})
        yield f"seeds on {dataset}: {numbers.seeds(seeds)}"
    for origin in summary.origins:
        made = ", ".join(
            f"{'' if key == 'bottleneck_lab' else 'commit ' if key == 'commit' else f'{key} '}"
            f"{f'bottleneck_lab {value}' if key == 'bottleneck_lab' else value}"
            for key, value in ((key, getattr(origin, key) or "unknown") for key in ORIGIN)
        )
        yield f"{origin.runs} finished {'run' if origin.runs == 1 else 'runs'}: {made}"
    environment = next((results.environment(run) for run in results.runs if run.status == "done"), {})
    for name, value in environment.items():
        if name not in (*_PER_RUN, *ORIGIN) and value is not None and value != {}:
            yield f"{name}: {value}"
    for name, value in _checksums(results).items():
        yield f"md5 of {name}: {value}"


def _checksums(results: Results) -> dict[str, str]:
    found: dict[str, str] = {}
    for dataset in results.plan.datasets:
        run = next((r for r in results.runs if r.dataset == dataset and r.status == "done"), None)
        if run is not None:
            checksums = results.environment(run).get("checksums")
            found |= checksums if isinstance(checksums, dict) else {}
    return found


def settings(results: Results, dataset: str, table_id: str) -> Section:
    """The section of what the levels set and what all variants share."""
    variants = [variant.settings.sections() for variant in results.plan.on(dataset)]
    levels = tuple(tuple(map(Cell, row)) for row in _levels(results.plan.part_on(dataset)))
    shared = tuple((Cell(name), Cell(line)) for name, line in _shared_settings(variants).items())
    axes = (Column("axis"), Column("level"), Column("settings"))
    return Section(
        f"settings-{dataset}",
        f"Settings: {dataset}",
        (
            Table(f"{table_id}-levels", "What the levels of the axes set", axes, levels),
            Table(table_id, "What all variants share", (Column("of"), Column("settings")), shared),
        ),
        level=3,
    )


def _levels(part: PlannedPart) -> Iterator[tuple[str, str, str]]:
    """What every level of every axis sets: axis, level, settings in a line."""
    for axis, levels in part.axes.items():
        for level, overrides in levels.items():
            kept = {section: values for section, values in overrides.items() if values}
            yield axis, level, assignments.changed(kept) or "nothing"


def _shared_settings(variants: Sequence[Mapping[str, Unchecked]]) -> dict[str, str]:
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
            lines[section] = assignments.settings(shared)
        if stages is not None:
            lines["stages (t, c, n, s; a bare t is the expansion)"] = assignments.stages(stages)
    return lines


PAPER = """\
@inproceedings{sandler2018mobilenetv2,
  title     = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  author    = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and
               Chen, Liang-Chieh},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {4510--4520},
  year      = {2018},
  eprint    = {1801.04381},
  eprinttype = {arXiv}
}"""


def citations(summary: Summary) -> Iterator[Block]:
    """The paper and this software, as BibTeX."""
    origin = summary.origins[0] if summary.origins else None
    commit = f",\n  note    = {{commit {origin.commit}}}" if origin and origin.commit else ""
    software = (
        "@software{bottleneck_lab,\n"
        "  author  = {{The bottleneck\\_lab authors}},\n"
        "  title   = {bottleneck\\_lab: Matched, replicated experiments on linear bottlenecks},\n"
        "  year    = {2026},\n"
        f"  version = {{{(origin and origin.bottleneck_lab) or __version__}}}{commit}\n"
        "}"
    )
    yield Listing("cite-paper", "The paper", PAPER)
    yield Listing("cite-software", "This software", software)
