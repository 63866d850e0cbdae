"""Held-out images that the networks of one arm get right and those of another do not, and both by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.records.results.summary import ClaimFinding
from bottleneck_lab.report.findings.examples import Answers
from bottleneck_lab.report.findings.headline import pairs_of
from bottleneck_lab.report.reading.results import Results

MOST = 12  # images to show of each kind
OFTEN, SELDOM = 0.75, 0.25  # of an arm's networks

CLASSES = {
    "cifar10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "digits": [str(digit) for digit in range(10)],
}


@dataclass(frozen=True)
class Pair:
    """Two arms of a data set, and for each held-out image the share of their networks that are right."""

    first: str
    second: str
    first_right: NDArray[np.float64]
    second_right: NDArray[np.float64]
    seeds: int


def pair_of(results: Results, dataset: str, claims: Sequence[ClaimFinding]) -> Pair | None:
    """The arms of the first of these claims that is about two, over the seeds that both have finished.

    None where no claim is, or networks have not left what they got right.
    """
    answers = Answers(results, dataset)
    for first, second, seeds in pairs_of(results, dataset, claims):
        right = answers.right(first, seeds), answers.right(second, seeds)
        if right[0] is not None and right[1] is not None and right[0].size == right[1].size:
            return Pair(first, second, right[0], right[1], len(seeds))
    return None


def disagreements(pair: Pair) -> tuple[list[int], list[int]]:
    """The images that the first arm gets right often and the second seldom, and the other way about.

    Often is in at least three quarters of its networks, seldom in at most a quarter. The largest differences
    come first, of equal ones those that come first in the data; at most `MOST` of each.
    """
    found = []
    for right, other in (
        (pair.first_right, pair.second_right),
        (pair.second_right, pair.first_right),
    ):
        chosen = np.flatnonzero((right >= OFTEN) & (other <= SELDOM))
        order = np.argsort(other[chosen] - right[chosen], kind="stable")
        found.append([int(index) for index in chosen[order][:MOST]])
    return found[0], found[1]


def images_of(dataset: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """The first `count` held-out images, uint8 [n, height, width, channels], and their classes.

    None where the files are not at hand, or there are fewer.
    """
    if dataset == "digits":
        from bottleneck_lab.data import digits

        levels, classes = digits.read()
        pixels, labels = levels[-digits.HELD_OUT :], classes[-digits.HELD_OUT :].astype(np.int64)
    else:
        from bottleneck_lab.data import cifar

        layout = cifar.LAYOUTS.get(dataset)
        folder = cifar.find(layout) if layout is not None else None
        if layout is None or folder is None or (held_out := cifar.read(layout, folder, "held_out")) is None:
            return None
        pixels, labels = held_out.images.transpose(0, 2, 3, 1), held_out.labels
    return (pixels[:count], labels[:count]) if len(labels) >= count else None
