"""The stage of a session before the comparison: choosing a setting for each arm."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bottleneck_lab.runs.execute import drive as drive_jobs
from bottleneck_lab.runs.tuning import tune

if TYPE_CHECKING:
    from bottleneck_lab.api.session.host import Host
    from bottleneck_lab.api.session.session import Order
    from bottleneck_lab.config import Ablation, Unchecked
    from bottleneck_lab.config.ablations.tuning import Tuned
    from bottleneck_lab.runs.engines.protocol import Engine
    from bottleneck_lab.runs.jobs import Job
    from bottleneck_lab.runs.plan import Data
    from bottleneck_lab.runs.work import Workplace


def tune_all(
    ablation: Ablation,
    data: Data,
    place: Workplace,
    start: Callable[[Workplace, int], Engine],
    order: Order,
    host: Host,
) -> list[Tuned]:
    """Choose what the parts of these data sets want chosen, in the folder `tuning` of the results.

    A setting that is overridden is chosen already. A dry run says how many trials there would be.

    Args:
        ablation: the question.
        data: the data sets.
        place: where the comparison is going to be made.
        start: makes the engine for a place and a number of jobs.
        order: how the ablation is run.
        host: who is told.
    """
    place = dataclasses.replace(place, results=place.results / "tuning")
    if order.fresh and not order.dry_run:
        shutil.rmtree(place.results, ignore_errors=True)
    found = []
    for dataset in data.names:
        name = ablation.part_of(dataset) or ""
        tuning = ablation.parts[name].tuning
        if tuning is None or _is_given(tuning.setting, name, order.overrides):
            continue
        arms = len(ablation.parts[name].axes[tuning.arms])
        seeds = len(ablation.tuning_seeds(order.tier, dataset))
        trials = f"{arms} arms x {len(tuning.grid)} values x {seeds} seeds"
        host.say(f"{dataset}: {tuning.setting} is chosen for each {tuning.arms} first: {trials}")
        if order.dry_run:
            host.notice(f"{dataset}: costs are those of the shared value, {tuning.shared:g}")
            continue

        def drive(jobs: Sequence[Job]) -> None:
            _drive(jobs, place, start, host)

        tuned = tune(ablation, order.tier, dataset, order.overrides, place.results, drive)
        chosen = ", ".join(f"{value:g} for {arm}" for arm, value in tuned.chosen.items())
        host.say(f"{dataset}: {tuning.setting} = {chosen} (tuning {tuned.hash})")
        if tuned.at_edge:
            host.notice(
                f"{dataset}: the best value of {' and '.join(tuned.at_edge)} lies at the edge of its grid"
            )
        found.append(tuned)
    return found


def _drive(
    jobs: Sequence[Job], place: Workplace, start: Callable[[Workplace, int], Engine], host: Host
) -> None:
    left = [job for job in jobs if job.unfinished(place.results)]
    if not left:
        return
    with start(place, len(left)) as engine, host.watching(left) as listener:
        drive_jobs(left, engine, listener)


def _is_given(setting: str, part: str, overrides: Unchecked) -> bool:
    section, _, key = setting.partition(".")
    return any(key in layer.get(section, {}) for layer in (overrides, overrides.get(part, {})))
