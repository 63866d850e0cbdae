"""Checkpoints: written whole or not at all, read without executing anything."""

from __future__ import annotations

import contextlib
import hashlib
import io
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
        """What was saved last, on the CPU; None if nothing was, or if the file is damaged.

        Damage costs time but no result: the run starts again.
        """
        if self.path is None or not self.path.exists():
            return None
        checksum, payload = _split(self.path.read_bytes())
        if hashlib.sha256(payload).digest() != checksum:
            return None
        try:
            state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            return None
        return state if isinstance(state, dict) and "runs" in state else None

    def save(self, state: dict[str, Any], *, now: bool = False) -> None:
        """Save `state` if the last time is long enough ago, or `now`."""
        if self.path is None or not (now or time.monotonic() - self._written >= SECONDS_BETWEEN):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        torch.save(state, stream)
        payload = stream.getvalue()
        part = self._part(self.path)
        try:
            part.write_bytes(hashlib.sha256(payload).digest() + payload)
            part.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._written = time.monotonic()

    @staticmethod
    def _part(path: Path) -> Path:
        return path.with_name(f"{path.name}.part")

    def drop(self) -> None:
        """Forget what was saved."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self._part(self.path).unlink(missing_ok=True)  # of one who was killed as it wrote


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The SHA-256 that stands before what was saved, and what was saved."""
    size = hashlib.sha256().digest_size
    return content[:size], content[size:]
