"""The names that torchvision and timm give the tensors of MobileNetV2: theirs to ours, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bottleneck_lab.config import NETWORKS, MobileNetV2Settings
from bottleneck_lab.errors import LabError
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2

Layout = Literal["torchvision", "timm"]
Network = Literal["imagenet", "cifar"]

_OURS: dict[Network, str] = {"imagenet": "mobilenet_v2", "cifar": "mobilenet_v2_cifar"}

# Only this tensor's name is needed to tell the layouts apart.
_TELLING: dict[Layout, str] = {"torchvision": "features.0.0.weight", "timm": "conv_stem.weight"}

# Width multipliers that networks are published at, the most frequent first.
MULTIPLIERS = (1.0, 1.4, 0.5, 0.75, 0.35, 1.3, 1.2, 1.1, 0.25, 0.1)


@dataclass(frozen=True)
class Converted:
    """A network that was read in another library's layout.

    Args:
        layout: which it was.
        settings: of the same network here.
        classes: outputs of its classifier.
        weights: its parameters and buffers by our names.
    """

    layout: Layout
    settings: MobileNetV2Settings
    classes: int
    weights: dict[str, Tensor]


def convert(weights: Mapping[str, Tensor], network: Network = "imagenet") -> Converted:
    """Recognise the layout and width of a MobileNetV2, and give its tensors our names.

    Which `network` it is does not show: those of CIFAR and ImageNet differ in nothing but strides. A count of
    batches that batch norm has seen may be missing, as in files from before there was one.

    Raises:
        LabError: neither layout, or not the MobileNetV2 of Table 2 at any of `MULTIPLIERS`.
    """
    layout = _layout(weights)
    classifier = "classifier.1.weight" if layout == "torchvision" else "classifier.weight"
    if classifier not in weights or weights[classifier].dim() != 2:
        raise LabError(
            f"{layout}'s layout, but no classifier ({classifier}); give the whole network's weights"
        )
    classes = len(weights[classifier])
    attempts = []
    for multiplier in MULTIPLIERS:
        settings = settings_at(multiplier, network)
        names = tensor_names(layout, settings, classes)
        problems = list(_problems(weights, names))
        if not problems:
            ours = {name: weights.get(theirs, torch.tensor(0)) for name, (theirs, _) in names.items()}
            return Converted(layout, settings, classes, ours)
        attempts.append((len(problems), f"{problems[0]}, and {len(problems) - 1} more differences"))
    raise LabError(
        f"{layout}'s layout, but not the MobileNetV2 of the paper's Table 2 at a width of "
        f"{', '.join(f'{m:g}' for m in sorted(MULTIPLIERS))}; the nearest: {min(attempts)[1]}"
    )


def tensor_names(
    layout: Layout, settings: MobileNetV2Settings, classes: int
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Their name and the shape of every tensor of a network, by our name, in our order."""
    with torch.device("meta"):
        ours = MobileNetV2(settings, 3, classes).state_dict()
    theirs = dict(_modules(layout, settings))
    return {name: (_renamed(name, theirs), tuple(tensor.shape)) for name, tensor in ours.items()}


def settings_at(multiplier: float, network: Network = "imagenet") -> MobileNetV2Settings:
    """The network of Table 2 at a width multiplier, with its own strides or those for 32 x 32 pixels."""
    name = _OURS[network]
    rows = {**NETWORKS[name], "network": name, "width_multiplier": multiplier}
    return MobileNetV2Settings.model_validate_json(json.dumps(rows))


def _layout(weights: Mapping[str, Tensor]) -> Layout:
    for layout, name in _TELLING.items():
        if name in weights:
            return layout
    if "stem.conv.weight" in weights:
        raise LabError("these weights have our own names already; there is nothing to convert")
    shown = ", ".join(list(weights)[:3])
    raise LabError(f"neither torchvision's nor timm's MobileNetV2: the first tensors are {shown}")


def _problems(
    weights: Mapping[str, Tensor], names: Mapping[str, tuple[str, tuple[int, ...]]]
) -> Iterator[str]:
    """Where `weights` are not those of a network with these names."""
    expected = dict(names.values())
    for name, shape in expected.items():
        if name not in weights:
            if not name.endswith("num_batches_tracked"):
                yield f"{name} is missing"
        elif tuple(weights[name].shape) != shape:
            yield f"{name} has the shape {tuple(weights[name].shape)} and not {shape}"
    yield from (f"{name} has no place" for name in weights if name not in expected)


def _renamed(name: str, modules: Mapping[str, str]) -> str:
    module, _, tensor = name.rpartition(".")
    return f"{modules[module]}.{tensor}"


def _modules(layout: Layout, settings: MobileNetV2Settings) -> Iterator[tuple[str, str]]:
    """Our name and theirs of every module that has tensors."""
    return _in_torchvision(settings) if layout == "torchvision" else _in_timm(settings)


def _in_torchvision(settings: MobileNetV2Settings) -> Iterator[tuple[str, str]]:
    """`features` in one row; within a block `conv`, where convolution and norm are a pair or stand alone."""
    ratios = [settings.expansion if s.t is None else s.t for s in settings.stages for _ in range(s.n)]
    yield from _pair("stem", "features.0.0", "features.0.1")
    for index, ratio in enumerate(ratios):
        ours, theirs = f"blocks.{index}", f"features.{index + 1}.conv"
        pairs = ["expansion", "depthwise"] if ratio != 1 else ["depthwise"]
        for place, name in enumerate(pairs):
            yield from _pair(f"{ours}.{name}", f"{theirs}.{place}.0", f"{theirs}.{place}.1")
        yield from _pair(f"{ours}.projection", f"{theirs}.{len(pairs)}", f"{theirs}.{len(pairs) + 1}")
    last = f"features.{len(ratios) + 1}"
    yield from _pair("head", f"{last}.0", f"{last}.1")
    yield "classifier", "classifier.1"


def _in_timm(settings: MobileNetV2Settings) -> Iterator[tuple[str, str]]:
    """`blocks` by stage and repeat; within one, convolutions by their kind and norms by number."""
    yield from _pair("stem", "conv_stem", "bn1")
    index = 0
    for number, stage in enumerate(settings.stages):
        ratio = settings.expansion if stage.t is None else stage.t
        kinds = {"expansion": "conv_pw", "depthwise": "conv_dw", "projection": "conv_pwl"}
        if ratio == 1:
            kinds = {"depthwise": "conv_dw", "projection": "conv_pw"}
        for repeat in range(stage.n):
            theirs = f"blocks.{number}.{repeat}"
            for place, (name, kind) in enumerate(kinds.items(), start=1):
                yield from _pair(f"blocks.{index}.{name}", f"{theirs}.{kind}", f"{theirs}.bn{place}")
            index += 1
    yield from _pair("head", "conv_head", "bn2")
    yield "classifier", "classifier"


def _pair(ours: str, conv: str, norm: str) -> Iterator[tuple[str, str]]:
    yield f"{ours}.conv", conv
    yield f"{ours}.norm", norm
