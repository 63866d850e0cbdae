"""Names that users give, in figures: letter by letter, whatever matplotlib would make of them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

OWN_FONT = "DejaVu Sans"  # which comes with matplotlib
SHOWN = "\N{WORD JOINER}"  # before a name with an underscore first, which matplotlib keeps out of legends


_told: set[str] = set()  # letters that a warning has named already


class LetteringWarning(UserWarning):
    """Letters that no font of this machine has."""


def in_legend(names: Iterable[str]) -> str:
    """Names, joined, as the label of a line that is in the legend whatever they begin with."""
    label = ", ".join(names)
    return SHOWN + label if label.startswith("_") else label


def spell_out(figure: Figure) -> None:
    """Take every text of a figure literally: no dollar sign begins a formula, and letters have a font.

    Letters that no font has are boxes in a PNG, while an SVG leaves them to those who look at it; a warning
    names them.
    """
    texts = figure.findobj(Text)  # which makes the ticks that are lacking
    ticks = {
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.majorTicks, *axis.minorTicks)
        for label in (tick.label1, tick.label2)
    }  # whose formulae are matplotlib's own
    lacking: set[str] = set()
    for text in texts:
        assert isinstance(text, Text)
        if id(text) in ticks:
            continue
        text.set_parse_math(False)
        given = text.get_text()
        shown = "".join(c if c.isprintable() or c == "\n" else " " for c in given.removeprefix(SHOWN))
        if shown != given:
            text.set_text(shown)
        letters = frozenset(
            letter for letter in shown if not letter.isascii() and not _has(_own_file(), letter)
        )
        if letters and (font := _font(letters)):
            text.set_fontfamily([OWN_FONT, font])
        elif letters:
            lacking |= letters
    if new := lacking - _told:
        _told.update(new)
        warnings.warn(
            f"no font here has {' '.join(sorted(new))}, so figures as PNG show boxes in their place; install "
            "one that has them (Noto Sans CJK, for example), or name the levels in other letters",
            LetteringWarning,
            stacklevel=2,
        )


def plain(name: str) -> str:
    """A name as the label of a tick, where `spell_out` does not reach."""
    return "".join(c if c.isprintable() else " " for c in name).replace("$", r"\$")


@functools.cache
def _font(letters: frozenset[str]) -> str | None:
    """A font of this machine that has these letters; None where none does."""
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if all(_has(entry.fname, letter) for letter in letters):
            return entry.name
    return None


@functools.cache
def _own_file() -> str:
    return font_manager.findfont(OWN_FONT)


def _has(file: str, letter: str) -> bool:
    try:
        return font_manager.get_font(file).get_char_index(ord(letter)) != 0
    except (OSError, RuntimeError):  # a font that is damaged or gone
        return False
