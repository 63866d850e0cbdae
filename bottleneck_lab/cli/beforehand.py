"""What `run-ablation` says before it trains: the question, the plan, and what it will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bottleneck_lab.cli.text import notice, say
from bottleneck_lab.config import TIERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bottleneck_lab.api.session.session import Session
    from bottleneck_lab.config import Ablation, Tier
    from bottleneck_lab.runs.estimate import Timed
    from bottleneck_lab.runs.jobs import Job


def say_question(ablation: Ablation, tier: Tier) -> None:
    """The first sign of life: what is asked, before anything is counted that takes a while."""
    say(f"{ablation.name}: {ablation.question}", style="bold")
    say(f"tier {tier}: {TIERS[tier]}")
    say("building every network once, to count its parameters and MAdds ...")


def say_plan(session: Session) -> None:
    """How many runs there will be, of which seeds, on what."""
    plan, data = session.plan, session.data
    for name in data.names:
        variants = sum(variant.dataset == name for variant in plan.variants)
        where = f" from {data.folders[name]}" if name in data.folders else ""
        seeds, design = f"{len(plan.seeds[name])} seeds", plan.designs[name]
        if design is not None and design.sequential:
            first, *more = map(str, design.looks)
            seeds = f"{first} seeds{f', then {_listed(more)} where a claim is open' if more else ''}"
        say(f"  {name}: {variants} variants x {seeds}{where}")
    pace = "as many at a time as there is room for"
    if session.workers is not None:
        pace = f"{session.workers} at a time"
    where = f"{session.order.engine}, device {session.device}" if session.away else session.device
    say(f"{_counted(session)} runs, {pace} on {where}, results in {session.results}")
    for text in plan.data.notices:
        notice(text)


def _listed(numbers: Sequence[str]) -> str:
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)


def _counted(session: Session) -> str:
    """How many runs a plan has: `405`, or `96 to 400` where that depends on the verdicts."""
    plan = session.plan
    most = sum(len(job.runs) for job in session.steps.most())
    designs = (plan.designs[variant.dataset] for variant in plan.variants)
    least = sum(
        design.looks[0] if design else len(plan.seeds[variant.dataset])
        for variant, design in zip(plan.variants, designs, strict=True)
    )
    return str(most) if least == most else f"{least} to {most}"


def say_estimate(session: Session) -> None:
    """How long it takes, and how much room, by timing a few steps."""
    from bottleneck_lab.runs.estimate import estimate_bytes

    megabytes = estimate_bytes(session.plan) / 1e6
    timed: Timed = {}
    say("timing a few steps of each kind of network, to estimate how long this takes ...")
    now = _time_for(session.jobs, session, timed)
    if not session.steps.are_planned_looks:
        say(f"{now}; about {megabytes:.0f} MB of disk in all")
        return
    most = _time_for(session.steps.most(), session, timed)
    say(
        f"{now}, for the first look; if no claim is decided early, {most}; at most {megabytes:.0f} MB of disk"
    )


def _time_for(jobs: Sequence[Job], session: Session, timed: Timed) -> str:
    from bottleneck_lab.report.sentences.numbers import duration
    from bottleneck_lab.runs.estimate import estimate_seconds

    # What a cluster will take is not known here; what one worker of this machine would, is.
    workers = None if session.away else session.workers
    jobs = session.unfinished(jobs)
    seconds = estimate_seconds(jobs, session.results, session.device, workers or 1, timed)
    left = sum(len(job.unfinished(session.results)) for job in jobs)
    took = "for a time that cannot be estimated" if seconds is None else f"about {duration(seconds)}"
    took += "" if workers else " if this machine did one at a time"
    return f"{left} runs to train, {took}"
