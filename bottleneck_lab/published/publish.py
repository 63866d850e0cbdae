"""Published results: a results folder whose runs are packed, from which everything in it is made again."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse import OF_EVERY_REPORT
from bottleneck_lab.instruments.collapse.figure import collapse_pictures
from bottleneck_lab.published.artefacts import artefacts_in
from bottleneck_lab.published.blame import differences, unless_a_bug
from bottleneck_lab.records import files
from bottleneck_lab.records.names import PACKED, PLAN, SUMMARY, TABLE
from bottleneck_lab.records.packed import pack
from bottleneck_lab.records.results.summary import read_summary, write_summary
from bottleneck_lab.records.results.table import table_of, write_table
from bottleneck_lab.report.content import content_of
from bottleneck_lab.report.document import Picture
from bottleneck_lab.report.drawing.style import drawn_svg, is_drawn_with, save
from bottleneck_lab.report.figures.of_results import figures_of
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import documents


def publish(source: Path, target: Path, *, unfinished: bool = False) -> None:
    """Write the records, numbers and figures of a results folder into another one.

    `plan.json`, `runs.zip` (every run of the plan, without weights), `summary.json`, `results.csv`,
    `report.md`, `report.tex`, and each figure as SVG and PNG.

    Args:
        source: the results folder.
        target: where to; what it holds of these files is replaced.
        unfinished: also a folder whose runs are not all finished. Those that are not are left out, and the
            report says so.

    Raises:
        LabError: no plan, or a run that is not finished; a target that is a results folder itself.
    """
    if (target / "runs").exists():
        raise LabError(f"{target}: is a results folder itself; publish into another one, as figures/NAME")
    results = collect(source)
    left = [run for run in results.runs if run.status in ("not started", "unfinished", "failed", "damaged")]
    if left and not unfinished:
        raise LabError(
            f"{source}: {len(left)} of {len(results.runs)} runs are not finished; run it to its end, or add "
            "--unfinished"
        )
    content = pack(source, {run.id for run in results.runs} - {run.id for run in left})
    files.write_bytes(target / PACKED, content)
    files.write_bytes(target / PLAN, (source / PLAN).read_bytes())
    results = collect(target)
    write_summary(target, summarise(results))
    write_table(target, results.runs)
    draw(target)


def draw(folder: Path) -> list[str]:
    """Make every figure and report of a published folder again from its data; returns the figures' stems."""
    stems = []
    for name, made in _made(folder):
        if isinstance(made, str):
            files.write_text(folder / name, made)
        else:
            save(made, folder / name)
            stems.append(name)
    return stems


def _made(folder: Path) -> Iterator[tuple[str, Figure | str]]:
    """Every figure by its stem, and every report by its file's name.

    Raises LabError for data that none can be made from.
    """
    for artefact, path in artefacts_in(folder):
        yield from artefact.draw(path)
    if (folder / PLAN).exists():
        results = collect(folder)
        pictures: dict[str, list[Picture]] = {}
        summary = summarise(results, with_claims=False)  # which take long, and no figure shows
        for dataset in results.plan.datasets:
            pictures[dataset] = []
            for drawn in figures_of(results, summary, dataset):
                yield drawn.stem, drawn.figure
                pictures[dataset].append(Picture(drawn.stem, drawn.alt, drawn.alt))
        if (folder / "collapse.html").exists():  # a whole report was made here
            pictures["collapse"] = [picture for picture, _ in collapse_pictures()]
        if (path := folder / SUMMARY).exists():  # whose numbers are verified from the records
            with unless_a_bug(path, lambda: summarise(results).to_json()):
                yield from documents(content_of(results, read_summary(folder), pictures)).items()


def stale_figures(folder: Path) -> list[str]:
    """What is wrong with the figures and reports of a published folder, a sentence each; none if all fit."""
    problems, drawn = [], {*OF_EVERY_REPORT}
    for stem, made in _made(folder):
        if isinstance(made, str):
            if files.read_text(folder / stem) != made:
                problems.append(f"{folder / stem}: no longer matches its data")
            continue
        drawn.add(stem)
        svg, png = (folder / f"{stem}{suffix}" for suffix in (".svg", ".png"))
        if not svg.exists():
            problems.append(f"{svg}: is missing")
        elif not same_drawing(files.read_text(svg) or "", drawn_svg(made).decode()):
            problems.append(f"{svg}: no longer matches its data")
        if not png.exists():
            problems.append(f"{png}: is missing")
        elif svg.exists() and not is_drawn_with(png, svg.read_bytes()):
            problems.append(f"{png}: is not the picture of the SVG beside it")
    others = (path for path in folder.iterdir() if path.suffix in (".svg", ".png") and path.stem not in drawn)
    return [*problems, *(f"{path}: is drawn from no data that is here" for path in sorted(others))]


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_NAME = re.compile(r"\b[a-zA-Z]?[0-9a-f]{10}\b")  # of a marker or a clip path: a hash of its coordinates
_NEAR = 0.05  # points: what an eye cannot see
_LETTERS = str.maketrans("0123456789", "ghijklmnop")  # for digits are taken for places
_IMAGE = re.compile(r"data:image/png;base64,([\w+/=\s]+)")


def same_drawing(first: str, second: str) -> bool:
    """Whether two SVG files have the same elements and texts, at places that an eye takes for equal.

    Processors and versions of numpy differ in the last digit, and versions of zlib in how they pack an image.
    """
    one, other = (_NAME.sub("#", _IMAGE.sub(_pixels, text)) for text in (first, second))
    if _NUMBER.sub("0", one) != _NUMBER.sub("0", other):
        return False
    numbers = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(a == b or math.isclose(float(a), float(b), abs_tol=_NEAR) for a, b in numbers)


def _pixels(image: re.Match[str]) -> str:
    """What an image in an SVG shows, however it is packed; itself where it is none."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(image[1])), formats=["PNG"]) as opened:
            shown = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError):  # Pillow has it that a damaged PNG is a SyntaxError
        return image[0]
    digest = hashlib.sha256(shown.tobytes()).hexdigest()
    return f"{shown.size} {digest.translate(_LETTERS)}"


def false_numbers(folder: Path) -> list[str]:
    """Every published number or verdict of a folder that its records do not bear out, a sentence each."""
    problems: list[str] = []
    for artefact, path in artefacts_in(folder):
        if (made := artefact.contents_again(path)) is not None:
            problems += _false(path, files.read_json(path), json.loads(json.dumps(made)))
    if not (folder / PLAN).exists():
        return problems
    results = collect(folder)
    path = folder / SUMMARY
    problems += _false(path, files.read_json(path), summarise(results).to_json())
    table = folder / TABLE
    if files.read_text(table) != table_of(results.runs):
        problems.append(f"{table}: is not what its records say")
    return problems


def _false(path: Path, published: Any, made: Any) -> list[str]:
    return [
        f"{path}: {where or 'the whole'} is {found}; its records say {again}"
        for where, found, again in differences(published, made)
    ]
