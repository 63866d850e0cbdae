"""The network that a finished run has left, and the images it was trained on: to look at, not to train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bottleneck_lab.config import ImageSettings, RunSettings
from bottleneck_lab.data import cifar
from bottleneck_lab.data.images import ImageData, Images, load_images
from bottleneck_lab.errors import LabError
from bottleneck_lab.manifold.positives import State
from bottleneck_lab.models import MobileNetV2
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.records.provenance import data_difference
from bottleneck_lab.training.images import EVALUATION_BATCH, build

STATES: tuple[State, ...] = ("unnormalised", "initial", "trained")


@dataclass(frozen=True)
class TrainedRun:
    """A finished run on images.

    Args:
        folder: what it has left.
        settings: what determined it.
        accuracy: on the held-out images after the last epoch, 0 to 1; NaN for a network from elsewhere.
        data: its images, on `device`.
        device: where the network is to run.
    """

    folder: Path
    settings: RunSettings
    accuracy: float
    data: ImageData
    device: torch.device

    def network(self, state: State, images: int | None = None) -> MobileNetV2:
        """The network in evaluation mode, at the start or at the end of training.

        Args:
            state: `trained` has the weights that the run has left. The others have its initial weights.
                `unnormalised` keeps batch norm as it is created, with mean 0 and variance 1, so that in
                evaluation it changes nothing. `initial` gives it the statistics of training images, which is
                what the first step of training sees.
            images: how many of the training images these statistics are taken from; all if absent.

        Raises:
            LabError: weights that are missing, damaged, or of another network.
        """
        network = build(self.settings, self.device)
        if not isinstance(network, MobileNetV2):
            kind = self.settings.model.network
            raise LabError(
                f"{self.folder}: a network of the kind {kind!r}; this looks into MobileNetV2's blocks"
            )
        if state == "trained":
            self._load(network)
        elif state == "initial":
            size = self.settings.train.batch_size or EVALUATION_BATCH
            normalise(network, self.batches(self.data.train, images, size))
        return network.eval()

    def batches(self, images: Images, count: int | None = None, size: int | None = None) -> Iterator[Tensor]:
        """The first `count` of `images` (all if absent) as the network takes them, `size` at a time.

        Without a size, as many as have the pixels of an evaluation batch of 32 x 32, so that large images
        need no more memory.
        """
        pixels = images.pixels[:count]
        if size is None:
            size = max(1, min(EVALUATION_BATCH, EVALUATION_BATCH * 32 * 32 // pixels[0, ..., 0].numel()))
        for start in range(0, len(pixels), size):
            yield self.data.normalised(pixels[start : start + size])

    def _load(self, network: nn.Module) -> None:
        weights = RunFolder.at(self.folder).weights(self.device)
        try:
            network.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
            raise LabError(
                f"{self.folder / 'weights.pt'}: damaged, or not the weights of {self.settings.variant!r}"
            ) from error


@torch.no_grad()
def normalise(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give every batch norm the mean statistics of its input over `batches`, each normalised by its own.

    A last batch that is smaller than the others is left out, as it is in training.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    network.eval()  # dropout stays off
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    size = 0
    for batch in batches:
        if len(batch) >= size:
            network(batch)
            size = len(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def open_run(folder: Path, data_dir: Path | None, device: torch.device) -> TrainedRun:
    """Read a finished run's folder, and find its images in `data_dir` or where `data.cifar.find` looks.

    Raises:
        LabError: not the folder of a run, or of one on spirals, or of one that is not finished; images that
            are not at hand, or are others than the run was trained on.
    """
    left = RunFolder.at(folder)
    settings = left.settings()
    if not isinstance(settings.data, ImageSettings):
        raise LabError(
            f"{folder}: a run on {settings.dataset} points, which have no pixels; give a run on images"
        )
    result = left.result() or {"status": "unfinished"}
    if result["status"] != "done":
        raise LabError(
            f"{folder}: this run is {result['status']}; only one that is done has a network to look at"
        )
    data = _data(settings.data, data_dir)
    trained_on = left.environment().get("checksums")
    if isinstance(trained_on, dict) and (why := data_difference(data.checksums, trained_on)):
        raise LabError(f"{folder}: was trained on other images than {settings.dataset} has now ({why})")
    data = data.to(device)
    accuracy = float("nan") if result["accuracy"] is None else float(result["accuracy"])
    return TrainedRun(folder, settings, accuracy, data, device)


def _data(settings: ImageSettings, data_dir: Path | None) -> ImageData:
    layout = cifar.LAYOUTS.get(settings.dataset)
    if layout is None:
        return load_images(settings, None)
    folder = cifar.find_named(layout, data_dir)
    if folder is None:
        raise LabError(
            f"{layout.title}, whose images this run goes with, is not at hand: give its folder as "
            f"--data-dir, or get it by: bottleneck-lab data fetch {layout.name}"
        )
    return load_images(settings, folder)
