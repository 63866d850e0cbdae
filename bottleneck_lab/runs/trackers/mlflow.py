"""MLflow: one SQLite file a results folder. No server, and nothing is sent anywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read as it is imported; else it tells of its use
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

import mlflow.store.tracking.sqlalchemy_store  # what mlflow-skinny lacks is missed now, not after hours
from mlflow.entities import Metric, Param, Run

from bottleneck_lab.runs.trackers.protocol import FinishedRun

RUN_TAG = "bottleneck_lab.run"
MOST_METRICS, MOST_PARAMS = 1000, 100  # of one batch; MLflow refuses larger ones

T = TypeVar("T")


class Tracker:
    """Runs in `mlflow.db`, tagged with the hash of their settings; a whole one is terminated."""

    def __init__(self, results: Path) -> None:
        self.look = f"mlflow ui --backend-store-uri sqlite:///{results / 'mlflow.db'}"
        file = (results / "mlflow.db").absolute()
        self._client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}")
        name = f"{results.parent.name}/{results.name}"
        found = self._client.get_experiment_by_name(name)
        self._experiment: str = (
            found.experiment_id
            if found
            else self._client.create_experiment(name, (results / "mlruns").absolute().as_uri())
        )

    def has(self, run_id: str) -> bool:
        """Whether a terminated run has this tag."""
        return any(run.info.status != "RUNNING" for run in self._find(run_id))

    def log(self, run: FinishedRun) -> None:
        """Write settings as parameters, records and result as metrics by epoch."""
        tags = {RUN_TAG: run.id, "status": run.status}
        log_id = self._client.create_run(self._experiment, tags=tags, run_name=run.name).info.run_id
        now = int(1000 * time.time())
        metrics = [
            Metric(name, value, now, epoch)
            for epoch, numbers in run.epochs.items()
            for name, value in numbers.items()
        ]
        last = max(run.epochs, default=0)
        metrics += [Metric(f"result/{name}", value, now, last) for name, value in run.result.items()]
        for params in _batches(
            [Param(name, str(value)) for name, value in run.settings.items()], MOST_PARAMS
        ):
            self._client.log_batch(log_id, params=params)
        for batch in _batches(metrics, MOST_METRICS):
            self._client.log_batch(log_id, metrics=batch)
        self._client.set_terminated(log_id, "FINISHED" if run.status == "done" else "FAILED")

    def forget(self, run_id: str) -> None:
        """Delete the runs with this tag, as MLflow does it: its `gc` removes them for good."""
        for run in self._find(run_id):
            self._client.delete_run(run.info.run_id)

    def _find(self, run_id: str) -> Sequence[Run]:
        found: Sequence[Run] = self._client.search_runs([self._experiment], f"tags.`{RUN_TAG}` = '{run_id}'")
        return found


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
