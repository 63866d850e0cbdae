"""Reading a results folder: the plan, and what each of its runs has left. Damage is named, never counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bottleneck_lab.errors import LabError
from bottleneck_lab.runs import files
from bottleneck_lab.runs.folder import RunFolder, Status


@dataclass(frozen=True)
class Run:
    """One row of `results.csv`; accuracies are 0 to 1, absent ones None."""

    variant: str
    dataset: str
    seed: int
    run: str
    status: Status
    accuracy: float | None
    loss: float | None
    test_accuracy: float | None
    epochs: int | None
    wall_seconds: float | None
    cpu_seconds: float | None
    reason: str | None


@dataclass(frozen=True)
class Results:
    """A results folder, read.

    Args:
        folder: of one ablation and tier.
        plan: what was to be run (`plan.json`).
        runs: every run of the plan, whatever has become of it.
    """

    folder: Path
    plan: dict[str, Any]
    runs: tuple[Run, ...]

    def of(self, variant: str, dataset: str) -> list[Run]:
        """The finished runs of one variant on one data set."""
        return [r for r in self.runs if (r.variant, r.dataset, r.status) == (variant, dataset, "done")]

    def records(self, run: Run) -> list[dict[str, Any]]:
        """The epochs of a run."""
        return RunFolder(self.folder, run.run).records()

    def environment(self) -> dict[str, Any]:
        """Where the first finished run was made."""
        first = next((run for run in self.runs if run.status == "done"), None)
        return RunFolder(self.folder, first.run).environment() if first else {}


def collect(folder: Path) -> Results:
    """Read the plan and the runs of a results folder.

    Raises:
        LabError: there is no plan in it.
    """
    plan = files.read_json(folder / "plan.json")
    if not isinstance(plan, dict):
        raise LabError(f"{folder}: holds no plan.json; give the folder of one tier, as results/NAME/TIER")
    runs = [
        _run(folder, variant, int(seed), run_id)
        for variant in plan["variants"]
        for seed, run_id in variant["runs"].items()
    ]
    return Results(folder, plan, tuple(runs))


def _run(folder: Path, variant: dict[str, Any], seed: int, run_id: str) -> Run:
    place = RunFolder(folder, run_id)
    result = place.result() or {}
    environment = place.environment()
    return Run(
        variant=variant["name"],
        dataset=variant["dataset"],
        seed=seed,
        run=run_id,
        status=place.status(),
        accuracy=result.get("accuracy"),
        loss=result.get("loss"),
        test_accuracy=result.get("test_accuracy"),
        epochs=result.get("epochs"),
        wall_seconds=environment.get("wall_seconds"),
        cpu_seconds=environment.get("cpu_seconds"),
        reason=result.get("reason"),
    )
