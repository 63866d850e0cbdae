"""Adding to the lab without changing it: activations, blocks, residual placements, data sets and measures.

A file of one's own says what it adds by a decorator, and is named by `--include FILE` (or a folder of such
files), by `$BOTTLENECK_LAB_INCLUDE`, or by an entry point of an installed package in the group
`bottleneck_lab`:

    from torch import nn
    from bottleneck_lab import extend

    @extend.activation("mish")
    def mish():
        return nn.Mish()

From then on `mish` is a name like any other: in ablation files, in `--set`, in reports. A run that uses it
depends on the file that added it and on those beside it that it imports, and is another run when one of
them changes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

from bottleneck_lab.errors import LabError
from bottleneck_lab.extend.catalogue import ACTIVATIONS as ACTIVATIONS
from bottleneck_lab.extend.catalogue import BLOCKS as BLOCKS
from bottleneck_lab.extend.catalogue import DATASETS as DATASETS
from bottleneck_lab.extend.catalogue import MEASURE_NAMES as MEASURE_NAMES
from bottleneck_lab.extend.catalogue import MEASURES as MEASURES
from bottleneck_lab.extend.catalogue import REGISTRIES as REGISTRIES
from bottleneck_lab.extend.catalogue import RESIDUALS as RESIDUALS
from bottleneck_lab.extend.catalogue import TOY_MEASURES as TOY_MEASURES
from bottleneck_lab.extend.catalogue import Addition as Addition
from bottleneck_lab.extend.catalogue import ImageSet, Measure, PointSet
from bottleneck_lab.extend.catalogue import Registry as Registry
from bottleneck_lab.extend.catalogue import files_behind as files_behind
from bottleneck_lab.extend.catalogue import image_set as image_set
from bottleneck_lab.extend.catalogue import is_of_points as is_of_points
from bottleneck_lab.extend.catalogue import measure_named as measure_named
from bottleneck_lab.extend.catalogue import point_set as point_set
from bottleneck_lab.extend.including import VARIABLE as VARIABLE
from bottleneck_lab.extend.including import files_of as files_of
from bottleneck_lab.extend.including import include, include_all
from bottleneck_lab.extend.including import included as included
from bottleneck_lab.extend.including import only_here as only_here

# What is public; the rest of what is imported above is for the other rooms of the lab.
__all__ = [
    "ImageSet",
    "Measure",
    "PointSet",
    "activation",
    "block",
    "images",
    "include",
    "include_all",
    "measure",
    "points",
    "residual",
]

MOST_CLASSES = 256  # predictions are kept as a byte each

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _adding(registry: Registry[T], name: str, wrap: Callable[[Any], T]) -> Callable[[F], F]:
    """A decorator that adds `wrap` of what it decorates, and leaves that as it is."""
    registry.check(name)

    def add(made: F) -> F:
        registry.add(name, wrap(made))
        return made

    return add


def activation(name: str) -> Callable[[F], F]:
    """Add an activation: a function that returns a new module, or the module's class.

    The module maps every element by itself, and not in place. Toy networks take none with trained parameters.
    Arguments of the function are numbers that settings give: `{ kind = "my_name", slope = 0.25 }`. A module
    that draws random numbers is told by its method `draw_from(seeds)` which streams of the run to draw from,
    one for each network that passes through it at once.

    Raises:
        LabError: a name that is taken, or that settings could not write. So do all that add.
    """
    return _adding(ACTIVATIONS, name, lambda make: make)


def block(name: str) -> Callable[[F], F]:
    """Add a block for `model.block`: `make(inputs, outputs, stride, expansion, settings)` returns a module.

    The module takes `[N, inputs, H, W]` to `[N, outputs, ceil(H/stride), ceil(W/stride)]`; `settings` are
    those of the network (`MobileNetV2Settings`). If it adds its input, let it have `has_shortcut = True`.
    Convolutions and linear layers are initialised as in other blocks; what else it has keeps its own values.
    """
    return _adding(BLOCKS, name, lambda make: make)


def residual(name: str) -> Callable[[F], F]:
    """Add a placement of shortcuts for `model.residual`: `run(blocks, x)` returns what comes out of them.

    `blocks` is the `ModuleList` of a network's blocks, which have no shortcuts of their own; `x` is
    `[N, channels, H, W]`, the output of the stem.
    """
    return _adding(RESIDUALS, name, lambda run: run)


def images(
    name: str, *, shape: tuple[int, int, int], classes: int, train: int, held_out: int
) -> Callable[[F], F]:
    """Add a data set of images by a function that loads it; see `ImageSet`.

    Args:
        name: as in `--dataset`.
        shape: channels, height, width.
        classes: number of classes, 2 to 256.
        train: number of training images.
        held_out: number of held-out images.

    Raises:
        LabError: numbers that no data set has.
    """
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise LabError(f"the data set {name!r} has shape = {shape!r}; give channels, height and width")
    channels, height, width = shape
    of = _numbers(
        name, classes=classes, channels=channels, height=height, width=width, train=train, held_out=held_out
    )
    edges = of["channels"], of["height"], of["width"]
    return _adding(
        DATASETS, name, lambda load: ImageSet(edges, of["classes"], of["train"], of["held_out"], load)
    )


def points(name: str, *, dimensions: int, classes: int) -> Callable[[F], F]:
    """Add a data set of points for toy networks by a function that draws them; see `PointSet`.

    Args:
        name: as in `--dataset`.
        dimensions: numbers that a point consists of.
        classes: number of classes, 2 to 256.

    Raises:
        LabError: numbers that no data set has.
    """
    of = _numbers(name, classes=classes, dimensions=dimensions)
    return _adding(DATASETS, name, lambda draw: PointSet(of["dimensions"], of["classes"], draw))


def _numbers(name: str, **given: Any) -> dict[str, int]:
    """The numbers of a data set, NumPy's whole ones too; raises LabError for what none has."""
    found: dict[str, int] = {}
    for what, count in given.items():
        try:
            if isinstance(count, bool):
                raise TypeError
            found[what] = operator.index(count)
        except TypeError:
            raise LabError(f"the data set {name!r} has {what} = {count!r}; give a whole number") from None
    if not 2 <= found["classes"] <= MOST_CLASSES:
        raise LabError(
            f"the data set {name!r} has {found['classes']} classes; 2 to {MOST_CLASSES} are possible"
        )
    for what, number in found.items():
        if number < 1:
            raise LabError(f"the data set {name!r} has {what} = {number}; give a number above 0")
    return found


def measure(name: str, *, label: str | None = None, share: bool = False) -> Callable[[F], F]:
    """Add a measure of image networks: `take(network, data)` returns a number; see `Measure`."""
    return _adding(MEASURE_NAMES, name, lambda take: Measure(label or name.replace("_", " "), share, take))
