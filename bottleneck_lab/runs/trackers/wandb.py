"""Weights & Biases: offline, unless `WANDB_MODE` says otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

os.environ.setdefault("WANDB_MODE", "offline")
if os.environ["WANDB_MODE"] == "offline":
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read as it is imported; it would need a network

import wandb

from bottleneck_lab.records import files
from bottleneck_lab.runs.trackers.protocol import FinishedRun


class Tracker:
    """Runs in `wandb/`, named by the hash of their settings; a file in `wandb/complete/` for each."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._folder = results / "wandb"
        self.look = (
            f"wandb sync {self._folder}/offline-run-*"
            if os.environ["WANDB_MODE"] == "offline"
            else "https://wandb.ai"
        )

    def has(self, run_id: str) -> bool:
        """Whether this run was written to its end."""
        return self._complete(run_id).exists()

    def log(self, run: FinishedRun) -> None:
        """Write settings, records by epoch, and the result as the summary."""
        online = os.environ["WANDB_MODE"] == "online"
        ours = wandb.init(
            project=self._results.parent.name,
            group=self._results.name,
            id=run.id,
            name=run.name,
            config={**run.settings, "status": run.status},
            dir=self._results,
            resume="allow" if online else None,
            settings=wandb.Settings(silent=True, console="off"),
        )
        for epoch, numbers in run.epochs.items():
            ours.log(numbers, step=epoch)
        ours.summary.update({f"result/{name}": value for name, value in run.result.items()})
        ours.finish(exit_code=0 if run.status == "done" else 1)
        files.write_text(self._complete(run.id), "")

    def forget(self, run_id: str) -> None:
        """Remove what lies here of this run; what was sent away stays, and is gone on with."""
        self._complete(run_id).unlink(missing_ok=True)
        for folder in self._folder.glob(f"*run-*-{run_id}"):
            shutil.rmtree(folder)

    def _complete(self, run_id: str) -> Path:
        return self._folder / "complete" / run_id
