"""`convert`: a MobileNetV2 that torchvision or timm has saved, for the collapse lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab import extend
from bottleneck_lab.cli.options import Include, make_folder
from bottleneck_lab.errors import LabError

if TYPE_CHECKING:
    from bottleneck_lab.config import ImageSettings, MobileNetV2Settings
    from bottleneck_lab.instruments.imported.weight_files import SavedWeights

_OF_CIFAR, _PIXELS_OF_CIFAR = (10, 100), 32


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A .pth, .pt, .bin or .safetensors file of torchvision's or timm's names.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the network; `patterns` takes it.")],
    dataset: Annotated[str, typer.Option(help="The images it is to be looked at with.")] = "cifar10",
    resolution: Annotated[
        int | None,
        typer.Option(
            help="Edge that they are resampled to, in pixels (default: 224; of CIFAR's network none)."
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Whose strides it has: imagenet, or cifar for 32 x 32 pixels.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Where they lie in a file that holds several, as model_ema.")
    ] = None,
    images: Annotated[int, typer.Option(help="How many of the training and of the held-out images.")] = 200,
    include: Include = None,
) -> None:
    """Turn a trained MobileNetV2 of torchvision or timm into a folder that `patterns` can look into.

    The layout, the width multiplier and the number of classes are found out from the file, of which nothing
    is executed. Strides do not show in weights: where they may well be CIFAR's, --network has to say it.
    """
    from typing import get_args

    from pydantic import ValidationError

    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import ImageSettings
    from bottleneck_lab.config.problems import nearest, sentence
    from bottleneck_lab.instruments.imported import layouts
    from bottleneck_lab.instruments.imported.converted import write_converted
    from bottleneck_lab.instruments.imported.weight_files import read_weights

    extend.include_all(include or [])
    if extend.image_set(dataset) is None:
        known = [name for name in extend.DATASETS.names if extend.image_set(name)]
        raise LabError(f"--dataset {dataset}: no data set of images; {nearest(dataset, known)}")
    if network not in (None, *get_args(layouts.Network)):
        raise LabError(f"--network {network}: {nearest(str(network), get_args(layouts.Network))}")
    if resolution is None and network != "cifar":
        resolution = 224
    try:
        data = ImageSettings(
            dataset=dataset, train_images=images, held_out_images=images, resolution=resolution
        )
    except ValidationError as error:
        found = sentence(error, ImageSettings)
        reasons = (f"{problem.key}: {problem.advice}".removeprefix(": ") for problem in found)
        raise LabError("; ".join(reasons)) from None
    saved = read_weights(checkpoint, weights)
    try:
        converted = layouts.convert(saved.tensors, network or "imagenet")  # type: ignore[arg-type]
    except LabError as error:
        raise LabError(f"{checkpoint}: {error}") from None
    if network is None and (converted.classes in _OF_CIFAR or max(data.shape[1:]) <= _PIXELS_OF_CIFAR):
        why = f"{converted.classes} classes" if converted.classes in _OF_CIFAR else f"{data.shape[1]} pixels"
        raise LabError(
            f"{checkpoint}: {why}, so it may be a network for CIFAR, whose weights have the names and "
            "shapes of ImageNet's, and other strides, which no file shows. Add --network cifar (no strides "
            "in the stem and the second stage) or --network imagenet (Table 2)"
        )
    make_folder(out)
    write_converted(out, converted, checkpoint, data)
    width = converted.settings.width_multiplier
    say(
        f"{checkpoint.name}: {converted.layout}'s MobileNetV2, width {width:g}, {converted.classes} classes; "
        f"{len(converted.weights)} tensors"
    )
    for line in _assumed(saved, converted.settings, data):
        say(line)
    if converted.classes != data.classes:
        say(f"Without its classifier: {dataset} has {data.classes} classes.")
    say(f"Look into it by: bottleneck-lab patterns {out}")


def _assumed(saved: SavedWeights, settings: MobileNetV2Settings, data: ImageSettings) -> Iterator[str]:
    """What a file does not show, and which of its weights were taken."""
    if saved.taken:
        others = f"; not taken: {', '.join(saved.others)} (--weights takes others)" if saved.others else ""
        yield f"Weights: those under {saved.taken}{others}."
    elif saved.others:
        yield f"Weights: the outermost; not taken: {', '.join(saved.others)} (--weights takes others)."
    strides = ", ".join(str(stage.s) for stage in settings.stages)
    yield (
        f"Assumed, since weights do not show it: strides {settings.stem_stride} in the stem and {strides} in "
        "the stages, ReLU6, zeros padded on all sides alike, 1e-5 added to the variances of batch norms, and "
        f"images of {data.shape[1]} x {data.shape[2]} pixels, normalised by their own mean and deviation."
    )
