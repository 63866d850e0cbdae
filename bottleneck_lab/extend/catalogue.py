"""The one catalogue of names: what the project has of each kind, and what was added, and from where."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from bottleneck_lab.activations import KINDS
from bottleneck_lab.errors import LabError
from bottleneck_lab.quantise.scheme import lost_by

T = TypeVar("T")

loading = False  # whether a file is included, or a package loaded, which other processes do as well


@dataclass(frozen=True)
class Addition(Generic[T]):
    """Something that was added: what it is, and the file that it comes from with its SHA-256.

    `elsewhere` says that other processes can add it, too, since a file or an installed package does.
    """

    value: T
    origin: str
    digest: str
    elsewhere: bool = False


class Registry(Generic[T]):
    """The names of one kind of thing: those that come with the project, and those that were added.

    Args:
        kind: in words, for sentences.
        built_in: the names that the project has itself.
        also: tells further such names, of which there are too many to list.
    """

    def __init__(
        self, kind: str, built_in: Iterable[str], also: Callable[[str], bool] = lambda name: False
    ) -> None:
        self.kind, self.built_in, self._also = kind, tuple(built_in), also
        self.added: dict[str, Addition[T]] = {}

    @property
    def names(self) -> list[str]:
        """Every name."""
        return [*self.built_in, *self.added]

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self.added or (isinstance(name, str) and self._also(name))

    def __getitem__(self, name: str) -> T:
        """What was added by that name; KeyError for one that was not."""
        return self.added[name].value

    def check(self, name: object) -> None:
        """Refuse what cannot be a new name of this kind.

        Raises:
            LabError: a name that is taken, or no name.
        """
        if not isinstance(name, str):
            raise LabError(f'{self.kind} needs a name: write the decorator as @...("my_name")')
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise LabError(f"{name!r} cannot name {self.kind}: use small letters, digits and underscores")
        if name in self:
            taken = f"by {self.added[name].origin}" if name in self.added else "by the project"
            raise LabError(f"the name {name!r} for {self.kind} is taken {taken}; choose another")

    def add(self, name: str, value: T) -> None:
        """Add `value`; it comes from the file that calls, or whose decorator does.

        Raises:
            LabError: a name that is taken, or no name.
        """
        self.check(name)
        self.added[name] = Addition(value, *_origin(), elsewhere=loading)


def _origin() -> tuple[str, str]:
    """The file from which this package has been called, and its SHA-256; that of a cell of a notebook, there.

    The SHA-256 is empty where there is neither, as in an interpreter.
    """
    frame = inspect.currentframe()
    while frame is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else "an unknown file"
    try:
        return name, hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError:
        typed = "".join(linecache.getlines(name))
        return name, hashlib.sha256(typed.encode()).hexdigest() if typed else ""


def _is_ours(module: str) -> bool:
    return f"{module}.".startswith(f"{__package__}.")


@dataclass(frozen=True)
class ImageSet:
    """A data set of images: its shape (channels, height, width), classes, and numbers of images.

    `load` returns training pixels and labels and held-out pixels and labels: uint8 `[n, height, width,
    channels]` and integers `[n]`. It is None for those that come with the project.
    """

    shape: tuple[int, int, int]
    classes: int
    train: int
    held_out: int
    load: Callable[[], tuple[Any, Any, Any, Any]] | None = None


@dataclass(frozen=True)
class PointSet:
    """A data set of points: their dimensions and classes.

    `draw(count, generator)` returns `count` new points, floats `[count, dimensions]`, and their classes,
    integers `[count]`, by a `numpy.random.Generator`.
    """

    dimensions: int
    classes: int
    draw: Callable[[int, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Measure:
    """A number taken of a trained network.

    Args:
        label: what it says, for tables and axes.
        share: whether it lies between 0 and 1 and is shown in percent.
        take: `take(network, data)` returns it, from a network in evaluation mode and its
            `bottleneck_lab.data.images.ImageData`; gradients are off. It is tried before the training,
            too, so that a mistake shows in time. None for those that come with the project.
    """

    label: str
    share: bool
    take: Callable[[Any, Any], float] | None = None


# The shape of an image, the classes, and how many images may be trained on and are held out from training.
IMAGE_SETS = {
    "digits": ImageSet((1, 8, 8), 10, 1197, 600),
    "cifar10": ImageSet((3, 32, 32), 10, 40_000, 10_000),
    "cifar100": ImageSet((3, 32, 32), 100, 40_000, 10_000),
}

MEASURES = {
    "below_zero": Measure("bottleneck pre-activations below 0", True),
    "above_six": Measure("bottleneck pre-activations above 6", True),
    "lost_bfloat16": Measure("accuracy lost with bfloat16", True),
    "lost_int8": Measure("accuracy lost with 8 bits", True),
    "lost_int6": Measure("accuracy lost with 6 bits", True),
    "lost_int4": Measure("accuracy lost with 4 bits", True),
    "clipped": Measure("bottleneck pre-activations where the activation is flat", True),
    "readable": Measure("variance of pre-activations that a linear map reads from activations", True),
    "readable_by_next": Measure("the same, of what the next layer makes of them", True),
    "effective_rank": Measure("effective rank of bottlenecks", False),
    "dimension": Measure("TwoNN dimension of bottlenecks", False),
    "gradient_growth": Measure("growth of gradients a block (log of second moments)", False),
    "epochs_to_fit": Measure("epochs to a training loss of 0.01", False),
}

# What toy networks can be measured by as well.
TOY_MEASURES = (
    "below_zero", "above_six", "clipped", "readable", "readable_by_next", "effective_rank", "dimension",
    "gradient_growth",
)  # fmt: skip

ACTIVATIONS: Registry[Callable[..., Any]] = Registry("an activation", KINDS)
BLOCKS: Registry[Callable[..., Any]] = Registry("a block", ("inverted_residual",))
RESIDUALS: Registry[Callable[..., Any]] = Registry(
    "a residual placement", ("bottleneck", "expansion", "none", "sandglass")
)
DATASETS: Registry[ImageSet | PointSet] = Registry("a data set", ("spiral", *IMAGE_SETS))
MEASURE_NAMES: Registry[Measure] = Registry("a measure", MEASURES, lambda name: lost_by(name) is not None)
REGISTRIES: tuple[Registry[Any], ...] = (ACTIVATIONS, BLOCKS, RESIDUALS, DATASETS, MEASURE_NAMES)


def image_set(name: str) -> ImageSet | None:
    """The data set of images of that name; None if it is none."""
    found = IMAGE_SETS.get(name) or (DATASETS[name] if name in DATASETS.added else None)
    return found if isinstance(found, ImageSet) else None


def point_set(name: str) -> PointSet | None:
    """The added data set of points of that name; None if it is none."""
    found = DATASETS[name] if name in DATASETS.added else None
    return found if isinstance(found, PointSet) else None


def is_of_points(name: str) -> bool:
    """Whether a data set is known to be one of points."""
    return name == "spiral" or point_set(name) is not None


def measure_named(name: str) -> Measure:
    """The measure of that name, built in or added."""
    if (scheme := lost_by(name)) is not None:
        return Measure(f"lost with {scheme.label}", True)
    return MEASURES.get(name) or MEASURE_NAMES[name]


def files_behind(names: Iterable[tuple[Registry[Any], str]]) -> dict[str, str]:
    """The files that added these names, each with its SHA-256: a run depends on what they say."""
    return {
        addition.origin: addition.digest
        for registry, name in names
        if (addition := registry.added.get(name)) is not None
    }
