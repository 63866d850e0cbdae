"""TensorBoard: a folder of event files a run. Written by PyTorch's writer, without TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from bottleneck_lab.runs.trackers.protocol import FinishedRun


class Tracker:
    """Folders `tensorboard/<run id>`, each renamed to that when it is complete."""

    def __init__(self, results: Path) -> None:
        self._folder = results / "tensorboard"
        self.look = f"tensorboard --logdir {self._folder}"

    def has(self, run_id: str) -> bool:
        """Whether the folder of this run is there."""
        return (self._folder / run_id).exists()

    def log(self, run: FinishedRun) -> None:
        """Write scalars by epoch, and settings and result for the tab of hyperparameters."""
        result = {f"result/{name}": value for name, value in run.result.items()}
        settings = {"name": run.name, "status": run.status, **run.settings}
        with SummaryWriter(self._part(run.id)) as writer:
            for summary in hparams(settings, result):
                writer.file_writer.add_summary(summary)
            for epoch, numbers in run.epochs.items():
                for name, value in numbers.items():
                    writer.add_scalar(name, value, epoch)
            for name, value in result.items():
                writer.add_scalar(name, value, max(run.epochs, default=0))
        self._part(run.id).rename(self._folder / run.id)

    def forget(self, run_id: str) -> None:
        """Remove the run's folder, complete or not."""
        for folder in (self._folder / run_id, self._part(run_id)):
            if folder.exists():
                shutil.rmtree(folder)

    def _part(self, run_id: str) -> Path:
        return self._folder / f".{run_id}.part"
