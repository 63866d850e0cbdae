"""The gallery: every published figure with a line that says what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bottleneck_lab.instruments.collapse import OF_EVERY_REPORT
from bottleneck_lab.published.artefacts import ARTEFACTS
from bottleneck_lab.records import files

README = "README.md"  # of all published results; the gallery stands in it between two marks
BEGIN, END = "<!-- figures: begin; made by make-figures -->", "<!-- figures: end -->"

# What a figure of an ablation shows, by the first part of its name; the second is the data set.
_OF_RESULTS = {
    "accuracy": "Final accuracy on {data} against what is varied, with 95 % intervals.",
    "curves": "Accuracy on {data} less the reference's over training: means over seeds, 95 % bands.",
    "heatmap": "Final accuracy on {data}, each variant in its cell, with half the 95 % interval.",
    "madds": "Final accuracy on {data} against MAdds, with 95 % intervals.",
    "measures": "What was measured on {data} besides accuracy, over training.",
    "budget": "What is lost on {data} after trainings of several lengths, and the time stretch.",
    "predictions": "What controls lost on {data} against what each hypothesis had predicted.",
    "profiles": "What was measured on {data} block by block, before training and after.",
    "regions": "Which class networks of two variants give to each part of the plane, seed by seed.",
    "tuning": "How a setting was chosen on {data} for each arm, and by which trials.",
    "paper": "What is lost to the reference on {data} over training, beside what the paper's networks lose.",
}
_DATA = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "digits", "spiral": "spirals"}


def caption(stem: str) -> str:
    """What a figure shows, from the name of its file: `curves-cifar10`."""
    kind, _, data = stem.partition("-")
    captions = _OF_RESULTS if data else {}
    for artefact in ARTEFACTS:
        captions = {**captions, **artefact.captions}
    return captions[kind].format(data=_DATA.get(data, data)) if kind in captions else stem


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
