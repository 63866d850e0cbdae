"""Time to train toy networks as one batch, against one at a time with the same code.

The networks are those of `linear_vs_relu` on spirals: 3 projections, with the shortcut and without, 8 seeds,
which are 48 networks of each bottleneck width. `run-ablation` trains the 48 together, as one batch of
matrices; the alternative is the same function called 48 times with a single network. Both train on one
thread, for a few steps (what counts is the time of a step), and both evaluate as often as the settings say.

A narrow network's step is bound by the number of calls it makes, which the batch shares out: there it is many
times as fast. A wide network's step is bound by arithmetic, which no batch can save. "All widths" is the time
of the whole set. Ratios are taken within rounds; in brackets are the smallest and the largest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import torch

from bottleneck_lab.config import RunSettings, load
from bottleneck_lab.training.checkpoint import Checkpoint
from bottleneck_lab.training.device import settle_process
from bottleneck_lab.training.toy import train_toys

CLAIM = 5.0
SEEDS = 8
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="times that all is trained (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=40, help="steps of every network (default: %(default)s)")
    parser.add_argument("--tier", default="quick", help="whose settings are used (default: %(default)s)")
    arguments = parser.parse_args()
    settle_process()

    batches = networks(arguments.tier, arguments.steps)
    points = batches[0][0].data.points
    print(
        f"{len(batches[0])} networks a width, {points} points, one thread, torch {torch.__version__}",
        flush=True,
    )
    for batch in batches:
        seconds([batch])
        seconds([[run] for run in batch[:WARM_UP]])

    alone: dict[str, list[float]] = {}
    together: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        for batch in batches:
            name = f"d = {batch[0].model.width}"
            alone.setdefault(name, []).append(seconds([[run] for run in batch]))
            together.setdefault(name, []).append(seconds([batch]))
        print(f"round {number + 1} of {arguments.rounds} done", flush=True)
    alone["all widths"] = [sum(times) for times in zip(*alone.values(), strict=True)]
    together["all widths"] = [sum(times) for times in zip(*together.values(), strict=True)]

    steps = arguments.steps * len(batches[0])
    print(f"\n{'':<12}{'one at a time':<24}{'as a batch':<24}ratio")
    print(f"{'':<12}{'ms a network and step':<24}{'ms a network and step'}")
    for name in alone:
        count = steps * (len(batches) if name == "all widths" else 1)
        columns = [
            spread([1000 * t / count for t in times], ".3f") for times in (alone[name], together[name])
        ]
        ratio = [a / b for a, b in zip(alone[name], together[name], strict=True)]
        print(f"{name:<12}{columns[0]:<24}{columns[1]:<24}{spread(ratio, '.1f')}")
    print(f"claimed: at least {CLAIM:g} times")


def networks(tier: str, steps: int) -> list[list[RunSettings]]:
    """The runs of each bottleneck width, narrowest first."""
    variants = load("linear_vs_relu").variants(tier, ["spiral"], {"train": {"epochs": steps}})
    by_width: dict[int, list[RunSettings]] = {}
    for variant in variants:
        runs = [variant.with_seed(seed) for seed in range(SEEDS)]
        by_width.setdefault(variant.settings.model.width, []).extend(runs)
    return [by_width[width] for width in sorted(by_width)]


def seconds(batches: Sequence[Sequence[RunSettings]]) -> float:
    """Wall time of training batch after batch, keeping no checkpoints."""
    start = time.perf_counter()
    for batch in batches:
        train_toys(batch, torch.device("cpu"), Checkpoint(None))
    return time.perf_counter() - start


def spread(values: Sequence[float], form: str) -> str:
    """Median, and in brackets the smallest and the largest value."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


if __name__ == "__main__":
    main()
