"""The folder of one run, named by the hash of its settings: what has become of it is seen by looking."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.checksums import KEY, why_altered, with_checksums
from bottleneck_lab.records.names import (
    CONFIG,
    CORRECT,
    ENVIRONMENT,
    ERROR,
    METRICS,
    PREDICTIONS,
    RESULT,
    RUNS,
    WEIGHTS,
)

if TYPE_CHECKING:
    import torch

    from bottleneck_lab.config import RunSettings
    from bottleneck_lab.training import Outcome, Record

Status = Literal["done", "diverged", "failed", "unfinished", "not started"]
FINAL: tuple[Status, ...] = ("done", "diverged")  # a failed run is tried again, these are not


class RunFolder:
    """What one run leaves: its settings, epochs, result, environment, answers and weights.

    `config.json`, `metrics.jsonl`, `environment.json`, `weights.pt`, and for every held-out example the class
    in `predictions.npy` and whether it is right in `correct.npy`.

    `result.json` is written last, with the checksums of the others: a run that has one with status `done` or
    `diverged` is finished.
    """

    def __init__(self, results: Path, run_id: str) -> None:
        self.path = results / RUNS / run_id

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """The folder of a run that lies anywhere."""
        found = cls(path, "")
        found.path = path
        return found

    def status(self) -> Status:
        """What has happened to this run."""
        if (result := self.result()) is not None:
            status: Status = result["status"]
            return status
        return "unfinished" if self.path.exists() else "not started"

    def result(self) -> dict[str, Any] | None:
        """The content of `result.json`; None where there is none, or it is no result."""
        found = files.read_json(self.path / RESULT)
        return found if isinstance(found, dict) and "status" in found else None

    def records(self) -> list[Record]:
        """The records of `metrics.jsonl`, an epoch each."""
        return files.read_json_lines(self.path / METRICS)

    def records_size(self) -> int:
        """Bytes of `metrics.jsonl`, for those who look often whether there is something new."""
        try:
            return (self.path / METRICS).stat().st_size
        except OSError:
            return 0

    def environment(self) -> dict[str, object]:
        """The content of `environment.json`; nothing where there is none, or it is no object."""
        found = files.read_json(self.path / ENVIRONMENT)
        return found if isinstance(found, dict) else {}

    def settings(self) -> RunSettings:
        """The content of `config.json`.

        Raises:
            LabError: there is none, or none of this version, or one with something that was not included.
        """
        from bottleneck_lab.config import RunSettings

        path = self.path / CONFIG
        try:
            return RunSettings.model_validate_json(path.read_bytes())
        except PermissionError as error:
            raise LabError(f"{path}: cannot be read ({error.strerror})") from None
        except OSError:
            raise LabError(
                f"{self.path}: holds no config.json; give the folder of one run, as results/NAME/TIER/runs/ID"
            ) from None
        except ValidationError as error:
            raise LabError(
                f"{path}: damaged, or written by another version ({files.first_problem(error)}), or a run "
                "with something of one's own: then name its file by --include"
            ) from None

    def weights(self, device: torch.device) -> Any:
        """The content of `weights.pt`.

        Raises:
            LabError: it is not there, not what the run has left, or damaged.
        """
        import torch

        path, result = self.path / WEIGHTS, self.result() or {}
        if why := why_altered(path, result):
            raise LabError(f"{path}: {why}")
        try:
            return torch.load(path, map_location=device, weights_only=True)
        except FileNotFoundError:
            raise LabError(f"{path}: not there, although the run is finished") from None
        except Exception as error:  # over bytes that are not its own torch stumbles in many ways
            raise LabError(f"{path}: damaged, or not the weights of {result.get('variant')!r}") from error

    def start(self, run: RunSettings) -> None:
        """Write the settings, and forget an earlier failure."""
        if self.status() == "failed":
            (self.path / RESULT).unlink()
            (self.path / ERROR).unlink(missing_ok=True)
        self._keep_settings(run)

    def _keep_settings(self, run: RunSettings) -> None:
        files.write_text(self.path / CONFIG, run.model_dump_json(indent=2) + "\n")

    def keep_records(self, records: list[Record]) -> None:
        """Write all records so far."""
        files.write_json_lines(self.path / METRICS, records)

    def finish(self, run: RunSettings, outcome: Outcome, environment: Mapping[str, object]) -> None:
        """Write everything that a finished run leaves."""
        self._keep_settings(run)
        self.keep_records(outcome.records)
        if outcome.predictions is not None:
            files.write_array(self.path / PREDICTIONS, outcome.predictions)
        if outcome.correct is not None:
            files.write_array(self.path / CORRECT, outcome.correct)
        self._keep_weights(outcome.weights)
        files.write_json(self.path / ENVIRONMENT, environment)
        last = outcome.records[-1]
        result = {
            **_whose(run),
            "status": outcome.status,
            "epochs": last["epoch"],
            "accuracy": last.get("accuracy") if outcome.status == "done" else None,
            "loss": last.get("loss"),
            "train_loss": last["train_loss"],
            "measures": last.get("measures", {}),
            "test_accuracy": outcome.test_accuracy,
        }
        files.write_json(self.path / RESULT, with_checksums(result, self.path))

    def _keep_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        import torch

        stream = io.BytesIO()
        torch.save(weights, stream)
        files.write_bytes(self.path / WEIGHTS, stream.getvalue())

    def convert(
        self,
        run: RunSettings,
        weights: Mapping[str, torch.Tensor],
        environment: Mapping[str, object],
        source: Mapping[str, Any],
    ) -> None:
        """Write what stands for a run that was trained elsewhere: its weights, and where these come from."""
        self._keep_settings(run)
        self._keep_weights(weights)
        files.write_json(self.path / ENVIRONMENT, environment)
        result = {
            **_whose(run),
            "status": "done",
            "epochs": None,
            "accuracy": None,
            "converted_from": dict(source),
        }
        files.write_json(self.path / RESULT, with_checksums(result, self.path))

    def receive(self, run: RunSettings, contents: Mapping[str, bytes]) -> None:
        """Write what this run has left on another machine, unless it is finished here; the result last.

        Where files that add to the lab lie is said as this machine has it.
        """
        if self.status() in FINAL:
            return
        self.start(run)
        for name in sorted(contents, key=lambda name: name == RESULT):
            content = contents[name]
            if name == ENVIRONMENT:
                content = json.dumps(
                    {**json.loads(content), "included": run.added_files()}, indent=2
                ).encode()
                content += b"\n"
            if name == RESULT:  # with the checksums of what has been written here
                result = json.loads(content)
                kept = with_checksums(result, self.path) if KEY in result else result
                content = json.dumps(kept, indent=2).encode() + b"\n"
            files.write_bytes(self.path / Path(name).name, content)

    def fail(self, run: RunSettings, reason: str, details: str = "") -> None:
        """Write why the run could not be trained, and `error.txt`; a new start will try it again."""
        files.write_text(self.path / ERROR, details or reason)
        files.write_json(self.path / RESULT, {**_whose(run), "status": "failed", "reason": reason})


def _whose(run: RunSettings) -> dict[str, object]:
    return {"variant": run.variant, "dataset": run.dataset, "seed": run.seed}
