"""The files of published results by name, told without what draws figures, which takes long to import."""

from __future__ import annotations

import os
from pathlib import Path

COLLAPSE = "collapse.json"
LEFT = (
    "bridge.json",
    COLLAPSE,
    "networks.json",
    "patterns.json",
    "ranges.json",
    "split.json",
    "training.json",
)  # what commands leave
OF_EVERY_REPORT = ("collapse-panels", "collapse-share")  # figures that are the same whatever was trained

NOT_COMPUTED_AGAIN = {  # of these, and why
    "bridge.json": "needs the networks' weights, which are not published",
    "networks.json": "times and memory of a machine",
    "patterns.json": "needs the network's weights, which are not published",
    "ranges.json": "needs the network's weights, which are not published",
    "split.json": "times and memory of a machine",
    "training.json": "times and memory of a machine",
}


def is_published(folder: Path) -> bool:
    """Whether a folder has data that figures are drawn from."""
    return any(os.path.exists(folder / name) for name in ("plan.json", *LEFT))
