"""A trained network that computes with weights and activations rounded to the grids of a scheme.

Integers are simulated as they are deployed (Jacob et al. 2018): every tensor that a layer or an addition
leaves has one grid; biases are left alone. The grids of activations are found on training images, with
weights as they are. Whatever the bits, both ends of the network have 8 at least, as usual: the images, the
weights of the first layer and of the classifier, and the logits. Nothing is trained again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bottleneck_lab.data.images import ImageData
from bottleneck_lab.models.block import ConvNorm, InvertedResidual, Sandglass
from bottleneck_lab.models.folding import fold_norms
from bottleneck_lab.models.networks.mobilenet_v2 import MobileNetV2
from bottleneck_lab.quantise.grids import Grid, rounded_weight
from bottleneck_lab.quantise.ranges import Spread
from bottleneck_lab.quantise.scheme import Activations, Scheme

BITS_AT_ENDS = 8  # at least
IMAGES, FEATURES, LOGITS = "images", "features", "logits"  # places that are no module's output
CALIBRATION = 500  # the first training images, not augmented
PIXELS = 250 * 32 * 32  # of a batch

Spreads = dict[str, Spread]


@dataclass(frozen=True)
class Place:
    """Where in a network a tensor is stored: what goes into a module, or what comes out of it."""

    module: nn.Module
    before: bool = False

    def hook(self, change: Callable[[Tensor], Tensor | None]) -> torch.utils.hooks.RemovableHandle:
        """Let `change` see the tensor, and put what it returns in its place."""
        if self.before:
            return self.module.register_forward_pre_hook(lambda module, inputs: change(inputs[0]))
        return self.module.register_forward_hook(lambda module, inputs, output: change(output))


def places(network: nn.Module) -> dict[str, Place]:
    """Every place that is rounded, by name: outputs of layers, sums at shortcuts, both ends."""
    found = {IMAGES: Place(network, before=True)}
    outputs = {id(module): name for name, module in stored(network)}
    found |= {name: Place(module) for name, module in network.named_modules() if id(module) in outputs}
    classifier = network.get_submodule("classifier")
    return {**found, FEATURES: Place(classifier, before=True), LOGITS: Place(classifier)}


def stored(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose outputs are stored, by name."""
    names = {id(module): name for name, module in network.named_modules()}
    for name, module in network.named_modules():
        if isinstance(module, ConvNorm):
            yield name, module
    joins = network.joins if isinstance(network, MobileNetV2) else ()
    outputs = (_output(block) for block in network.get_submodule("blocks").children())
    for module in (*joins, *outputs):
        if module is not None:
            yield names[id(module)], module


def _output(block: nn.Module) -> nn.Module | None:
    """Where the sum of a block is; None where it has none, and leaves what its last layer does."""
    if not isinstance(block, InvertedResidual | Sandglass):
        return block
    is_layers = not block.has_shortcut and isinstance(block.output, nn.Identity)
    return None if is_layers and isinstance(block.projection, ConvNorm) else block.output


def ends_of(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The first layer with weights, and the classifier."""
    return next(m for m in network.modules() if isinstance(m, nn.Conv2d)), network.get_submodule("classifier")


def wanted_at(place: str, activations: Activations) -> Activations:
    """What a place gets: the images and the logits 8 bits at least, and a grid over all their values."""
    if place in (IMAGES, LOGITS):
        return Activations(max(activations.bits, BITS_AT_ENDS), "asymmetric", "minmax")
    return activations


@torch.no_grad()
def observed(network: nn.Module, data: ImageData, images: int = CALIBRATION) -> Spreads:
    """The spread of the values at every place, over the first `images` of the training images.

    Raises:
        LabError: values that are not finite, or a network whose batch norms cannot be folded in.
    """
    network = fold_norms(network.eval())
    spreads = {name: Spread() for name in places(network)}
    for see in (Spread.see_ends, Spread.see_values):
        handles = [place.hook(_seeing(see, spreads[name])) for name, place in places(network).items()]
        for batch in _pieces(data.train.pixels[:images]):
            network(data.normalised(batch))
        for handle in handles:
            handle.remove()
    return spreads


def _seeing(see: Callable[[Spread, Tensor], None], spread: Spread) -> Callable[[Tensor], None]:
    return lambda values: see(spread, values)


def grids_of(spreads: Mapping[str, Spread], activations: Activations) -> dict[str, Grid]:
    """The grid of every place."""
    return {name: spread.grid(wanted_at(name, activations)) for name, spread in spreads.items()}


@torch.no_grad()
def rounded(network: nn.Module, spreads: Spreads, scheme: Scheme, *, ends: bool = True) -> nn.Module:
    """A copy of the network, in evaluation mode, that is rounded by `scheme`; `spreads` are of `observed`.

    Without `ends`, images, features and logits stay as they are, and the weights there have no more bits.
    """
    network.eval()
    folded = scheme.weights is None or scheme.weights.folded
    copied = fold_norms(network) if folded else copy.deepcopy(network)
    if (weights := scheme.weights) is not None:
        at_ends = ends_of(copied) if ends else ()
        for module in copied.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bits = max(weights.bits, BITS_AT_ENDS) if module in at_ends else weights.bits
                module.weight.copy_(rounded_weight(module.weight, bits, weights.per))
    if scheme.activations is not None:
        grids = grids_of(spreads, scheme.activations)
        for name, place in places(copied).items():
            if ends or name not in (IMAGES, FEATURES, LOGITS):
                place.hook(grids[name].rounded)
    return copied


def accuracy_lost(network: nn.Module, data: ImageData, schemes: Iterable[Scheme]) -> dict[str, float]:
    """Held-out accuracy (0 to 1) minus that of the network as each scheme rounds it, by the scheme's name."""
    spreads = observed(network, data)
    whole = accuracy(network, data)
    return {
        scheme.name: whole - accuracy(rounded(network, spreads, scheme), data)
        for scheme in dict.fromkeys(schemes)
    }


def accuracy(network: Callable[[Tensor], Tensor], data: ImageData) -> float:
    """Share of the held-out images that a network in evaluation mode classifies right, 0 to 1."""
    right = int((outputs(network, data).argmax(1) == data.held_out.labels).sum())
    return right / len(data.held_out)


@torch.no_grad()
def outputs(network: Callable[[Tensor], Tensor], data: ImageData) -> Tensor:
    """The logits of all held-out images, `[n, classes]`."""
    return torch.cat([network(data.normalised(batch)) for batch in _pieces(data.held_out.pixels)])


def _pieces(pixels: Tensor) -> tuple[Tensor, ...]:
    """As many images at a time as keep memory small."""
    pieces: tuple[Tensor, ...] = pixels.split(max(1, PIXELS // pixels[0, ..., 0].numel()))
    return pieces
