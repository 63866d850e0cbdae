"""The one look of every figure, and the one way to write it: SVG and PNG, reproducible to the byte."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bottleneck_lab.records import files
from bottleneck_lab.report.drawing.lettering import OWN_FONT, spell_out

# Okabe & Ito 2008: colours that stay apart for the colour-blind; yellow is left out (too faint on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_STYLE: dict[str, object] = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titley": 1.0,  # where they are anyway: no axis here has ticks above it, so none need be looked for
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.sans-serif": [OWN_FONT],  # no search for others
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text: searchable, selectable
    "svg.hashsalt": "bottleneck_lab",  # else every element's id is new at each drawing
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this, so that all figures look alike whatever the user's own matplotlibrc says."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # of which LetteringWarning has told, once
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
        yield


PHONE = 3.5  # inches that a phone shows at full size

_for_phone: ContextVar[bool] = ContextVar("for_phone", default=False)


@contextmanager
def for_phone() -> Iterator[None]:
    """Draw inside this what fits a phone: panels stand above each other. What can only be wide stays wide."""
    token = _for_phone.set(True)
    try:
        yield
    finally:
        _for_phone.reset(token)


def is_for_phone() -> bool:
    """Whether what is drawn now is for a phone."""
    return _for_phone.get()


def subplots(
    rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **more: Any
) -> tuple[Figure, Any]:
    """A figure with its panels, as pyplot makes it, but without a backend: the user may have set any."""
    if is_for_phone():
        if (rows, columns) == (1, 2) and more.get("squeeze", True):
            rows, columns, figsize = 2, 1, (figsize[0], 2 * figsize[1])
        if columns == 1:
            figsize = min(PHONE, figsize[0]), figsize[1]
    figure = Figure(figsize=figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, **more)


_METADATA: dict[str, dict[str, None]] = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
_DRAWN_WITH = "Drawn with"  # under this a PNG keeps the SHA-256 of its SVG


def drawn_bytes(figure: Figure) -> dict[str, bytes]:
    """What `save` writes anew, by suffix. The same figure gives the same bytes (same matplotlib)."""
    with styled(), _laid_out(figure):
        svg = _drawn(figure, ".svg")
        return {".svg": svg, ".png": _png(figure, svg)}


def drawn_svg(figure: Figure) -> bytes:
    """The SVG of these alone."""
    with styled(), _laid_out(figure):
        return _drawn(figure, ".svg")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `figure` as `stem`.svg and `stem`.png, without dates, each whole or not at all.

    A PNG that was drawn with the very same SVG is left as it is. Returns the two paths.
    """
    svg, png = (stem.with_name(stem.name + suffix) for suffix in _METADATA)
    with styled(), _laid_out(figure):
        content = _drawn(figure, ".svg")
        files.write_bytes(svg, content)
        if not is_drawn_with(png, content):
            files.write_bytes(png, _png(figure, content))
    return [svg, png]


def is_drawn_with(png: Path, svg: bytes) -> bool:
    """Whether a file is a whole PNG that says it was drawn together with this SVG."""
    try:
        with Image.open(png, formats=["PNG"]) as image:
            said = image.info.get(_DRAWN_WITH)
            image.verify()
    except (OSError, SyntaxError):  # Pillow has it that a damaged PNG is a SyntaxError
        return False
    return bool(said == _digest(svg))


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Everything in its place: `savefig` would draw the whole figure in vain for this, for each format."""
    spell_out(figure)
    engine = figure.get_layout_engine()
    FigureCanvasAgg(figure)  # measures text, and keeps what it measures with
    if engine is not None:
        engine.execute(figure)
        mpl.rcParams["figure.constrained_layout.use"] = False
        figure.set_layout_engine(None)
    yield
    figure.set_layout_engine(engine)


def _drawn(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=suffix[1:], metadata=_METADATA[suffix])
    return stream.getvalue()


def _png(figure: Figure, svg: bytes) -> bytes:
    """With as many colours as an eye tells apart, which takes half the room."""
    said = PngInfo()
    said.add_text(_DRAWN_WITH, _digest(svg))
    stream = io.BytesIO()
    with Image.open(io.BytesIO(_drawn(figure, ".png"))) as image:
        few = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(stream, "PNG", optimize=True, pnginfo=said)
    return stream.getvalue()


_COLOURS = 128


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
