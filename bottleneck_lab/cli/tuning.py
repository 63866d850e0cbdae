"""The stage of `run-ablation` before the comparison: choosing a setting for each arm."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bottleneck_lab.config import Ablation, Tier
    from bottleneck_lab.config.tuning import Tuned
    from bottleneck_lab.runs.engines.protocol import Engine
    from bottleneck_lab.runs.jobs import Job
    from bottleneck_lab.runs.plan import Data
    from bottleneck_lab.runs.work import Workplace


def tune_all(
    ablation: Ablation,
    tier: Tier,
    data: Data,
    overrides: dict[str, Any],
    place: Workplace,
    start: Callable[[Workplace, int], Engine],
    *,
    fresh: bool,
    dry_run: bool,
) -> list[Tuned]:
    """Choose what the parts of these data sets want chosen, in the folder `tuning` of the results.

    A setting that `--set` gives is chosen already. A dry run says how many trials there would be.

    Args:
        place: where the comparison is going to be made.
        start: makes the engine for a place and a number of jobs.
    """
    from bottleneck_lab.cli.text import notice, say
    from bottleneck_lab.runs.tuning import tune

    place = dataclasses.replace(place, results=place.results / "tuning")
    if fresh and not dry_run:
        shutil.rmtree(place.results, ignore_errors=True)
    found = []
    for dataset in data.names:
        name = ablation.part_of(dataset) or ""
        tuning = ablation.parts[name].tuning
        if tuning is None or _is_given(tuning.setting, name, overrides):
            continue
        arms = len(ablation.parts[name].axes[tuning.arms])
        trials = (
            f"{arms} arms x {len(tuning.grid)} values x {len(ablation.tuning_seeds(tier, dataset))} seeds"
        )
        say(f"{dataset}: {tuning.setting} is chosen for each {tuning.arms} first: {trials}")
        if dry_run:
            notice(f"{dataset}: costs are those of the shared value, {tuning.shared:g}")
            continue

        def drive(jobs: Sequence[Job]) -> None:
            _drive(jobs, place, start)

        tuned = tune(ablation, tier, dataset, overrides, place.results, drive)
        chosen = ", ".join(f"{value:g} for {arm}" for arm, value in tuned.chosen.items())
        say(f"{dataset}: {tuning.setting} = {chosen} (tuning {tuned.hash})")
        if tuned.at_edge:
            notice(f"{dataset}: the best value of {' and '.join(tuned.at_edge)} lies at the edge of its grid")
        found.append(tuned)
    return found


def _drive(jobs: Sequence[Job], place: Workplace, start: Callable[[Workplace, int], Engine]) -> None:
    from bottleneck_lab.cli.progress import watching
    from bottleneck_lab.runs.execute import drive

    left = [job for job in jobs if job.unfinished(place.results)]
    if not left:
        return
    with start(place, len(left)) as engine, watching(left) as listener:
        drive(left, engine, listener)


def _is_given(setting: str, part: str, overrides: dict[str, Any]) -> bool:
    section, _, key = setting.partition(".")
    return any(key in layer.get(section, {}) for layer in (overrides, overrides.get(part, {})))
