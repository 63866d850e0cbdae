"""The command that makes a results folder again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from bottleneck_lab.report.sentences import assignments, numbers


def repeat_command(plan: dict[str, Any]) -> str:
    """What to type for the runs of a `plan.json`: `run-ablation linear_vs_relu --seeds 100-111`.

    Says only what differs from what `run-ablation` does by itself. Data sets that were planned with different
    seeds of their own choice cannot come from one command; the seeds of the first are named then.
    """
    ablation = plan["ablation"]
    words = ["run-ablation", ablation["name"]]
    if plan["tier"] != "quick":
        words += ["--tier", plan["tier"]]
    if plan["datasets"] != [next(iter(part["datasets"]), None) for part in ablation["parts"].values()]:
        words += [word for name in plan["datasets"] for word in ("--dataset", name)]
    changed = [seeds for name in plan["datasets"] if (seeds := _seeds(plan, name)) != _usual(plan, name)]
    if changed:
        words += ["--seeds", _written(changed[0])]
    words += [word for setting in assignments.assignments(plan["overrides"]) for word in ("--set", setting)]
    return shlex.join(words)


def _seeds(plan: dict[str, Any], dataset: str) -> list[int]:
    variant = next(v for v in plan["variants"] if v["dataset"] == dataset)
    return [int(seed) for seed in variant["runs"]]


def _usual(plan: dict[str, Any], dataset: str) -> list[int] | None:
    """The seeds of a tier where nothing is said."""
    for part in plan["ablation"]["parts"].values():
        tier = part["datasets"].get(dataset, {}).get("tiers", {}).get(plan["tier"])
        if tier is not None:
            first, looks = tier.get("first_seed", 0), tier.get("looks")
            return list(range(first, first + (looks[-1] if looks else tier["seeds"])))
    return None


def _written(seeds: Sequence[int]) -> str:
    """As `--seeds` reads it, where a number alone is how many: `5`, `4-4`, `10-14`, or `3,7-8`."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    return numbers.seeds(seeds) if len(seeds) > 1 else f"{seeds[0]}-{seeds[0]}"
