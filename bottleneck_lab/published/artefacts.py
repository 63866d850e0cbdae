"""The files of published results: the one list of what commands leave, and what is done with each."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottleneck_lab.records.names import PLAN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OF_A_MACHINE = "times and memory of a machine"
_OF_WEIGHTS = "needs the networks' weights, which are not published"


@dataclass(frozen=True)
class Artefact:
    """What a command leaves as JSON. Targets are `package.module:name`, imported when they are wanted.

    Args:
        file: its name.
        figures: what draws its figures again from the path: pairs of a file's stem and a figure.
        captions: what each figure shows, by its stem; `{data}` is what follows a hyphen.
        again: what computes its contents again from the path; none where that cannot be.
        not_again: why it cannot be.
    """

    file: str
    figures: str
    captions: Mapping[str, str]
    again: str = ""
    not_again: str = ""

    def draw(self, path: Path) -> Iterator[tuple[str, Figure]]:
        """Its figures, each with the stem of its files; raises LabError for a file of another form."""
        made: Iterator[tuple[str, Figure]] = _target(self.figures)(path)
        return made

    def contents_again(self, path: Path) -> dict[str, object] | None:
        """What it should hold; None where that cannot be computed again."""
        return _target(self.again)(path) if self.again else None


ARTEFACTS = (
    Artefact(
        "bridge.json",
        "bottleneck_lab.instruments.bridge.figure:bridge_figures",
        {"bridge": "How far behind linear other bottlenecks are on {data}: block by block, and by width."},
        not_again=_OF_WEIGHTS,
    ),
    Artefact(
        "collapse.json",
        "bottleneck_lab.instruments.collapse.figure:collapse_figures",
        {
            "collapsed": (
                "The share of points that collapse against the number of channels, beside Theorem 1."
            ),
            "panels": (
                "Fig. 1: a spiral after a random embedding, ReLU and the way back, by number of channels."
            ),
        },
        again="bottleneck_lab.instruments.collapse.record:contents_again",
    ),
    Artefact(
        "networks.json",
        "bottleneck_lab.instruments.bench.figure:networks_figures",
        {"networks": "Time of inference against MAdds: how far one is from proportion to the other."},
        not_again=_OF_A_MACHINE,
    ),
    Artefact(
        "patterns.json",
        "bottleneck_lab.instruments.patterns.figure:patterns_figures",
        {
            "patterns": (
                "Fig. 7: positive channels after each expansion, untrained and trained, above the paper's."
            )
        },
        not_again="needs the network's weights, which are not published",
    ),
    Artefact(
        "ranges.json",
        "bottleneck_lab.instruments.ranges.figure:ranges_figures",
        {
            "ranges": (
                "How far each channel reaches on the grid that its layer shares; below a line it becomes 0."
            )
        },
        not_again="needs the network's weights, which are not published",
    ),
    Artefact(
        "split.json",
        "bottleneck_lab.instruments.bench.figure:split_figures",
        {"split": "Memory and time of a network executed in parts (Sec. 5)."},
        not_again=_OF_A_MACHINE,
    ),
    Artefact(
        "training.json",
        "bottleneck_lab.instruments.bench.figure:training_figures",
        {
            "training": (
                "What Section 5 saves in training: memory kept for the backward pass, block by block."
            )
        },
        not_again=_OF_A_MACHINE,
    ),
)


def artefacts_in(folder: Path) -> Iterator[tuple[Artefact, Path]]:
    """What lies in a folder, each with its path."""
    for artefact in ARTEFACTS:
        if os.path.exists(folder / artefact.file):
            yield artefact, folder / artefact.file


def is_published(folder: Path) -> bool:
    """Whether a folder has data that figures are drawn from."""
    return os.path.exists(folder / PLAN) or any(artefacts_in(folder))


def _target(name: str) -> Callable[[Path], Any]:
    module, _, attribute = name.partition(":")
    found: Callable[[Path], Any] = getattr(importlib.import_module(module), attribute)
    return found
