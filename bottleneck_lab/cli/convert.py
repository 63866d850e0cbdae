"""`convert`: a MobileNetV2 that torchvision or timm has saved, for the collapse lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import Include, make_folder
from bottleneck_lab.errors import LabError


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A .pth, .pt, .bin or .safetensors file of torchvision's or timm's names.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the network; `patterns` takes it.")],
    dataset: Annotated[str, typer.Option(help="The images it is to be looked at with.")] = "cifar10",
    resolution: Annotated[int, typer.Option(help="Edge that they are resampled to, in pixels.")] = 224,
    images: Annotated[int, typer.Option(help="How many of the training and of the held-out images.")] = 200,
    include: Include = None,
) -> None:
    """Turn a trained MobileNetV2 of torchvision or timm into a folder that `patterns` can look into.

    The layout, the width multiplier and the number of classes are found out from the file, of which nothing
    is executed.
    """
    from pydantic import ValidationError

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import ImageSettings
    from bottleneck_lab.config.problems import nearest, sentence
    from bottleneck_lab.models import layouts
    from bottleneck_lab.models.weight_files import read_weights
    from bottleneck_lab.runs.converted import write_converted

    extend.include_all(include or [])
    if extend.image_set(dataset) is None:
        known = [name for name in extend.DATASETS.names if extend.image_set(name)]
        raise LabError(f"--dataset {dataset}: no data set of images; {nearest(dataset, known)}")
    try:
        data = ImageSettings(
            dataset=dataset, train_images=images, held_out_images=images, resolution=resolution
        )
    except ValidationError as error:
        reasons = (f"{key}: {reason}".removeprefix(": ") for key, reason in sentence(error, ImageSettings))
        raise LabError("; ".join(reasons)) from None
    weights = read_weights(checkpoint)
    try:
        converted = layouts.convert(weights)
    except LabError as error:
        raise LabError(f"{checkpoint}: {error}") from None
    make_folder(out)
    write_converted(out, converted, checkpoint, data)
    width = converted.settings.width_multiplier
    say(
        f"{checkpoint.name}: {converted.layout}'s MobileNetV2, width {width:g}, {converted.classes} classes; "
        f"{len(converted.weights)} tensors"
    )
    if converted.classes != data.classes:
        say(f"Without its classifier: {dataset} has {data.classes} classes.")
    say(f"Look into it by: bottleneck-lab patterns {out}")
