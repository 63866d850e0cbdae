"""`list`, `describe` and `status`: look without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import Include, Out


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
    name: Annotated[str, typer.Argument(help="An ablation of the catalogue, or a file.toml.")],
    include: Include = None,
) -> None:
    """Say what an ablation asks and claims, and draw the block of each of its variants."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import load
    from bottleneck_lab.models.drawing import draw_block

    extend.include_all(include or [])
    ablation = load(name)
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
        for variant in ablation.variants("quick" if "quick" in tiers else next(iter(tiers)), [dataset]):
            level = variant.levels[part.facet] if part.facet else None
            if level is not None and level != levels[0]:
                continue
            others = f" (and {', '.join(levels[1:])})" if level else ""
            say(f"\n{variant.name}{others}", style="bold")
            print(draw_block(variant.settings))
        say("\nClaims", style="bold")
        for claim in part.claims:
            say(f"  {claim.id}: {claim.statement} ({claim.source})")


def status(
    name: Annotated[str | None, typer.Argument(help="Only this ablation.")] = None,
    out: Out = Path("results"),
) -> None:
    """Tell how far the ablations in a results folder are."""
    from bottleneck_lab.cli.text import left_out, say
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.errors import LabError
    from bottleneck_lab.report.collect import collect
    from bottleneck_lab.report.format import counts, trouble

    every = sorted(out.glob("*/*/plan.json"))
    plans = [path for path in every if name in (None, path.parts[-3])]
    if every and not plans:
        raise LabError(
            f"{out} has no results of {name!r}; {nearest(name or '', [p.parts[-3] for p in every])}"
        )
    if not plans:
        raise LabError(f"{out}: there is nothing here; results are made by `run-ablation NAME --out {out}`")
    for path in plans:
        try:
            results = collect(path.parent)
        except LabError as error:
            say(str(error), style="bold yellow")
            continue
        say(f"{path.parent.relative_to(out)}: {counts([run.status for run in results.runs])}")
        for run in results.troubled():
            say(f"  {trouble(run)}")
        left_out(results.strays, results.other_plans)
