"""What looks would cost, and which claims they would decide, if the published effects and spreads were true.

    python benchmarks/choose_looks.py 4,8 4,8,12 --spiral 8,32,64,128     # a minute a design on one core

Contrasts on images are normal with the published mean, and a spread shrunk towards `POOLED` (with the weight
of three seeds, since three hardly tell it); on spirals they are drawn anew from the published seeds. Claims
are drawn independently of each other. Times are what the published runs of the quick tier took on one core.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bottleneck_lab.config import Design, catalogue, design_of, load
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import Claimed, decide_family, paired_contrast, planned_looks

FIGURES = Path(__file__).parents[1] / "figures"
POOLED, WEIGHT = 0.025, 3
BETTER = {  # records with more seeds than those of the quick tier
    ("linear_vs_relu", "cifar10"): "linear_vs_relu_12_seeds",
    ("linear_vs_relu", "spiral"): "linear_vs_relu_laptop",
    ("residual_placement", "spiral"): "residual_placement_laptop",
}
FAMILIES = 100


def contrasts(results: Results, dataset: str, design: Design) -> dict[str, np.ndarray]:
    """The published contrasts of every claim."""
    found = {}
    for name, claim in design.claims.items():
        per_variant = {
            variant: {
                run.seed: value
                for run in results.of(variant, dataset)
                if (value := run.value_of(claim.measure)) is not None
            }
            for variant in claim.contrast
        }
        found[name] = np.array([*paired_contrast(per_variant, claim.contrast).values()])
    return found


def drawn(
    published: np.ndarray, share: bool, toy: bool, n: int, generator: np.random.Generator
) -> tuple[float, ...]:
    """So many new contrasts of a claim."""
    if toy:
        return tuple(generator.choice(published, n))
    freedom, variance = len(published) - 1, published.var(ddof=1)
    towards = POOLED**2 if share else variance
    spread = np.sqrt((freedom * variance + WEIGHT * towards) / (freedom + WEIGHT))
    return tuple(generator.normal(published.mean(), spread, n))


def lines(name: str, dataset: str, looks: tuple[int, ...]) -> Iterator[str]:
    """What these looks would come to for one ablation on a data set."""
    ablation = load(name)
    part_name = ablation.part_of(dataset)
    if part_name is None:
        return
    design = design_of(part_name, ablation.parts[part_name], looks, True)
    seconds = defaultdict(list)
    for run in collect(FIGURES / name).runs:
        if run.dataset == dataset and run.cpu_seconds is not None:
            seconds[run.variant].append(run.cpu_seconds)
    published = contrasts(collect(FIGURES / BETTER.get((name, dataset), name)), dataset, design)
    generator = np.random.default_rng(7)
    decided = dict.fromkeys(design.claims, 0)
    minutes = runs = 0.0
    for _ in range(FAMILIES):
        family = [
            Claimed(
                drawn(
                    published[each], claim.measure == "accuracy", dataset == "spiral", looks[-1], generator
                ),
                claim.kind,
                claim.margin,
                claim.weight,
                claim.bounds,
            )
            for each, claim in design.claims.items()
        ]
        needed = dict.fromkeys(seconds, looks[0])
        for (each, claim), (verdict, seeds) in zip(
            design.claims.items(), decide_family(family, planned_looks(looks)), strict=True
        ):
            decided[each] += verdict != "inconclusive"
            needed |= {variant: max(needed[variant], seeds) for variant in claim.contrast}
        runs += sum(needed.values())
        minutes += sum(count * float(np.mean(seconds[each])) / 60 for each, count in needed.items())
    stay_open = sum(1 - count / FAMILIES for count in decided.values())
    cost = f"{runs / FAMILIES:.0f} runs, {minutes / FAMILIES:.0f} core-minutes"
    yield f"{name} on {dataset}, looks {looks}: {cost}"
    yield f"  {stay_open:.1f} of {len(decided)} stay open; chance of a verdict: " + ", ".join(
        f"{each} {count / FAMILIES:.2f}" for each, count in decided.items()
    )


def main() -> None:
    """Print a pair of lines for each ablation of the catalogue and each design."""
    parser = argparse.ArgumentParser()
    parser.add_argument("looks", nargs="*", default=[])
    parser.add_argument("--spiral", nargs="*", default=[])
    chosen = parser.parse_args()
    for name in catalogue():
        for dataset, designs in (("cifar10", chosen.looks), ("spiral", chosen.spiral)):
            for text in designs:
                for line in lines(name, dataset, tuple(map(int, text.split(",")))):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
