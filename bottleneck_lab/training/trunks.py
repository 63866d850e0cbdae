"""What trainings of different length have in common is trained once: a longer one goes on from a shorter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import bottleneck_lab
from bottleneck_lab.config import RunSettings
from bottleneck_lab.training.checkpoint import Checkpoint


class Trunks:
    """States of training at the end of the longest constant phase so far, a file for every `trunk`.

    No result depends on them: without its file a run trains from the start, and ends in the same bits. They
    are used where they were made only, that is by the same library on the same kind of processor.

    Args:
        folder: that of the files; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(self, run: RunSettings, device: torch.device, kernel: str) -> dict[str, Any] | None:
        """The state that `run` can go on from, as a checkpoint of its own; None where there is none."""
        saved = self._file(run).load()
        if saved is None or saved["made"] != _made(device, kernel):
            return None
        epoch = saved["records"][-1]["epoch"]
        return {**saved, "continued": epoch} if epoch <= run.shared_epochs else None

    def keep(self, run: RunSettings, device: torch.device, state: dict[str, Any]) -> None:
        """Keep the state that `run` is in if it is that at the end of its phase, and none later is kept."""
        epoch = state["records"][-1]["epoch"]
        if epoch != run.shared_epochs:
            return
        saved, made = self._file(run).load(), _made(device, state["kernel"])
        if saved is None or saved["made"] != made or saved["records"][-1]["epoch"] < epoch:
            self._file(run).save({**state, "made": made}, now=True)

    def forget(self, run: RunSettings) -> None:
        """Drop what is kept for `run` and those that share its trunk."""
        self._file(run).drop()

    def _file(self, run: RunSettings) -> Checkpoint:
        shared = self._folder is not None and run.shared_epochs > 0
        return Checkpoint(self._folder / f"{run.trunk}.pt" if shared and self._folder else None)


def _made(device: torch.device, kernel: str) -> dict[str, str]:
    """By what a state was computed: all that its last bits depend on besides the settings."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "bottleneck_lab": bottleneck_lab.__version__,
        "torch": str(torch.__version__),
        "device": name,
        "kernel": kernel,
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }
