"""What two arms disagree about: images that one gets right and the other does not, and both by class."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bottleneck_lab.errors import LabError
from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.document import Block, Cell, Column, Section, Table, Text, Thumb, Thumbs
from bottleneck_lab.report.findings.disagreements import CLASSES, Pair, disagreements, images_of, pair_of
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import numbers, verdicts

_EDGE = 48  # pixels of a thumbnail; those of an image are as large squares


def examples(results: Results, summary: Summary) -> Iterator[Section]:
    """A section for every data set of images that is at hand and has a claim about two arms."""
    marked = {claim.id for claim in headline_claims(results.plan, summary.claims)}
    for dataset in summary.datasets:
        claims = summary.claims_on(dataset)
        if results.plan.draws_points(dataset) or not claims:
            continue
        first = verdicts.foremost(claims, marked)
        if (pair := pair_of(results, dataset, [*first, *claims])) is None:
            continue
        try:
            found = images_of(dataset, pair.first_right.size)
        except LabError:  # of files that are damaged; a report can do without
            continue
        if found is not None:
            title = f"Examples: {dataset}"
            yield Section(f"examples-{dataset}", title, tuple(_blocks(pair, dataset, *found)), folded=True)


def _blocks(
    pair: Pair, dataset: str, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> Iterator[Block]:
    classes = CLASSES.get(dataset, [])
    yield Text(
        (
            f"Held-out images that networks of one arm get right in at least three quarters of {pair.seeds} "
            "seeds, and those of the other in at most a quarter; the largest differences first, of equal "
            "ones those that come first in the data. They are the extremes: the table below has every image.",
        )
    )
    for (right, wrong), chosen in zip(
        ((pair.first, pair.second), (pair.second, pair.first)), disagreements(pair), strict=True
    ):
        thumbs = tuple(_thumb(images[index], _class(classes, int(labels[index])), index) for index in chosen)
        if thumbs:
            yield Thumbs(f"{right} is right, {wrong} is not", thumbs)
        else:
            yield Text((f"There is no image that {right} gets right so often and {wrong} so seldom.",))
    columns = ("class", "images", pair.first, pair.second, "difference, points")
    yield Table(
        f"classes-{dataset}",
        f"Accuracy by class on {dataset}",
        tuple(Column(name, place > 0) for place, name in enumerate(columns)),
        tuple(_by_class(pair, labels, kind, classes) for kind in range(int(labels.max()) + 1)),
    )


def _class(classes: list[str], number: int) -> str:
    return classes[number] if number < len(classes) else f"class {number}"


def _by_class(pair: Pair, labels: NDArray[np.int64], kind: int, classes: list[str]) -> tuple[Cell, ...]:
    those = labels == kind
    if not (count := int(those.sum())):
        return (Cell(_class(classes, kind)), Cell("0", 0), *(Cell(numbers.DASH) for _ in range(3)))
    first, second = float(pair.first_right[those].mean()), float(pair.second_right[those].mean())
    return (
        Cell(_class(classes, kind)),
        Cell(f"{count:,}", count),
        Cell(numbers.percent(first), first),
        Cell(numbers.percent(second), second),
        Cell(numbers.points(first - second), first - second),
    )


def _thumb(pixels: NDArray[np.uint8], name: str, index: int) -> Thumb:
    image = Image.fromarray(pixels.squeeze())
    edge = max(1, _EDGE // image.width) * image.width
    stream = io.BytesIO()
    image.resize((edge, edge), Image.Resampling.NEAREST).save(stream, "PNG", optimize=True)
    return Thumb(base64.b64encode(stream.getvalue()).decode(), f"{name}, held-out image {index}", name)
