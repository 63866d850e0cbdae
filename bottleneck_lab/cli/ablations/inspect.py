"""`list`, `describe` and `status`: look without training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli import completion
from bottleneck_lab.cli.options import Include, Out

if TYPE_CHECKING:
    from bottleneck_lab.config import Ablation, Variant
    from bottleneck_lab.config.ablations.parts import Part
    from bottleneck_lab.records.results.table import Run
    from bottleneck_lab.runs.under_way import UnderWay

LOG_LINES = 3  # of what a run that failed has left


def list_ablations() -> None:
    """List the ablations that come with the project."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import TIERS, catalogue, load

    for name in catalogue():
        ablation = load(name)
        say(name, style="bold")
        say(f"  {ablation.question}")
        say(f"  {ablation.source}; on {', '.join(ablation.datasets())}")
    say("tiers", style="bold")
    for tier, text in TIERS.items():
        say(f"  {tier}: {text}")


def describe(
    name: Annotated[
        str,
        typer.Argument(
            help="An ablation of the catalogue, or a file.toml.", autocompletion=completion.ablations
        ),
    ],
    include: Include = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="List everything that --set takes, with value and meaning.")
    ] = False,
) -> None:
    """Say what an ablation asks and claims, and draw the block of each of its variants."""
    from bottleneck_lab.cli.ablations.shortcuts import narrowed, shortcuts_of
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import load
    from bottleneck_lab.models.drawing import draw_block

    extend.include_all(include or [])
    ablation = load(name)
    if settings:
        _list_settings(ablation)
        return
    say(ablation.name, style="bold")
    say(ablation.question)
    say(f"Source: {ablation.source}")
    say(f"The paper reports: {' '.join(ablation.reported.split())}")
    say(f"Against it would count: {' '.join(ablation.against.split())}")
    for part in ablation.parts.values():
        dataset = next(iter(part.datasets))
        say(f"\n{part.title} ({', '.join(part.datasets)})", style="bold")
        levels = list(part.axes[part.facet]) if part.facet else []
        tiers = part.datasets[dataset].tiers
        drawn: dict[str, str] = {}
        for variant in ablation.variants("quick" if "quick" in tiers else next(iter(tiers)), [dataset]):
            level = variant.levels[part.facet] if part.facet else None
            if level is not None and level != levels[0]:
                continue
            others = f" (and {', '.join(levels[1:])})" if level else ""
            say(f"\n{variant.name}{others}", style="bold")
            for axis, at in variant.levels.items():
                if about := part.axes[axis][at].about:
                    say(f"  {about}")
            if part.predictions:
                say(f"  {_expected(part, variant)}", style="italic")
            drawing = narrowed(draw_block(variant.settings))
            if twin := drawn.get(drawing):
                say(f"    block as in {twin}")
            else:
                print(drawing)
            drawn.setdefault(drawing, variant.name)
            if where := shortcuts_of(variant.settings):
                say(f"    shortcuts: {where}")
        if part.hypotheses:
            say("\nHypotheses, whose predictions stand above in points lost", style="bold")
        for hypothesis, sentence in part.hypotheses.items():
            say(f"  {hypothesis}: {sentence}")
        if part.tuning is not None:
            grid = ", ".join(f"{value:g}" for value in part.tuning.grid)
            say("\nTuning", style="bold")
            say(f"  {part.tuning.setting}: for each {part.tuning.arms} the best of {grid} or beyond")
        if part.budget is not None:
            lengths = part.axes[part.budget.axis]
            say("\nTraining length", style="bold")
            say(f"  {part.budget.fast} against {part.budget.slow} after each of: {', '.join(lengths)}")
        say("\nClaims", style="bold")
        for claim in part.claims:
            say(f"  {claim.id}: {claim.statement} ({claim.source})")


def _list_settings(ablation: Ablation) -> None:
    from bottleneck_lab.cli.ablations.settings_list import settings_of
    from bottleneck_lab.cli.text import say

    say("What --set takes, as KEY=VALUE; without its first word a key holds for every part that has it.")
    for key, value, meaning in settings_of(ablation):
        say(f"{key}={value}", style="bold")
        say(f"    {meaning}" if meaning else "")


def _expected(part: Part, variant: Variant) -> str:
    """A variant's covariates, and what each hypothesis predicts of it."""
    from bottleneck_lab.manifold.covariates import covariates_of

    found = covariates_of(variant.settings)
    words = []
    if found is not None:
        words.append(
            f"decodable {found.decodable:.3f}, linearly {found.linear:.3f}, gradients x{found.growth:.3f}"
        )
    predicted = [
        f"{name} {of[variant.name]:g}" for name, of in part.predictions.items() if variant.name in of
    ]
    return "; ".join([*words, *([f"predicted: {', '.join(predicted)}"] if predicted else [])])


def status(
    name: Annotated[
        str | None, typer.Argument(help="Only this ablation.", autocompletion=completion.ablations)
    ] = None,
    out: Out = Path("results"),
) -> None:
    """Tell how far the ablations in a results folder are."""
    from bottleneck_lab.cli.text import left_out, say
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.errors import LabError
    from bottleneck_lab.records.lenient import Stray
    from bottleneck_lab.records.results.folders import result_folders
    from bottleneck_lab.report.reading.collect import collect
    from bottleneck_lab.report.sentences.conditions import counts, trouble
    from bottleneck_lab.runs import engines, under_way

    refused: list[str] = []
    every = result_folders(out, refused)
    for line in refused:
        say(line)
    folders = [folder for folder in every if name in (None, folder.parent.name)]
    if every and not folders:
        raise LabError(
            f"{out} has no results of {name!r}; {nearest(name or '', [f.parent.name for f in every])}"
        )
    if not folders:
        raise LabError(f"{out}: there is nothing here; results are made by `run-ablation NAME --out {out}`")
    for folder in folders:
        try:
            results = collect(folder)
            alive = [taken for taken in under_way.read_all(folder) if taken.is_alive(folder)]
        except LabError as error:
            say(str(error), style="bold yellow")
            continue
        at_work = {run: taken for taken in alive for run in taken.runs}
        queued = engines.queued(folder)
        said = [_state(run, at_work, queued) for run in results.runs]
        say(f"{_relative(folder, out)}: {counts(said)}")
        for run, state in zip(results.runs, said, strict=True):
            if state == "running":
                taken = at_work[run.id]
                say(f"  running: {run.variant}, {run.dataset}, seed {run.seed} ({_where(taken)})")
        for run in results.troubled():
            say(f"  {trouble(run)}")
            if run.status == "failed":
                _last_lines(folder / "runs" / run.id / "error.txt")
        notes = [*under_way.unreadable(folder), *engines.unreadable(folder)]
        no_notes = [Stray(note.relative_to(folder).as_posix(), "says nothing of a job") for note in notes]
        left_out([*results.strays, *no_notes], results.other_plans)


def _relative(folder: Path, out: Path) -> Path:
    return folder if folder == out else folder.relative_to(out)


def _state(run: Run, at_work: Mapping[str, UnderWay], queued: Collection[str]) -> str:
    """What a run is doing: while anything is at work in its folder, what is not yet begun is queued."""
    if run.status in ("done", "diverged", "damaged"):
        return run.status
    if run.id in at_work:
        return "running" if at_work[run.id].host else "queued"
    if run.id in queued:
        return "queued"
    return "queued" if at_work and run.status != "failed" else run.status


def _where(taken: UnderWay) -> str:
    return f"{taken.engine}, {taken.host}, process {taken.pid}"


def _last_lines(log: Path) -> None:
    """The end of what a run that failed has left as its log."""
    try:
        lines = log.read_text("utf-8", errors="replace").rstrip().splitlines()[-LOG_LINES:]
    except OSError:
        return
    for line in lines:
        print(f"    | {line}")
