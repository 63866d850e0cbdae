"""The gallery: every published figure with a line that says what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bottleneck_lab.published.artefacts import OF_EVERY_REPORT
from bottleneck_lab.records import files

README = "README.md"  # of all published results; the gallery stands in it between two marks
BEGIN, END = "<!-- figures: begin; made by make-figures -->", "<!-- figures: end -->"

# What a figure shows, by the first part of its name; the second is the data set.
_OF_DATA = {
    "accuracy": "Final accuracy on {data} against what is varied, with 95 % intervals.",
    "bridge": "Collapse beside accuracy on {data}, block by block, and what width does to both.",
    "curves": "Accuracy on {data} less the reference's over training: means over seeds, 95 % bands.",
    "heatmap": "Final accuracy on {data}, each variant in its cell, with half the 95 % interval.",
    "madds": "Final accuracy on {data} against MAdds, with 95 % intervals.",
    "measures": "What was measured on {data} besides accuracy, over training.",
    "paper": "What is lost to the reference on {data} over training, beside what the paper's networks lose.",
}
_ALONE = {
    "collapsed": "The share of points that collapse against the number of channels, beside Theorem 1.",
    "networks": "Time and memory of inference against MAdds.",
    "panels": "Fig. 1: a spiral after a random embedding, ReLU and the way back, by number of channels.",
    "patterns": "Fig. 7: positive channels after each expansion, untrained and trained, above the paper's.",
    "ranges": "How far each channel reaches on the grid that its layer shares; below a line it becomes 0.",
    "split": "Memory and time of a network executed in parts (Sec. 5).",
    "training": "What Section 5 saves in training: memory kept for the backward pass, block by block.",
}
_DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "digits", "spiral": "spirals"}


def caption(stem: str) -> str:
    """What a figure shows, from the name of its file: `curves-cifar10`."""
    kind, _, data = stem.partition("-")
    if stem in _ALONE:
        return _ALONE[stem]
    return _OF_DATA[kind].format(data=_DATA.get(data, data)) if kind in _OF_DATA else stem


def gallery(folders: Sequence[Path]) -> str:
    """Markdown with the figures that lie in these folders, a heading each; links go from the folder above."""
    return "\n".join(line for folder in folders for line in _section(folder))


def _section(folder: Path) -> Iterator[str]:
    pictures = [each for each in sorted(folder.glob("*.png")) if each.stem not in OF_EVERY_REPORT]
    if pictures:
        yield f"### {folder.name}"
        yield ""
    for picture in pictures:
        what = caption(picture.stem)
        yield f"{what} ([SVG]({folder.name}/{picture.stem}.svg))"
        yield ""
        yield f"![{what}]({folder.name}/{picture.name})"
        yield ""


def with_gallery(page: Path, folders: Sequence[Path]) -> str | None:
    """The text of a page with the gallery of these folders between its marks; None where it has no marks."""
    text = files.read_text(page) or ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{gallery(folders)}\n{END}{after}" if begin and end else None
