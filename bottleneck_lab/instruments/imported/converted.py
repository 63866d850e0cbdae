"""A network that was trained elsewhere, as the folder of a run: to be looked into, not to be judged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from bottleneck_lab import models
from bottleneck_lab.config import ImageSettings, RunSettings, TrainSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.imported.layouts import Converted
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.records.provenance import environment

SETTLING_BATCH = 32  # images that give the initial network's batch norms their statistics, at a time


def write_converted(folder: Path, converted: Converted, source: Path, images: ImageSettings) -> RunSettings:
    """Write `converted` as a run on `images`, with everything that `instruments.trained.open_run` reads.

    The classifier stays if it has a class for each of the images'; otherwise it is 0. How the network was
    trained is not known: `train` and the seed in `config.json` only say how its untrained counterpart is
    made, and `result.json` has no accuracy, but the file that the weights came from with its SHA-256.

    Raises:
        LabError: images of other than three channels.
    """
    if images.shape[0] != 3:
        raise LabError(f"{images.dataset}: its images are grey; this network wants red, green and blue")
    run = RunSettings(
        variant=f"{converted.layout}, {source.name}",
        seed=0,
        data=images,
        model=converted.settings,
        train=TrainSettings(epochs=1, batch_size=SETTLING_BATCH),
    )
    network = models.build(run.model, run.data)
    weights = dict(converted.weights)
    if converted.classes != images.classes:
        weights |= {
            name: torch.zeros_like(tensor)
            for name, tensor in network.state_dict().items()
            if name.startswith("classifier.")
        }
    network.load_state_dict(weights)
    origin = {
        "file": source.name,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "layout": converted.layout,
        "classes": converted.classes,
        "network": run.model.network,
    }
    RunFolder.at(folder).convert(run, network.state_dict(), environment("cpu"), origin)
    return run
