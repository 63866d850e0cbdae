"""How often verdicts are wrong, and how many runs they take: `stats.families` on made-up contrasts.

    python benchmarks/verdicts.py 300     # families in a cell; writes benchmarks/verdicts.csv, in ten minutes

Every family is judged by `decide_family`, which judges an ablation as well. Wrong is a verdict of any
kind on any claim of a family; the promise is 5 %.
"""

from __future__ import annotations

import csv
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.stats import Claimed, decide_family, judge, planned_looks
from bottleneck_lab.stats.families.judgement import Question

HERE = Path(__file__).parent
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]  # n contrasts of mean 0


def _tied(right: float, images: int = 200) -> Draw:
    """Differences of two networks that are equally often right about so many images."""
    return lambda g, n: (g.binomial(images, right, n) - g.binomial(images, right, n)) / images


def _rarely(chance: float, loss: float) -> Draw:
    """One network in so many does not leave chance; the others differ by nothing but a little noise."""
    return lambda g, n: np.clip(loss * (chance - (g.random(n) < chance)) + g.normal(0, 0.002, n), -1, 1)


SHAPES: dict[str, tuple[Draw, float]] = {  # and a margin of the size of a standard deviation
    "normal": (lambda g, n: g.normal(0, 0.02, n), 0.02),
    "heavy tails (t, 3 df)": (lambda g, n: 0.01 * g.standard_t(3, n), 0.02),
    "tied (200 images, 90 % right)": (_tied(0.9), 0.03),
    "tied (200 images, 99 % right)": (_tied(0.99), 0.01),
    "skewed (exponential)": (lambda g, n: np.clip(0.05 * (g.exponential(1, n) - 1), -1, 1), 0.05),
    "one in ten fails (50 points)": (_rarely(0.1, 0.5), 0.05),
}
DESIGNS = ((4,), (8,), (4, 8, 16))
RULES = ("normal", "bounded", "before")
CLAIMS = (1, 12)


def wrong(verdict: str, kind: str, mean: float, margin: float) -> bool:
    """Whether a verdict is false of a claim with that true mean."""
    right = {
        "difference": {"supported": mean > 0, "contradicted": mean < 0, "equivalent": abs(mean) < margin},
        "equivalence": {"supported": abs(mean) < margin, "contradicted": abs(mean) > margin},
    }[kind]
    return not right.get(verdict, True)


def families(
    shape: str, kind: str, mean: float, looks: tuple[int, ...], claims: int, rule: str, count: int
) -> float:
    """The share of families with a wrong verdict; each has so many claims, alike but independent."""
    draw, margin = SHAPES[shape]
    generator = np.random.default_rng(zlib.crc32(f"{shape} {kind} {mean} {looks} {claims}".encode()))
    bounds = (-1.0, 1.0) if rule == "bounded" else None
    planned, failed = planned_looks(looks), 0
    for _ in range(count):
        values = [tuple(mean * margin + draw(generator, looks[-1])) for _ in range(claims)]
        if rule == "before":
            verdicts = [j.verdict for j in judge([Question(each, kind, margin) for each in values])]
        else:
            family = [Claimed(tuple(np.clip(each, -1, 1)), kind, margin, 1.0, bounds) for each in values]
            verdicts = [verdict for verdict, _ in decide_family(family, planned)]
        failed += any(wrong(verdict, kind, mean * margin, margin) for verdict in verdicts)
    return failed / count


def table(count: int) -> Iterator[dict[str, object]]:
    """A row for each shape, kind of claim, design, number of claims and rule."""
    for shape in SHAPES:
        for kind, mean in (("difference", 0.0), ("equivalence", 1.0)):
            for looks in DESIGNS:
                for claims in CLAIMS:
                    for rule in RULES:
                        if rule == "before" and (len(looks) > 1 or mean):
                            continue
                        n = count if rule != "bounded" else count // 5
                        rate = families(shape, kind, mean, looks, claims, rule, n)
                        yield {
                            "contrasts": shape,
                            "claims are of": kind
                            + (" at the margin" if mean else ", of which there is none"),
                            "looks": " ".join(map(str, looks)),
                            "claims": claims,
                            "taken as": rule,
                            "families": n,
                            "wrong": f"{rate:.4f}",
                            "standard error": f"{np.sqrt(max(rate, 0.01) * (1 - rate) / n):.4f}",
                        }


def main() -> None:
    """Write the table."""
    count = int(sys.argv[1])
    rows = []
    for row in table(count):
        rows.append(row)
        print(*row.values(), sep=" | ", flush=True)
    with (HERE / "verdicts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
