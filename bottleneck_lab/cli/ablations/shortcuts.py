"""Where the shortcuts of a variant lead, in words; and drawings of blocks for narrow terminals."""

from __future__ import annotations

from typing import Any

from bottleneck_lab.cli.text import terminal_width
from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.models import build
from bottleneck_lab.report.sentences.numbers import seeds as ranges

_TEXT = 50  # columns of a drawing before the line of the shortcut
_DRAWN = 63  # columns of a whole one


def shortcuts_of(run: RunSettings) -> str:
    """Which blocks of a network have shortcuts, and from where: `blocks 1-3 of 0-6, each from its input`.

    Empty where networks of this kind have none, or an added placement decides.
    """
    if isinstance(run.data, ImageSettings):
        network: Any = build(run.model, run.data)
        blocks = list(getattr(network, "blocks", []))
        own = [index for index, block in enumerate(blocks) if getattr(block, "has_shortcut", False)]
        joined = [index for index, fits in enumerate(getattr(network, "expansions_joined", [])) if fits]
        if network.shortcuts is None or not blocks:
            return ""
        return _where(own, joined, len(blocks))
    model: Any = run.model
    every = list(range(model.blocks if model.expansion > 0 else 0))
    if model.residual == "expansion":
        return _where([], every[1:], len(every))
    own = [] if model.residual == "none" else every if model.shortcuts == "all" else every[:-1]
    return _where(own, [], len(every))


def _where(own: list[int], joined: list[int], count: int) -> str:
    if joined:
        return f"to the expansions of blocks {_listed(joined)} of {count}, each from that of the block before"
    return f"around blocks {_listed(own)} of {count}, each from its input" if own else "none"


def _listed(indices: list[int]) -> str:
    return ranges(indices).replace(",", ", ")


def narrowed(drawing: str) -> str:
    """A drawing of a block with a shorter line of the shortcut, where the terminal has no room for it."""
    cut = max(0, min(_DRAWN - terminal_width(), _DRAWN - _TEXT - 2))
    return "\n".join(line[:_TEXT] + line[_TEXT + cut :] for line in drawing.splitlines())
