"""Doing one job, wherever it is done: claim it, train it, leave its folders."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import torch

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.config.data import DataSettings
from bottleneck_lab.config.settings import fingerprint
from bottleneck_lab.data.checksums import checksums
from bottleneck_lab.data.images import load_images
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import FINAL, RunFolder
from bottleneck_lab.records.provenance import data_difference, environment
from bottleneck_lab.runs import under_way
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.training import Checkpoint, Outcome, Record, Trunks, find_device, train


@dataclass(frozen=True)
class Workplace:
    """Where jobs are done.

    Args:
        results: the folder of one ablation and tier; runs and checkpoints lie in it.
        device: name of the device, or `auto`.
        data: the folder of each data set that has files.
        include: files that add to the lab, for a process that has yet to run them.
        engine: what does the jobs, for those who look on.
        checksums: what data turned out to be when the runs were planned.
    """

    results: Path
    device: str = "auto"
    data: Mapping[str, Path] = field(default_factory=dict)
    include: tuple[Path, ...] = ()
    engine: str = "local"
    checksums: Mapping[DataSettings, Mapping[str, str]] = field(default_factory=dict)

    def checkpoint(self, job: Job, batch: int = 0) -> Path:
        """The file of a batch that is under way; that of a run on images is the same in every job."""
        name = job.id if len(job.batches) == 1 else fingerprint(job.run_ids[batch])
        return self.results / "checkpoints" / f"{name}.pt"

    @property
    def trunks(self) -> Trunks:
        """The beginnings of trainings that others can go on from."""
        return Trunks(self.results / "trunks")

    def lock(self, job: Job) -> filelock.FileLock:
        """Who holds this is at work on the job. A process that dies lets go of it."""
        path = under_way.lock_path(self.results, job.group)
        path.parent.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(path)

    def is_free(self, job: Job) -> bool:
        """Whether no process is at work on the job just now."""
        return not under_way.is_held(under_way.lock_path(self.results, job.group))

    def companions(self, job: Job) -> list[RunSettings]:
        """The runs to train: those of an earlier beginning if there is one, else the unfinished.

        A batch is gone on with, or begun anew, in the company it was begun in, so that it ends in the same
        bits.
        """
        alone = len(job.batches) == 1
        if alone and (saved := Checkpoint(self.checkpoint(job)).load()) is not None:
            begun = saved["runs"]
        elif (taken := under_way.read(self.results, job.id)) is not None:
            begun = taken.runs
        else:
            return job.unfinished(self.results)
        return [run for run, name in zip(job.runs, job.run_ids, strict=True) if name in begun]

    def forget(self, job: Job) -> None:
        """Drop what is kept of a job while it is under way."""
        for batch in range(len(job.batches)):
            Checkpoint(self.checkpoint(job, batch)).drop()
        under_way.drop(self.results, job.id)

    def forget_begun(self, job: str) -> None:
        """The same for a job of which only the id is known, as it stands in `under_way`."""
        Checkpoint(self.results / "checkpoints" / f"{job}.pt").drop()
        under_way.drop(self.results, job)


def do(
    job: Job, place: Workplace, progress: Callable[[float, Record], None] = lambda share, record: None
) -> bool:
    """Train what is unfinished of a job; False if another process is at work on it.

    A run that raises is left with status `failed` and the reason, and the next job can go on; only OSError
    is passed on. `progress` is told the share that is done (0 to 1) and the latest record.
    """
    lock = place.lock(job)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return False
    try:
        if job.unfinished(place.results):
            _train(job, place, progress)
        place.forget(job)
    finally:
        lock.release()
    return True


def _train(job: Job, place: Workplace, progress: Callable[[float, Record], None]) -> None:
    companions = place.companions(job)
    begun = [run.id for run in companions]
    under_way.here(job.id, job.group, tuple(begun), place.engine).write(place.results)
    for batch, runs in enumerate(job.batches):
        left = [run for run in companions if run in runs]
        if any(RunFolder(place.results, run.id).status() not in FINAL for run in left):
            _train_batch(job, batch, left, place, progress)


def _train_batch(
    job: Job,
    batch: int,
    runs: Sequence[RunSettings],
    place: Workplace,
    progress: Callable[[float, Record], None],
) -> None:
    checkpoint = Checkpoint(place.checkpoint(job, batch))
    folders = [RunFolder(place.results, run.id) for run in runs]
    open_folders = [folder.status() not in FINAL for folder in folders]  # what is finished is not touched
    epochs = runs[0].train.epochs

    def keep(index: int, records: list[Record]) -> None:
        if open_folders[index]:
            folders[index].keep_records(records)
        if index == 0 or records[-1]["epoch"] == epochs:
            progress(job.share(batch, records[-1]["epoch"]), records[-1])

    try:
        for run, folder, is_open in zip(runs, folders, open_folders, strict=True):
            if is_open:
                folder.start(run)
        device = find_device(place.device)
        data = place.data.get(runs[0].dataset)
        _check_data(runs[0].data, data, place)
        outcomes = train(
            runs, folder=data, device=device, checkpoint=checkpoint, progress=keep, trunks=place.trunks
        )
        for run, folder, outcome in zip(runs, folders, outcomes, strict=True):
            if folder.status() not in FINAL:
                folder.finish(run, outcome, _environment(run, outcome, len(runs), device, data))
    except OSError:  # a full disk, say: not the fault of these runs, and no other would fare better
        raise
    except Exception as error:  # whatever it is, it must not take the other runs along
        checkpoint.drop()  # it may be what does not fit
        reason = f"{type(error).__name__}: {error}"
        for run, folder in zip(runs, folders, strict=True):
            if folder.status() not in FINAL:
                folder.fail(run, reason, traceback.format_exc())


def _checksums(settings: DataSettings, folder: Path | None) -> dict[str, str]:
    """Those of what is trained on: images that are read already are not read again."""
    if isinstance(settings, ImageSettings):
        return load_images(settings, folder).checksums
    return checksums(settings, folder)


def _check_data(settings: DataSettings, folder: Path | None, place: Workplace) -> None:
    """Refuse to train on something else than what was planned, which no report could compare.

    Raises:
        LabError: the data are not what they were.
    """
    found = _checksums(settings, folder)
    if why := data_difference(place.checksums.get(settings, {}), found):
        raise LabError(
            f"{settings.dataset} is not what it was when the runs were planned ({why}); if nobody has "
            "changed it, there is chance in what makes it: give that a fixed seed"
        )


def _environment(
    run: RunSettings, outcome: Outcome, together: int, device: torch.device, data: Path | None
) -> dict[str, object]:
    own = outcome.records[outcome.continued :]  # those before took the time of another run
    return {
        **environment(str(device)),
        "kernel": outcome.kernel,
        "included": run.added_files(),
        "trained_together": together,
        "checksums": _checksums(run.data, data),
        **({"trunk": run.trunk, "trunk_epochs": outcome.continued} if outcome.continued else {}),
        "wall_seconds": round(sum(record["seconds"] for record in own), 3),
        "cpu_seconds": round(sum(record["cpu_seconds"] for record in own), 3),
    }
