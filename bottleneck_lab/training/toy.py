"""Training toy networks: all networks of one shape, variants and seeds, together as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bottleneck_lab import measures
from bottleneck_lab.config import PointSettings, RunSettings, ToyNetworkSettings
from bottleneck_lab.data.points import draw_points
from bottleneck_lab.extend.global_state import seed_everything
from bottleneck_lab.models import ToyNetworks, initialise_batch, toy_shape
from bottleneck_lab.models.activations import Changing, give_chance
from bottleneck_lab.seeds import stream
from bottleneck_lab.training.checkpoint import Checkpoint
from bottleneck_lab.training.optimiser import learning_rate, optimiser, set_learning_rate
from bottleneck_lab.training.outcome import Outcome, Progress, Record, Stopwatch, finite


def toy_group(run: RunSettings) -> tuple[object, ...]:
    """Runs with equal groups can share a batch: same shape, data, training and measures."""
    assert isinstance(run.model, ToyNetworkSettings)
    return toy_shape(run.model), run.data, run.train, run.measures


def build(runs: Sequence[RunSettings], device: torch.device) -> ToyNetworks:
    """The networks of `runs` with their initial weights, as one batch on `device`."""
    data = runs[0].data
    assert isinstance(data, PointSettings)
    models = [run.model for run in runs if isinstance(run.model, ToyNetworkSettings)]
    networks = ToyNetworks(models, data.coordinates, data.classes)
    initialise_batch(networks, [run.seed for run in runs], [model.initial for model in models])
    return networks.to(device)


def train_toys(
    runs: Sequence[RunSettings],
    device: torch.device,
    checkpoint: Checkpoint,
    progress: Progress = lambda index, records: None,
) -> list[Outcome]:
    """Train the networks of `runs` (equal `toy_group`s) to their last step, going on from `checkpoint`.

    Every network has its own points and initial weights, by its own seed, and its own optimiser state. What
    it learns depends on the company it is trained in by rounding alone, which training can amplify; jobs are
    therefore always formed alike. One that diverges leaves the others alone.
    """
    settings = runs[0].train
    points, arms = _points(runs, "train", device)
    held_points, held_arms = _points(runs, "held_out", device)
    networks = build(runs, device)
    changing, seeds = Changing(networks), [run.seed for run in runs]
    optimizer = optimiser(networks, settings)
    records: list[list[Record]] = [[] for _ in runs]
    at_start: list[tuple[dict[str, float], measures.Blocks]] = []
    done = 0
    if saved := checkpoint.load():
        networks.load_state_dict(saved["networks"])
        optimizer.load_state_dict(saved["optimizer"])
        records, done = saved["records"], saved["epoch"]
    elif runs[0].measures:
        give_chance(networks, seeds, "measures", 0)
        changing.go_to(0.0)
        at_start = measures.take_of_toys(runs[0].measures, networks, held_points, held_arms)

    added = any(name in registry.added for run in runs for registry, name in run.model.names())
    watch = Stopwatch()
    for epoch in range(done, settings.epochs):
        rate = learning_rate(settings, epoch + 0.5)
        set_learning_rate(optimizer, rate)
        if added:  # which may draw random numbers
            seed_everything(stream(runs[0].seed, "network", epoch))
        give_chance(networks, seeds, "training", epoch)
        changing.go_to(epoch / settings.epochs)
        losses = _losses(networks(points), arms, settings.label_smoothing)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        last = epoch + 1 == settings.epochs
        measured = bool(runs[0].measures) and settings.measured_after(epoch + 1)
        if not (last or measured) and (epoch + 1) % settings.evaluate_every:
            continue
        give_chance(networks, seeds, "held out", epoch + 1)
        changing.go_to((epoch + 1) / settings.epochs)
        held_losses, predictions = _evaluate(networks, held_points, held_arms)
        if measured:
            give_chance(networks, seeds, "measures", epoch + 1)
            taken = measures.take_of_toys(runs[0].measures, networks, held_points, held_arms)
        right = (predictions == held_arms).float().mean(1)
        seconds, cpu_seconds = (passed / len(runs) for passed in watch.read())
        columns = torch.stack([losses.detach(), held_losses, right]).cpu().double().T.tolist()
        for index, (train_loss, loss, share) in enumerate(columns):
            if records[index] and not finite(records[index][-1]):
                continue
            record: Record = {
                "epoch": epoch + 1,
                "learning_rate": rate,
                "train_loss": train_loss,
                "loss": loss,
                "accuracy": share,
                "seconds": round(seconds, 4),
                "cpu_seconds": round(cpu_seconds, 4),
            }
            if measured:
                record["measures"], record["blocks"] = taken[index]
            if at_start and not records[index]:
                record["blocks_at_start"] = at_start[index][1]
            records[index].append(record)
            progress(index, records[index])
        checkpoint.save(
            {
                "runs": [run.id for run in runs],
                "epoch": epoch + 1,
                "records": records,
                "networks": networks.state_dict(),
                "optimizer": optimizer.state_dict(),
            },
            now=last,
        )

    give_chance(networks, seeds, "held out", settings.epochs)
    changing.go_to(1.0)
    _, predictions = _evaluate(networks, held_points, held_arms)
    classes = predictions.cpu().numpy().astype(np.uint8)
    correct = (predictions == held_arms).cpu().numpy()
    return [
        _outcome(networks, index, records[index], classes[index], correct[index])
        for index in range(len(runs))
    ]


def _outcome(
    networks: ToyNetworks,
    index: int,
    records: list[Record],
    classes: np.ndarray[tuple[int], np.dtype[np.uint8]],
    correct: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> Outcome:
    weights = {name: tensor[index].clone() for name, tensor in networks.state_dict().items()}
    if not finite(records[-1]):
        return Outcome("diverged", records, None, None, None, weights)
    return Outcome("done", records, classes, correct, None, weights)


def _points(
    runs: Sequence[RunSettings], part: Literal["train", "held_out"], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Every run's own points `[runs, points, dimensions]` and their arms `[runs, points]`."""
    drawn: dict[int, tuple[Tensor, Tensor]] = {}
    for run in runs:
        assert isinstance(run.data, PointSettings)
        if run.seed not in drawn:
            drawn[run.seed] = draw_points(run.data, run.seed, part)
    points, arms = zip(*(drawn[run.seed] for run in runs), strict=True)
    return torch.stack(points).to(device), torch.stack(arms).to(device)


def _losses(logits: Tensor, arms: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of each network, in nats: `[runs, points, classes]` to `[runs]`."""
    flat = F.cross_entropy(
        logits.flatten(0, 1), arms.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return flat.view(arms.shape).mean(1)


@torch.no_grad()
def _evaluate(networks: ToyNetworks, points: Tensor, arms: Tensor) -> tuple[Tensor, Tensor]:
    """Each network's mean loss `[runs]` and the class it gives every point `[runs, points]`."""
    logits = networks(points)
    return _losses(logits, arms), logits.argmax(2)
