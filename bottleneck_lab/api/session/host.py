"""Who is told what a session does: a terminal, a notebook, or nobody."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bottleneck_lab.data.cifar import CifarLayout
    from bottleneck_lab.runs.engines.protocol import Listener
    from bottleneck_lab.runs.jobs import Job


class Host(Protocol):
    """Shows what a session has to tell, and fetches what it lacks."""

    def say(self, text: str) -> None:
        """Show a line."""

    def notice(self, text: str) -> None:
        """Show what nobody may overlook."""

    def warn(self, text: str) -> None:
        """Show what went wrong beside the work, which goes on."""

    def watching(self, jobs: Sequence[Job]) -> AbstractContextManager[Listener]:
        """Show how far these jobs are, while the listener is told of it."""

    def fetch(self, layout: CifarLayout, deadline_s: float | None) -> Path:
        """The folder of a data set that was not at hand; raises LabError where it is not to be had."""
