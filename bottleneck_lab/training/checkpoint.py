"""Checkpoints: written whole or not at all, read without executing anything."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import torch

SECONDS_BETWEEN = 5.0  # a run that is killed loses at most this, and the epoch it was in


class Checkpoint:
    """The place where unfinished training is kept; None as path keeps nothing.

    What is saved has under `runs` the ids of the runs it belongs to.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._written = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """What was saved last, on the CPU; None if nothing was, or if the file cannot be read."""
        if self.path is None or not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError):
            return None  # damaged from outside: the run starts again, which costs time but no result
        return state

    def save(self, state: dict[str, Any], *, now: bool = False) -> None:
        """Save `state` if the last time is long enough ago, or `now`."""
        if self.path is None or not (now or time.monotonic() - self._written >= SECONDS_BETWEEN):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.part")
        torch.save(state, part)
        part.replace(self.path)
        self._written = time.monotonic()
