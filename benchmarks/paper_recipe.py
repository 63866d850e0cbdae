"""Two epochs of the paper tier, beside the same two epochs of a plain loop that is written anew.

The tier `paper` trains MobileNetV2 of width 1.0 on CIFAR-10 for 200 epochs, by a recipe like those that are
reported elsewhere at 93.8 to 94.4 %: SGD with Nesterov's momentum of 0.9, a learning rate of 0.1 (warmed up
over 5 epochs, then along a cosine), weight decay 4e-5, batches of 128, crops and mirror images. That takes
hours of a GPU. What can be checked on a CPU is that it is this recipe: the plain loop is what one writes
down from Table 2 and from torch's own parts, with another class of network, a `DataLoader`, torch's
schedulers, and weight decay on everything. It shares with the project the files of CIFAR-10 and their
division, and not its random numbers. The recipe does not say how initial weights are drawn: `plain` draws
them as torchvision does, `alike` is the same loop from the project's weights (He's normal, by fan-in).

All follow the schedule of 200 epochs and stop after two. Each run has a core of its own; what `ours` and
`alike` come to should differ by no more than two seeds do.

    python benchmarks/paper_recipe.py --data-dir FOLDER    # or $BOTTLENECK_LAB_DATA
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from image_loop import PlainDataset
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bottleneck_lab.config import ImageSettings, RunSettings, load
from bottleneck_lab.data.cifar import LAYOUTS, find
from bottleneck_lab.data.images import Images, load_images
from bottleneck_lab.models import cost_of
from bottleneck_lab.training.device import Precision, settle_process
from bottleneck_lab.training.images import accuracy, augmentation_of, build, evaluate, train_epoch
from bottleneck_lab.training.optimiser import optimiser

STOP_AFTER, CORES = 2, 2


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to."""

    train_loss: float
    held_out_loss: float
    accuracy: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="folder with CIFAR-10's binary files")
    parser.add_argument("--seeds", type=int, default=1, help="runs of either loop (default: %(default)s)")
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS), help="which (default: all)")
    parser.add_argument("--images", type=int, help="only the first so many of both parts (default: all)")
    arguments = parser.parse_args()
    folder = find(LAYOUTS["cifar10"], arguments.data_dir)
    if folder is None:
        parser.error("CIFAR-10 is not at hand: name its folder by --data-dir or $BOTTLENECK_LAB_DATA")

    run = recipe(arguments.images)
    params = sum(p.numel() for p in PlainMobileNetV2().parameters())
    print(f"MobileNetV2 for 32 x 32 pixels: {cost_of(run).params:,} parameters, plain {params:,}")
    tasks = [
        (loop, run.model_copy(update={"seed": seed}), folder)
        for seed in range(arguments.seeds)
        for loop in arguments.loops
    ]
    print(f"{'loop':<6}{'seed':>5}{'epoch':>6}{'training loss':>15}{'held-out loss':>15}{'accuracy':>10}")
    with multiprocessing.get_context("spawn").Pool(CORES, maxtasksperchild=1) as pool:
        for (loop, one, _), epochs in zip(tasks, pool.imap(_train, tasks, chunksize=1), strict=True):
            for number, epoch in enumerate(epochs, 1):
                print(
                    f"{loop:<6}{one.seed:>5}{number:>6}{epoch.train_loss:>15.4f}"
                    f"{epoch.held_out_loss:>15.4f}{epoch.accuracy:>10.2%}  ({epoch.seconds:.0f} s)",
                    flush=True,
                )


def recipe(images: int | None) -> RunSettings:
    """The reference of `linear_vs_relu` in the tier `paper`, seed 0."""
    variants = load("linear_vs_relu").variants("paper", ["cifar10"])
    run = next(variant for variant in variants if variant.name == "linear, shortcut").with_seed(0)
    return run.model_copy(
        update={"data": run.data.model_copy(update={"train_images": images, "held_out_images": images})}
    )


def _train(task: tuple) -> list[Epoch]:
    loop, run, folder = task
    settle_process()
    return list(LOOPS[loop](run, folder))


def ours(run: RunSettings, folder: Path) -> Iterator[Epoch]:
    """The project's loop."""
    assert isinstance(run.data, ImageSettings)
    data, device = load_images(run.data, folder), torch.device("cpu")
    network = build(run, device)
    augmentation = augmentation_of(run, data)
    optimizer, precision = optimiser(network, run.train), Precision(run.train, device)
    for epoch in range(STOP_AFTER):
        start = time.perf_counter()
        record = train_epoch(network, optimizer, precision, run, data, augmentation, epoch)
        predictions, loss = evaluate(network, data, data.held_out, precision)
        seconds = time.perf_counter() - start
        yield Epoch(record["train_loss"], loss, accuracy(predictions, data.held_out), seconds)


# ------------------------------------------------------------------------------------------- the plain loop


class PlainMobileNetV2(nn.Sequential):
    """Table 2 for 32 x 32 pixels: the first two reductions are left out."""

    def __init__(self, classes: int = 10) -> None:
        layers = [*conv_norm(3, 32, 3), nn.ReLU6()]
        inputs = 32
        for t, c, n, s in (
            (1, 16, 1, 1),
            (6, 24, 2, 1),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ):
            for repeat in range(n):
                layers.append(PlainBlock(inputs, c, s if repeat == 0 else 1, t))
                inputs = c
        layers += [*conv_norm(inputs, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers, nn.Dropout(0.2), nn.Linear(1280, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)


class PlainBlock(nn.Module):
    """An inverted residual with a linear bottleneck (Table 1)."""

    def __init__(self, inputs: int, outputs: int, stride: int, t: int) -> None:
        super().__init__()
        inner = t * inputs
        expand = [*conv_norm(inputs, inner, 1), nn.ReLU6()] if t > 1 else []
        depthwise = [*conv_norm(inner, inner, 3, stride, groups=inner), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *depthwise, *conv_norm(inner, outputs, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x + self.layers(x) if self.shortcut else self.layers(x)


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size, and batch norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def alike(run: RunSettings, folder: Path) -> Iterator[Epoch]:
    """The plain loop, from the project's initial weights."""
    network, model = PlainMobileNetV2(), build(run, torch.device("cpu"))
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), model.parameters(), strict=True):
            assert parameter.shape == value.shape
            parameter.copy_(value)
    return plain(run, folder, network)


def plain(run: RunSettings, folder: Path, network: nn.Module | None = None) -> Iterator[Epoch]:
    """The loop that one writes down; of `run` it takes the seed and the images."""
    assert isinstance(run.data, ImageSettings)
    torch.manual_seed(1000 + run.seed)
    data = load_images(run.data, folder)
    loader = DataLoader(PlainDataset(data.train), batch_size=128, shuffle=True, drop_last=True)
    network = (network or PlainMobileNetV2()).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=4e-5)
    warm, steps = 5 * len(loader), 200 * len(loader)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.5 / warm, total_iters=warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warm),
        ],
        milestones=[warm],
    )
    criterion = nn.CrossEntropyLoss()
    for _ in range(STOP_AFTER):
        start, total = time.perf_counter(), 0.0
        network.train()
        for images, labels in loader:
            loss = criterion(network(images.contiguous(memory_format=torch.channels_last)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        held_out_loss, right = plain_evaluation(network, data.held_out)
        yield Epoch(total / len(loader), held_out_loss, right, time.perf_counter() - start)


@torch.no_grad()
def plain_evaluation(network: nn.Module, images: Images) -> tuple[float, float]:
    """Mean cross-entropy and share of right answers."""
    network.eval()
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
    std = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)
    loss, right = 0.0, 0
    for pixels, labels in zip(images.pixels.split(250), images.labels.split(250), strict=True):
        logits = network((pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std)
        loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        right += int((logits.argmax(1) == labels).sum())
    return loss / len(images), right / len(images)


LOOPS = {"ours": ours, "plain": plain, "alike": alike}

if __name__ == "__main__":
    main()
