"""Images per second of this project's training loop, against the loop that most people copy.

Both train `mobilenet_v2_small` on 32 x 32 pixels in batches of 64 on the same two cores; the images are
noise, for speed does not depend on what they show. The plain loop is PyTorch's textbook: a `Dataset` that
augments and normalises an image at a time, a `DataLoader` with 2 workers, NCHW, `loss.item()` every step,
torch's own number of threads. Ours is what `run-ablation` does on two cores: two processes of one thread,
each training a run of its own with the fused kernel; their images are added up.

A round trains an epoch in every way, ours straight after the plain loop, so that whatever else the machine
is doing touches both. Images per second are all images of an epoch by the time until the last process is
done with them; starting processes costs neither loop anything. Ratios are taken within rounds and say more
than the images per second; in brackets are the smallest and the largest. The second table goes from the
plain loop to ours in steps. The machine should have nothing else to do: two threads that wait for each other
suffer most.

On a machine of more cores: taskset -c 0,1 python benchmarks/image_loop.py
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from bottleneck_lab.config import RunSettings, load
from bottleneck_lab.data.images import ImageData, Images
from bottleneck_lab.models import MobileNetV2, fused
from bottleneck_lab.training.device import Precision, settle_process
from bottleneck_lab.training.images import augmentation_of, build, train_epoch
from bottleneck_lab.training.optimiser import optimiser

CLAIM = 1.8
CORES = 2
CLASSES, EDGE, BATCH = 10, 32, 64


@dataclass(frozen=True)
class Way:
    """A way to train: the plain loop, ours, or a step between them."""

    step: str
    loader: bool = False
    channels_last: bool = True
    keeps_memory: bool = True
    processes: int = 1
    fused: bool = False


STEPS = (
    Way("plain loop", loader=True, channels_last=False, keeps_memory=False),
    Way("channels_last", loader=True, keeps_memory=False),
    Way("batches cut from one tensor, no loader", keeps_memory=False),
    Way("freed memory is kept"),
    Way("two processes of one thread", processes=CORES),
    Way("the fused kernel: ours", processes=CORES, fused=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="epochs of every way (default: %(default)s)")
    parser.add_argument(
        "--images",
        type=int,
        default=1920,
        help="images of an epoch, and of a process (default: %(default)s)",
    )
    arguments = parser.parse_args()

    print(f"mobilenet_v2_small, {EDGE} x {EDGE} pixels, batches of {BATCH}, torch {torch.__version__}")
    plain, *between, ours = [Crew(way, arguments.images) for way in STEPS]
    order = [plain, ours, *between]
    speeds: dict[str, list[float]] = {way.step: [] for way in STEPS}
    for number in range(1, arguments.rounds + 1):
        for crew in order:
            speeds[crew.way.step].append(crew.images_per_second())
        row = ", ".join(f"{speeds[way.step][-1]:.0f}" for way in STEPS)
        print(f"round {number} of {arguments.rounds}, images per second: {row}", flush=True)
    for crew in order:
        crew.dismiss()

    first, *_, last = (speeds[way.step] for way in STEPS)
    print(f"\nplain loop  {spread(first, '.0f')} images per second")
    print(f"ours        {spread(last, '.0f')} images per second")
    print(f"ratio       {spread(ratios(last, first), '.2f')}, claimed: at least {CLAIM}")

    print(f"\n{'step by step':<42}{'images per second':<22}times the line above")
    before = None
    for way in STEPS:
        now = speeds[way.step]
        gain = spread(ratios(now, before), ".2f") if before else ""
        print(f"{'+ ' if before else ''}{way.step:<{40 if before else 42}}{spread(now, '.0f'):<22}{gain}")
        before = now


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def spread(values: Sequence[float], form: str) -> str:
    """Median, and in brackets the smallest and the largest value."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


class Crew:
    """The processes of one way, which wait to be told to train an epoch."""

    def __init__(self, way: Way, images: int) -> None:
        self.way, self.images = way, images
        context = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._processes = []
        for seed in range(way.processes):
            line, other_end = context.Pipe()
            process = context.Process(target=serve, args=(way, images, seed, other_end))
            process.start()
            self._lines.append(line)
            self._processes.append(process)
        for line in self._lines:
            line.recv()

    def images_per_second(self) -> float:
        """Train one epoch in every process, at the same time."""
        start = time.perf_counter()
        for line in self._lines:
            line.send("train")
        for line in self._lines:
            line.recv()
        return self.images * len(self._lines) / (time.perf_counter() - start)

    def dismiss(self) -> None:
        """Let the processes end."""
        for line, process in zip(self._lines, self._processes, strict=True):
            line.send("end")
            process.join()


def serve(way: Way, images: int, seed: int, line: Connection) -> None:
    """One process: build, warm up, then train an epoch whenever told to."""
    if way.keeps_memory:
        settle_process()
    torch.set_num_threads(CORES // way.processes)
    loop = plain_loop if way.loader else our_loop
    epoch = loop(way, random_images(images), seed)
    epoch()
    line.send("ready")
    while line.recv() == "train":
        epoch()
        line.send("done")


def random_images(count: int) -> Images:
    """Noise in the shape of CIFAR-10."""
    chance = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, EDGE, EDGE, 3), dtype=torch.uint8, generator=chance)
    return Images(pixels, torch.randint(0, CLASSES, (count,), generator=chance))


def settings(seed: int) -> RunSettings:
    """The linear variant with shortcuts of the tier `laptop`."""
    variants = load("linear_vs_relu").variants("laptop", ["cifar10"])
    run = next(variant for variant in variants if variant.name == "linear, shortcut").with_seed(seed)
    assert run.train.batch_size == BATCH
    return run


# ------------------------------------------------------------------------------------------------- our loop


def our_loop(way: Way, images: Images, seed: int) -> Callable[[], Any]:
    """A function that trains one epoch with the project's loop."""
    run, device = settings(seed), torch.device("cpu")
    network = build(run, device)
    if way.fused and (reason := fused.why_not()) is not None:
        raise SystemExit(f"no fused kernel here: {reason}")
    fused.fuse(network, on=way.fused)
    data = ImageData(images, images, None, torch.full((3,), 127.5), torch.full((3,), 73.9), {})
    augmentation = augmentation_of(run, data)
    optimizer, precision = optimiser(network, run.train), Precision(run.train, device)
    return lambda: train_epoch(network, optimizer, precision, run, data, augmentation, epoch=1)


# ------------------------------------------------------------------------------------------- the plain loop


class PlainDataset(Dataset[tuple[Tensor, Tensor]]):
    """Random crop, mirror image, normalisation: an image at a time."""

    def __init__(self, images: Images) -> None:
        self.images = images.pixels.permute(0, 3, 1, 2).contiguous()
        self.labels = images.labels
        self.mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
        self.std = torch.tensor([0.2470, 0.2435, 0.2616]).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = F.pad(self.images[index], (4, 4, 4, 4))
        top, left = torch.randint(0, 9, (2,)).tolist()
        image = image[:, top : top + EDGE, left : left + EDGE]
        if torch.rand(1) < 0.5:
            image = image.flip(2)
        image = image.float() / 255
        image = (image - self.mean) / self.std
        return image, self.labels[index]


def plain_loop(way: Way, images: Images, seed: int) -> Callable[[], float]:
    """A function that trains one epoch as the textbook does; `channels_last` is the one step away from it."""
    torch.manual_seed(seed)
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    model = MobileNetV2(settings(seed).model, 3, CLASSES).to(memory_format=layout)
    loader = DataLoader(
        PlainDataset(images),
        batch_size=BATCH,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,  # an epoch is short here, and should not pay for starting them
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

    def epoch() -> float:
        model.train()
        running_loss = 0.0
        for inputs, targets in loader:
            inputs = inputs.to(memory_format=layout)
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        return running_loss / len(loader)

    return epoch


if __name__ == "__main__":
    main()
