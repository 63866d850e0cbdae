"""Choosing a setting for each arm, by trials on images and seeds that nothing else uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bottleneck_lab.config import Ablation, DatasetName, RunSettings, Tier, Unchecked
from bottleneck_lab.config.ablations.tuning import Trial, Tuned
from bottleneck_lab.config.data import ImageSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.jobs import Job, plan_jobs

Drive = Callable[[Sequence[Job]], None]


def tune(
    ablation: Ablation,
    tier: Tier,
    dataset: DatasetName,
    overrides: Unchecked,
    results: Path,
    drive: Drive,
) -> Tuned:
    """Train the trials of one data set with `drive`, and write and return what is chosen by them.

    `results` is a folder of these trials alone; those that are finished in it are not trained again.

    Raises:
        LabError: impossible settings; a trial that failed, without which nothing can be chosen.
    """
    part = ablation.parts[ablation.part_of(dataset) or ""]
    assert part.tuning is not None
    grid: tuple[float, ...] = part.tuning.grid
    while True:
        tuned = _on_grid(ablation, tier, dataset, overrides, results, drive, grid)
        grown = part.tuning.extended(grid, list(tuned.chosen.values()))
        if grown == grid:
            break
        grid = grown
    content = {"hash": tuned.hash, **json.loads(tuned.model_dump_json())}
    files.write_json(results / f"{dataset}.json", content)
    return tuned


def _on_grid(
    ablation: Ablation,
    tier: Tier,
    dataset: DatasetName,
    overrides: Unchecked,
    results: Path,
    drive: Drive,
    grid: tuple[float, ...],
) -> Tuned:
    part_name = ablation.part_of(dataset) or ""
    tuning = ablation.parts[part_name].tuning
    assert tuning is not None
    variants = ablation.trials(tier, dataset, grid, overrides)
    seeds = ablation.tuning_seeds(tier, dataset)
    runs = {
        (variant.levels[tuning.arms], value, seed): variant.with_seed(seed)
        for variant, value in zip(variants, list(grid) * (len(variants) // len(grid)), strict=True)
        for seed in seeds
    }
    drive(plan_jobs(list(runs.values())))
    data = variants[0].settings.data
    assert isinstance(data, ImageSettings)
    found = Tuned(
        part=part_name,
        dataset=dataset,
        setting=tuning.setting,
        arms=tuning.arms,
        shared=tuning.shared,
        grid=grid,
        images=data.tuning_images,
        classes=data.classes,
        chosen={},
        at_edge=(),
        trials=tuple(_trial(results, *key, run) for key, run in runs.items()),
    )
    arms = dict.fromkeys(arm for arm, _, _ in runs)
    chosen = {arm: found.best(arm) for arm in arms}
    at_edge = tuple(arm for arm, value in chosen.items() if value in (grid[0], grid[-1]))
    return found.model_copy(update={"chosen": chosen, "at_edge": at_edge})


def _trial(results: Path, arm: str, value: float, seed: int, run: RunSettings) -> Trial:
    result = RunFolder(results, run.id).result() or {}
    if result.get("status") not in ("done", "diverged"):
        reason = result.get("reason", "it is not finished")
        raise LabError(
            f"{results / 'runs' / run.id}: nothing can be chosen without this trial ({arm}, {value:g}, seed "
            f"{seed}): {reason}; start again to try it again"
        )
    return Trial(
        arm=arm,
        value=value,
        seed=seed,
        run=run.id,
        accuracy=result.get("accuracy"),
        loss=result.get("loss"),
    )
