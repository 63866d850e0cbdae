"""Training one network on images. The loop can be read aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from bottleneck_lab import measures, models
from bottleneck_lab.config import ImageSettings, RunSettings, TrainSettings
from bottleneck_lab.data.images import Augmentation, ImageData, Images
from bottleneck_lab.extend.global_state import seed_everything
from bottleneck_lab.models import initialise
from bottleneck_lab.models.activations import Changing, give_chance
from bottleneck_lab.quantise.aware import aware
from bottleneck_lab.seeds import stream
from bottleneck_lab.training.averaging import average_of, is_averaged
from bottleneck_lab.training.checkpoint import Checkpoint
from bottleneck_lab.training.device import Precision
from bottleneck_lab.training.kernel import choose_kernel, resume_kernel
from bottleneck_lab.training.optimiser import learning_rate, optimiser, set_learning_rate
from bottleneck_lab.training.outcome import Outcome, Progress, Record, Stopwatch, finite
from bottleneck_lab.training.trunks import Trunks

EVALUATION_BATCH = 250  # small enough for the tensors to stay in a CPU's cache


def build(run: RunSettings, device: torch.device) -> nn.Module:
    """The run's network with its initial weights, in channels-last layout on `device`."""
    seed_everything(stream(run.seed, "initial"))  # for what initialise() leaves to an added block
    network = models.build(run.model, run.data)
    initialise(network, run.seed, run.model.initial)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train_on_images(
    run: RunSettings,
    data: ImageData,
    device: torch.device,
    checkpoint: Checkpoint,
    progress: Progress = lambda index, records: None,
    trunks: Trunks | None = None,
) -> Outcome:
    """Train the network of `run` to its last epoch, going on from `checkpoint` or else from its trunk.

    All chance is drawn from streams named by seed and epoch, so that a run which was interrupted ends with
    the same bits as one which was not, and every variant of a seed sees the same images in the same order.
    """
    assert isinstance(run.data, ImageSettings)
    settings = run.train
    data = data.to(device)
    if run.data.labels == "random":
        data = data.with_random_labels(run.data.classes, stream(run.seed, "labels"))
    augmentation = augmentation_of(run, data)
    network = build(run, device)
    average = average_of(network, settings)
    optimizer = optimiser(network, settings)
    precision = Precision(settings, device)
    records: list[Record] = []
    at_start: measures.Blocks = {}
    trunks = trunks or Trunks(None)
    if saved := checkpoint.load():
        kernel = resume_kernel(saved.get("kernel", "eager"), network)
    else:
        kernel = choose_kernel(run, network, device)
        saved = trunks.find(run, device, kernel.mark)
    if saved:
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        precision.scaler.load_state_dict(saved["scaler"])
        if average is not None and saved["average"] is not None:
            average.load_state_dict(saved["average"])
        records = saved["records"]
    else:
        _ready(network, run, "measures", 0)
        at_start = measures.take_at_start(run.measures, network, data)
        # A measure that fails should do so before the training.
        measures.take(measures.to_try(run.measures), network, data, at_start)
    continued: int = saved.get("continued", 0) if saved else 0

    predictions = None
    watch = Stopwatch()
    for epoch in range(records[-1]["epoch"] if records else 0, settings.epochs):
        with aware(network, settings.quantised_in(epoch)):
            record = train_epoch(network, optimizer, precision, run, data, augmentation, epoch, average)
        if epoch == 0 and at_start:
            record["blocks_at_start"] = at_start
        train_seconds, train_cpu = watch.read()
        last = epoch + 1 == settings.epochs
        result = average.module if average is not None and average.n_averaged else network
        if last or (epoch + 1) % settings.evaluate_every == 0:
            _ready(result, run, "held out", epoch + 1)
            predictions, record["loss"] = evaluate(result, data, data.held_out, precision)
            record["accuracy"] = accuracy(predictions, data.held_out)
        if last and result is not network:
            _ready(network, run, "held out", epoch + 1)
            others, loss = evaluate(network, data, data.held_out, precision)
            record["unaveraged"] = {"loss": loss, "accuracy": accuracy(others, data.held_out)}
        if run.measures and finite(record) and settings.measured_after(epoch + 1):
            _ready(result, run, "measures", epoch + 1)
            blocks = measures.take_by_block(run.measures, result, data)
            record["measures"] = measures.take(run.measures, result, data, blocks)
            if blocks:
                record["blocks"] = blocks
            record["measures"] |= measures.take_of_training(run.measures, [*records, record])
        seconds, cpu = watch.read()
        record["train_seconds"] = round(train_seconds, 3)
        record["seconds"] = round(train_seconds + seconds, 3)
        record["cpu_seconds"] = round(train_cpu + cpu, 3)
        records.append(record)
        progress(0, records)
        if not finite(record):
            weights = network.state_dict()
            return Outcome("diverged", records, None, None, None, weights, continued, kernel.name)
        state = {
            "runs": [run.id],
            "kernel": kernel.mark,
            "records": records,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": precision.scaler.state_dict(),
            "average": None,
        }
        trunks.keep(run, device, state)
        if average is not None and average.n_averaged:
            state["average"] = average.state_dict()
        checkpoint.save({**state, "continued": continued}, now=last)

    result = network if average is None else average.module
    if predictions is None:  # resumed after its last epoch
        _ready(result, run, "held out", settings.epochs)
        predictions, _ = evaluate(result, data, data.held_out, precision)
    test = None
    if data.test is not None:
        _ready(result, run, "test", settings.epochs)
        test = accuracy(evaluate(result, data, data.test, precision)[0], data.test)
    classes, correct = predictions.astype(np.uint8), correctness(predictions, data.held_out)
    return Outcome("done", records, classes, correct, test, result.state_dict(), continued, kernel.name)


def _ready(network: nn.Module, run: RunSettings, purpose: str, epoch: int) -> None:
    """Make a network what it is after so many epochs: what it draws, and what changes over training."""
    give_chance(network, [run.seed], purpose, epoch)
    Changing(network).go_to(epoch / run.train.epochs)


def augmentation_of(run: RunSettings, data: ImageData) -> Augmentation:
    """How the training images of a run are varied."""
    assert isinstance(run.data, ImageSettings)
    first = None
    if run.data.alternate_flip:
        coins = torch.Generator().manual_seed(stream(run.seed, "flip"))
        first = torch.rand(len(data.train), generator=coins) < 0.5
    return Augmentation(data.train, run.data.crop_padding, run.data.flip, first)


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    run: RunSettings,
    data: ImageData,
    augmentation: Augmentation,
    epoch: int,
    average: AveragedModel | None = None,
) -> Record:
    """One pass over the training images in the order of this seed and epoch; returns its record.

    Where it is time for that, the weights after each step are taken into `average`.
    """
    settings, device = run.train, precision.device
    seed_everything(stream(run.seed, "network", epoch))  # dropout, and what was added
    chance = torch.Generator().manual_seed(stream(run.seed, "augmentation", epoch))
    batches = _batches(len(data.train), settings, stream(run.seed, "order", epoch))
    give_chance(network, [run.seed], "training", epoch)
    changing = Changing(network)
    network.train()
    total = torch.zeros((), device=device)
    for step, rows in enumerate(batches):
        rate = learning_rate(settings, epoch + (step + 0.5) / len(batches))
        set_learning_rate(optimizer, rate)
        changing.go_to((epoch + step / len(batches)) / settings.epochs)
        rows = rows.to(device)
        images = data.normalised(augmentation.batch(rows, chance, epoch))
        with precision.autocast():
            logits = network(images)
        loss = F.cross_entropy(
            logits.float(), data.train.labels[rows], label_smoothing=settings.label_smoothing
        )
        optimizer.zero_grad()
        precision.scaler.scale(loss).backward()
        precision.scaler.step(optimizer)
        precision.scaler.update()
        if average is not None and is_averaged(settings, epoch + (step + 1) / len(batches)):
            average.update_parameters(network)
        total += loss.detach()
    return {
        "epoch": epoch + 1,
        "learning_rate": rate,
        "train_loss": float(total) / len(batches),
    }


def _batches(images: int, settings: TrainSettings, seed: int) -> list[Tensor]:
    """Rows of every batch of one epoch; what does not fill a last batch waits for the next epoch."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    size = min(settings.batch_size or images, images)
    return list(order[: images // size * size].split(size))


@torch.no_grad()
def evaluate(
    network: nn.Module, data: ImageData, images: Images, precision: Precision
) -> tuple[np.ndarray[Any, Any], float]:
    """Class of every image, int64 `[n]`, and the mean cross-entropy in nats."""
    network.eval()
    predictions, loss = [], 0.0
    for start in range(0, len(images), EVALUATION_BATCH):
        pixels = images.pixels[start : start + EVALUATION_BATCH]
        labels = images.labels[start : start + EVALUATION_BATCH]
        with precision.autocast():
            logits = network(data.normalised(pixels))
        loss += float(F.cross_entropy(logits.float(), labels, reduction="sum"))
        predictions.append(logits.argmax(1).cpu())
    return torch.cat(predictions).numpy(), loss / len(images)


def accuracy(predictions: np.ndarray[Any, Any], images: Images) -> float:
    """Share of images whose predicted class is right, 0 to 1."""
    return float(correctness(predictions, images).mean())


def correctness(predictions: np.ndarray[Any, Any], images: Images) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each image's predicted class is right, bool `[n]`."""
    right: np.ndarray[Any, np.dtype[np.bool_]] = predictions == images.labels.cpu().numpy()
    return right
