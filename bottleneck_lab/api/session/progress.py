"""Progress over all runs: a live bar with the time left in a terminal or notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bottleneck_lab.report.sentences.numbers import duration
from bottleneck_lab.runs.execute import Event, Listener
from bottleneck_lab.runs.jobs import Job

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_BARS = 0.5


@contextmanager
def watching(jobs: Sequence[Job]) -> Iterator[Listener]:
    """A listener that shows how far the jobs are; use it while they are done."""
    state = _State(jobs)
    if _is_notebook():
        yield _NotebookBar(state)
        return
    console = Console()
    if not console.is_terminal:
        yield _Lines(state)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task("", total=1.0, left="")

        def listen(event: Event) -> None:
            state.note(event)
            progress.update(task, completed=state.share, description=state.counts(), left=state.left())

        yield listen


class _State:
    """How much of the work is done, weighted by what each job costs; what news cost grows with none of it."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._unfinished = {job.id: job for job in jobs}
        self._shares: dict[str, float] = {}  # of those that are under way
        self._runs = sum(len(job.runs) for job in jobs)
        self._work = sum(job.work for job in jobs)
        self._runs_done, self._work_done = 0, 0.0
        self._start = time.monotonic()
        self._already: float | None = None

    def note(self, event: Event) -> None:
        """Take in the news of a job."""
        name = event.job.id
        if name not in self._unfinished:
            return
        if event.share == 1:
            job = self._unfinished.pop(name)
            self._shares.pop(name, None)
            self._runs_done += len(job.runs)
            self._work_done += job.work
            return
        if self._already is None:
            self._already = self.share
        self._shares[name] = max(self._shares.get(name, 0.0), event.share)

    @property
    def share(self) -> float:
        """What is done of all work, 0 to 1."""
        if not self._unfinished:
            return 1.0
        begun = sum(share * self._unfinished[name].work for name, share in self._shares.items())
        return (self._work_done + begun) / max(self._work, 1.0)

    def counts(self) -> str:
        """How many runs are done, and how many under way."""
        begun = sum(len(self._unfinished[name].runs) for name in self._shares)
        done = f"{self._runs_done} of {self._runs} runs" if self._runs_done or not begun else ""
        return ", ".join(part for part in (done, f"{begun} under way" if begun else "") if part)

    def left(self) -> str:
        """The time that is left at the pace so far."""
        passed, gained = time.monotonic() - self._start, self.share - (self._already or 0.0)
        if gained <= 0 or passed < 5:
            return ""
        return f"{duration(passed / gained * (1 - self.share))} left"


def _is_notebook() -> bool:
    """Whether this is a kernel, which shows HTML; a terminal's IPython does not."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class _NotebookBar:
    """A bar below the cell, drawn anew at most twice a second."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._display = sys.modules["IPython"].display.display
        self._last = time.monotonic()
        self._shown: Any = self._display(self, display_id=True)

    def __call__(self, event: Event) -> None:
        self._state.note(event)
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_BARS or self._state.share == 1:
            self._last = now
            self._shown.update(self)

    def _repr_html_(self) -> str:
        left = self._state.left() if self._state.share < 1 else ""
        words = ", ".join(filter(None, (self._state.counts(), left)))
        return f'<progress value="{self._state.share:.4f}" max="1"></progress> {words}'

    def __repr__(self) -> str:
        return self._state.counts()


class _Lines:
    """A line now and then, for logs and pipes."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._last = time.monotonic()
        self._printed = ""

    def __call__(self, event: Event) -> None:
        self._state.note(event)
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES and self._state.share < 1:
            return
        self._last = now
        left = self._state.left() if self._state.share < 1 else ""
        line = f"{self._state.counts()}, {int(100 * self._state.share)}%{', ' + left if left else ''}"
        if line != self._printed:
            print(line, flush=True)
            self._printed = line
