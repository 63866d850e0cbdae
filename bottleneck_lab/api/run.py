"""Running an ablation from Python: `bottleneck_lab.run`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottleneck_lab import extend
from bottleneck_lab.api.ablations import load
from bottleneck_lab.api.arguments import in_arguments, said_in_arguments, several, whole
from bottleneck_lab.api.results import Results, read_results
from bottleneck_lab.api.session.progress import watching
from bottleneck_lab.api.session.session import Order, Session, refuse_early
from bottleneck_lab.config import TIERS, Ablation, as_overrides
from bottleneck_lab.config.problems import brief, nearest
from bottleneck_lab.data import cifar
from bottleneck_lab.errors import LabError, LabWarning
from bottleneck_lab.report.drawing.check import check_drawing
from bottleneck_lab.runs.engines import read_options
from bottleneck_lab.runs.trackers.tracking import find_tracker
from bottleneck_lab.seeds import LARGEST, MOST
from bottleneck_lab.training.device import settings_kept

if TYPE_CHECKING:
    from bottleneck_lab.config import Tier
    from bottleneck_lab.data.cifar import CifarLayout
    from bottleneck_lab.runs.engines.protocol import Listener
    from bottleneck_lab.runs.jobs import Job


@said_in_arguments()
def run(
    ablation: str | Path | Ablation,
    *,
    tier: Tier = "quick",
    dataset: str | Sequence[str] = (),
    seeds: int | Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    engine: str = "local",
    engine_options: Mapping[str, Any] | None = None,
    device: str = "auto",
    out: str | Path = "results",
    data_dir: str | Path | None = None,
    include: str | Path | Sequence[str | Path] = (),
    trackers: str | Sequence[str] = (),
    fresh: bool = False,
    progress: bool = True,
) -> Results:
    """Train every variant of an ablation, judge its claims, write the report, and read the results.

    It is `run-ablation` without its printing: the same runs in the same folders, so either goes on where the
    other has ended. After a KeyboardInterrupt what is finished is kept.

    Args:
        ablation: a name of the catalogue, the path of a file, or what `load` returns.
        tier: how much to spend: `smoke`, `quick`, `laptop` or `paper`.
        dataset: only on this data set, or on these; no fallback then.
        seeds: how many (5: seeds 0 to 4), or which, instead of the tier's own.
        settings: values to override, by their keys: `{"train.epochs": 3, "images.model.residual": "none"}`.
        workers: runs trained at a time, one thread each; all cores if absent.
        engine: what trains: `local`, `ray` or `slurm`.
        engine_options: what that engine is told: `{"gpus": 1, "per_gpu": 4}`.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        out: folder for results; they go to OUT/NAME/TIER.
        data_dir: folder with CIFAR's binary files; found or fetched if absent.
        include: Python files, or folders of them, that add to the lab.
        trackers: `tensorboard`, `mlflow` or `wandb`, to which runs are logged as well.
        fresh: forget earlier runs and train again.
        progress: show how far it is, in a terminal or notebook; without, only warnings are shown.

    Raises:
        LabError: an unknown name, an impossible setting, data that are not to be had.
    """
    question = ablation if isinstance(ablation, Ablation) else load(ablation, include=include)
    asked = several("dataset", dataset)
    if tier not in TIERS:
        raise LabError(f"tier {tier!r}: no such tier; {nearest(tier, TIERS)}")
    overrides = as_overrides(settings or {})
    refuse_early(question, tier, asked, overrides)
    chosen_trackers = tuple(dict.fromkeys(several("trackers", trackers)))
    for name in chosen_trackers:
        find_tracker(name)
    check_drawing()
    host = Shown() if progress else Silent()
    order = Order(
        tier=tier,
        seeds=_seeds(seeds),
        overrides=overrides,
        workers=_workers(workers, engine, host),
        engine=engine,
        options=read_options(engine, [f"{name}={value}" for name, value in (engine_options or {}).items()]),
        device=device,
        out=Path(out),
        data_dir=None if data_dir is None else Path(data_dir),
        trackers=chosen_trackers,
        fresh=fresh,
    )
    session = Session(question, asked, order, host)
    with settings_kept():
        session.plan_runs()
        for notice in session.plan.data.notices:
            host.notice(notice)
        session.choose_kernels()
        session.begin()
        session.train()
        session.write_report()
    return read_results(session.results)


def _seeds(seeds: int | Sequence[int] | None) -> list[int] | None:
    if seeds is None:
        return None
    chosen = [whole("seeds", seed) for seed in seeds] if isinstance(seeds, Iterable) else None
    if chosen is None:
        chosen = list(range(min(whole("seeds", seeds), MOST + 1)))
    if not 0 < len(chosen) <= MOST or min(chosen) < 0 or max(chosen) > LARGEST:
        raise LabError(f"seeds = {brief(seeds)}: give a number above 0 (5: seeds 0 to 4), or a list of seeds")
    return list(dict.fromkeys(chosen))


def _workers(workers: int | None, engine: str, host: Shown | Silent) -> int | None:
    """One, where something was added that other processes could not look up."""
    if workers is not None and (workers := whole("workers", workers)) < 1:
        raise LabError(f"workers = {workers}: give a whole number above 0")
    here = extend.only_here()
    if not here:
        return workers
    names = " and ".join(here)
    if engine != "local":
        raise LabError(
            f"{names}: added in this process, and the engine {engine!r} trains in others; put what adds it "
            "into a file of its own, and name that by include="
        )
    if workers is None or workers > 1:
        host.notice(
            f"{names}: added in this process, so all runs are trained here, one at a time; for more, put "
            "what adds it into a file of its own, and name that by include="
        )
    return 1


class Silent:
    """Shows nothing but warnings."""

    def say(self, text: str) -> None:
        """Nothing."""

    def notice(self, text: str) -> None:
        """As a warning."""
        warnings.warn(in_arguments(text), LabWarning, stacklevel=3)

    def warn(self, text: str) -> None:
        """As a warning."""
        warnings.warn(in_arguments(text), LabWarning, stacklevel=3)

    def watching(self, jobs: Sequence[Job]) -> AbstractContextManager[Listener]:
        """Nothing."""
        return nullcontext(lambda event: None)

    def fetch(self, layout: CifarLayout, deadline_s: float | None) -> Path:
        """The data set, fetched into the cache."""
        return cifar.fetch(layout, deadline_s=deadline_s, progress=lambda done, total: None)


class Shown(Silent):
    """Shows lines, and how far the jobs are."""

    def say(self, text: str) -> None:
        """As a line."""
        print(text)

    def notice(self, text: str) -> None:
        """As a line."""
        print(f"note: {in_arguments(text)}")

    def watching(self, jobs: Sequence[Job]) -> AbstractContextManager[Listener]:
        """A bar, in a notebook or terminal; else lines."""
        return watching(jobs)
