"""The command that makes a results folder again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bottleneck_lab.records.results.plan import PlanRecord
from bottleneck_lab.report.sentences import assignments, numbers


def repeat_command(plan: PlanRecord) -> str:
    """What to type for the runs of a `plan.json`: `run-ablation linear_vs_relu --seeds 100-111`.

    Says only what differs from what `run-ablation` does by itself. Data sets that were planned with different
    seeds of their own choice cannot come from one command; the seeds of the first are named then.
    """
    words = ["run-ablation", plan.ablation.name]
    if plan.tier != "quick":
        words += ["--tier", plan.tier]
    if plan.datasets != [next(iter(part.datasets), None) for part in plan.ablation.parts.values()]:
        words += [word for name in plan.datasets for word in ("--dataset", name)]
    changed = [seeds for name in plan.datasets if (seeds := _seeds(plan, name)) != _usual(plan, name)]
    if changed:
        words += ["--seeds", _written(changed[0])]
    words += [word for setting in assignments.assignments(plan.overrides) for word in ("--set", setting)]
    return shlex.join(words)


def _seeds(plan: PlanRecord, dataset: str) -> list[int]:
    return [*plan.on(dataset)[0].runs]


def _usual(plan: PlanRecord, dataset: str) -> list[int] | None:
    """The seeds of a tier where nothing is said."""
    for part in plan.ablation.parts.values():
        tier = part.datasets[dataset].tiers.get(plan.tier) if dataset in part.datasets else None
        if tier is not None:
            count = tier.looks[-1] if tier.looks else tier.seeds or 0
            return [*range(tier.first_seed, tier.first_seed + count)]
    return None


def _written(seeds: Sequence[int]) -> str:
    """As `--seeds` reads it, where a number alone is how many: `5`, `4-4`, `10-14`, or `3,7-8`."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    return numbers.seeds(seeds) if len(seeds) > 1 else f"{seeds[0]}-{seeds[0]}"
