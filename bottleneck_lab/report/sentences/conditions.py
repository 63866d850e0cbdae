"""What has become of runs, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottleneck_lab.records.results.table import Run


def unfinished(counts: dict[str, int]) -> str:
    """What is missing, in a sentence; empty if nothing is."""
    done = counts.get("done", 0)
    if done == counts["planned"]:
        return ""
    others = [f"{count} {name}" for name, count in counts.items() if name not in ("planned", "done")]
    return f"{done} of {counts['planned']} runs are done ({', '.join(others)})."


def counts(statuses: Sequence[str]) -> str:
    """How many of each: `12 done, 2 unfinished`."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())


def trouble(run: Run) -> str:
    """A run that did not end well: what happened, which one it was, and why."""
    which = f"{run.status}: {run.variant}, {run.dataset}, seed {run.seed}"
    return f"{which}: {run.reason}" if run.reason else which
