"""What a depthwise separable convolution saves, in multiply-accumulates and in time.

    python benchmarks/depthwise_separable.py            # about 2 minutes, one thread

Sandler et al. 2018, Sec. 3.1: a depthwise separable convolution with 3 x 3 kernels costs 8 to 9 times less
than a full one. For d channels in and out the multiply-accumulates are k^2 d / (k^2 + d) times fewer: 8 to 9
times from d = 72 on. Each row is a layer of MobileNetV1 (its resolution and width): a full convolution with
batch norm and ReLU against the depthwise and the pointwise convolution with theirs, both in evaluation mode
and channels last. A round times both, one straight after the other; ratios are taken within rounds: median,
and the smallest and largest.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

from bottleneck_lab.models import madds
from bottleneck_lab.models.networks.mobilenet_v1 import FullConvolution, SeparableConvolution
from bottleneck_lab.training.device import settle_process

LAYERS = ((112, 32), (56, 64), (56, 128), (28, 256), (14, 512), (7, 1024))  # pixels along an edge, channels
ENOUGH = 0.02  # seconds that one timing lasts at least


def seconds(layer: nn.Module, images: torch.Tensor, repeats: int) -> float:
    """Of one forward pass, from `repeats` of them."""
    start = time.perf_counter()
    for _ in range(repeats):
        layer(images)
    return (time.perf_counter() - start) / repeats


@torch.no_grad()
def compare(edge: int, width: int, batch: int, rounds: int) -> tuple[float, float, list[float]]:
    """How many times fewer multiply-accumulates, how many milliseconds, and how many times less time."""
    layers = [
        kind(width, width).eval().to(memory_format=torch.channels_last)
        for kind in (FullConvolution, SeparableConvolution)
    ]
    images = torch.randn(batch, width, edge, edge).to(memory_format=torch.channels_last)
    repeats = [max(1, round(ENOUGH / seconds(layer, images, 3))) for layer in layers]
    ratios, full_times = [], []
    for _ in range(rounds):
        full, separable = (seconds(layer, images, n) for layer, n in zip(layers, repeats, strict=True))
        ratios.append(full / separable)
        full_times.append(full)
    counts = [madds(layer, *images.shape) for layer in layers]
    return counts[0] / counts[1], 1e3 * statistics.median(full_times), ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    settle_process()
    print(f"one thread, torch {torch.__version__}, {rounds} rounds")
    print("pixels   channels  batch  MAdds saved  full (ms)  time saved (smallest, largest)")
    for batch in (1, 32):
        for edge, width in LAYERS:
            saved, milliseconds, ratios = compare(edge, width, batch, rounds)
            print(
                f"{edge:>3} x {edge:<3} {width:>8} {batch:>6} {saved:>11.2f}x {milliseconds:>10.2f} "
                f"{statistics.median(ratios):>10.2f}x ({min(ratios):.2f}, {max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
