"""Adding to the lab without changing it: activations, blocks, residual placements, data sets and measures.

A file of one's own says what it adds by a decorator, and is named by `--include FILE` (or a folder of such
files), by `$BOTTLENECK_LAB_INCLUDE`, or by an entry point of an installed package in the group
`bottleneck_lab`:

    from torch import nn
    from bottleneck_lab import extend

    @extend.activation("mish")
    def mish():
        return nn.Mish()

From then on `mish` is a name like any other: in ablation files, in `--set`, in reports.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from bottleneck_lab.errors import LabError

GROUP = "bottleneck_lab"  # of entry points
VARIABLE = "BOTTLENECK_LAB_INCLUDE"  # files and folders, separated like those of PATH

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Addition(Generic[T]):
    """Something that was added: what it is, and the file that it comes from with its SHA-256."""

    value: T
    origin: str
    digest: str


class Registry(Generic[T]):
    """The names of one kind of thing: those that come with the project, and those that were added.

    Args:
        kind: in words, for sentences.
        built_in: the names that the project has itself.
    """

    def __init__(self, kind: str, built_in: Iterable[str]) -> None:
        self.kind, self.built_in = kind, tuple(built_in)
        self.added: dict[str, Addition[T]] = {}

    @property
    def names(self) -> list[str]:
        """Every name."""
        return [*self.built_in, *self.added]

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self.added

    def __getitem__(self, name: str) -> T:
        """What was added by that name; KeyError for one that was not."""
        return self.added[name].value

    def add(self, name: str, value: T, source: object) -> None:
        """Add `value`; `source` is the function or class that was decorated.

        Raises:
            LabError: a name that is taken, or no name.
        """
        origin, digest = _origin(source)
        if not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise LabError(
                f"{origin}: {name!r} cannot name {self.kind}: use small letters, digits and underscores"
            )
        if name in self:
            taken = f"by {self.added[name].origin}" if name in self.added else "by the project"
            raise LabError(f"{origin}: the name {name!r} for {self.kind} is taken {taken}; choose another")
        self.added[name] = Addition(value, origin, digest)


def _origin(source: object) -> tuple[str, str]:
    try:
        path = Path(inspect.getsourcefile(source) or "")  # type: ignore[arg-type]
        return str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, TypeError):
        return getattr(source, "__module__", "an unknown file"), ""


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
            `bottleneck_lab.data.images.ImageData`; None for those that come with the project.
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
}

ACTIVATIONS: Registry[Callable[[], Any]] = Registry(
    "an activation", ("linear", "relu", "relu6", "leaky_relu", "silu")
)
BLOCKS: Registry[Callable[..., Any]] = Registry("a block", ("inverted_residual",))
RESIDUALS: Registry[Callable[..., Any]] = Registry(
    "a residual placement", ("bottleneck", "expansion", "none", "sandglass")
)
DATASETS: Registry[ImageSet | PointSet] = Registry("a data set", ("spiral", *IMAGE_SETS))
MEASURE_NAMES: Registry[Measure] = Registry("a measure", MEASURES)
REGISTRIES: tuple[Registry[Any], ...] = (ACTIVATIONS, BLOCKS, RESIDUALS, DATASETS, MEASURE_NAMES)


def activation(name: str) -> Callable[[F], F]:
    """Add an activation: a function without arguments that returns a new module, or the module's class."""

    def add(make: F) -> F:
        ACTIVATIONS.add(name, make, make)
        return make

    return add


def block(name: str) -> Callable[[F], F]:
    """Add a block for `model.block`: `make(inputs, outputs, stride, expansion, settings)` returns a module.

    The module takes `[N, inputs, H, W]` to `[N, outputs, ceil(H/stride), ceil(W/stride)]`; `settings` are
    those of the network (`MobileNetV2Settings`). If it adds its input, let it have `has_shortcut = True`.
    """

    def add(make: F) -> F:
        BLOCKS.add(name, make, make)
        return make

    return add


def residual(name: str) -> Callable[[F], F]:
    """Add a placement of shortcuts for `model.residual`: `run(blocks, x)` returns what comes out of them.

    `blocks` is the `ModuleList` of a network's blocks, which have no shortcuts of their own; `x` is
    `[N, channels, H, W]`, the output of the stem.
    """

    def add(run: F) -> F:
        RESIDUALS.add(name, run, run)
        return run

    return add


def images(
    name: str, *, shape: tuple[int, int, int], classes: int, train: int, held_out: int
) -> Callable[[F], F]:
    """Add a data set of images by a function that loads it; see `ImageSet`.

    Args:
        name: as in `--dataset`.
        shape: channels, height, width.
        classes: number of classes, at most 256.
        train: number of training images.
        held_out: number of held-out images.
    """

    def add(load: F) -> F:
        DATASETS.add(name, ImageSet(shape, classes, train, held_out, load), load)
        return load

    return add


def points(name: str, *, dimensions: int, classes: int) -> Callable[[F], F]:
    """Add a data set of points for toy networks by a function that draws them; see `PointSet`."""

    def add(draw: F) -> F:
        DATASETS.add(name, PointSet(dimensions, classes, draw), draw)
        return draw

    return add


def measure(name: str, *, label: str | None = None, share: bool = False) -> Callable[[F], F]:
    """Add a measure of image networks: `take(network, data)` returns a number; see `Measure`."""

    def add(take: F) -> F:
        MEASURE_NAMES.add(name, Measure(label or name.replace("_", " "), share, take), take)
        return take

    return add


def image_set(name: str) -> ImageSet | None:
    """The data set of images of that name; None if it is none."""
    found = IMAGE_SETS.get(name) or (DATASETS[name] if name in DATASETS.added else None)
    return found if isinstance(found, ImageSet) else None


def point_set(name: str) -> PointSet | None:
    """The added data set of points of that name; None if it is none."""
    found = DATASETS[name] if name in DATASETS.added else None
    return found if isinstance(found, PointSet) else None


def measure_named(name: str) -> Measure:
    """The measure of that name, built in or added."""
    return MEASURES.get(name) or MEASURE_NAMES[name]


def files_behind(names: Iterable[str]) -> dict[str, str]:
    """The files that added one of `names`, each with its SHA-256: a run depends on what they say."""
    wanted = set(names)
    return {
        addition.origin: addition.digest
        for registry in REGISTRIES
        for name, addition in registry.added.items()
        if name in wanted
    }


_included: dict[Path, None] = {}
_entry_points_loaded = False


def include(paths: Sequence[Path]) -> None:
    """Run the files (those in a folder, where it is one) that add to the lab; each once in a process.

    Raises:
        LabError: a path that is missing or without Python files, a file that fails, a name that is taken.
    """
    for path in paths:
        for file in _files(path):
            if file not in _included:
                _run(file)
                _included[file] = None


def include_all(paths: Sequence[Path]) -> None:
    """`include` for `paths`, for what `$BOTTLENECK_LAB_INCLUDE` names, and for installed packages."""
    global _entry_points_loaded
    if not _entry_points_loaded:
        _entry_points_loaded = True
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                point.load()
            except LabError:
                raise
            except Exception as error:
                raise LabError(
                    f"the installed package {point.value!r} (entry point {point.name!r}) cannot be loaded: "
                    f"{type(error).__name__}: {error}"
                ) from error
    named = os.environ.get(VARIABLE, "")
    include([*(Path(part) for part in named.split(os.pathsep) if part), *paths])


def included() -> tuple[Path, ...]:
    """The files that were included in this process, for another process to include."""
    return tuple(_included)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.glob("*.py") if not file.name.startswith("_"))
        if not found:
            raise LabError(f"--include {path}: the folder holds no Python files")
        return [file.resolve() for file in found]
    if not path.is_file():
        raise LabError(f"--include {path}: no such file or folder")
    return [path.resolve()]


def _run(file: Path) -> None:
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"bottleneck_lab_included_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LabError(f"--include {file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be looked up, by inspect and by pickle
    try:
        spec.loader.exec_module(module)
    except LabError as error:
        raise LabError(f"--include {error}") from None
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
        where = f"{file}, line {line}" if line else f"{file}"
        raise LabError(f"--include {where}: {type(error).__name__}: {error}") from error
