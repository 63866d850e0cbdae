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

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import inspect
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from bottleneck_lab.activations import KINDS
from bottleneck_lab.errors import LabError
from bottleneck_lab.global_state import chance_left_alone, left_alone
from bottleneck_lab.quantise.scheme import lost_by
from bottleneck_lab.siblings import siblings_of

GROUP = "bottleneck_lab"  # of entry points
VARIABLE = "BOTTLENECK_LAB_INCLUDE"  # files and folders, separated like those of PATH
MOST_CLASSES = 256  # predictions are kept as a byte each

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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
        self.added[name] = Addition(value, *_origin(), elsewhere=_loading)


def _origin() -> tuple[str, str]:
    """The file from which this module has been called, and its SHA-256; that of a cell of a notebook, there.

    The SHA-256 is empty where there is neither, as in an interpreter.
    """
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    name = frame.f_code.co_filename if frame is not None else "an unknown file"
    try:
        return name, hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError:
        typed = "".join(linecache.getlines(name))
        return name, hashlib.sha256(typed.encode()).hexdigest() if typed else ""


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
    _check_numbers(
        name, classes, height=shape[1], width=shape[2], channels=shape[0], train=train, held_out=held_out
    )
    return _adding(DATASETS, name, lambda load: ImageSet(shape, classes, train, held_out, load))


def points(name: str, *, dimensions: int, classes: int) -> Callable[[F], F]:
    """Add a data set of points for toy networks by a function that draws them; see `PointSet`.

    Args:
        name: as in `--dataset`.
        dimensions: numbers that a point consists of.
        classes: number of classes, 2 to 256.

    Raises:
        LabError: numbers that no data set has.
    """
    _check_numbers(name, classes, dimensions=dimensions)
    return _adding(DATASETS, name, lambda draw: PointSet(dimensions, classes, draw))


def _check_numbers(name: str, classes: int, **counts: int) -> None:
    if not 2 <= classes <= MOST_CLASSES:
        raise LabError(f"the data set {name!r} has {classes} classes; 2 to {MOST_CLASSES} are possible")
    for what, count in counts.items():
        if count < 1:
            raise LabError(f"the data set {name!r} has {what} = {count}; give a number above 0")


def measure(name: str, *, label: str | None = None, share: bool = False) -> Callable[[F], F]:
    """Add a measure of image networks: `take(network, data)` returns a number; see `Measure`."""
    return _adding(MEASURE_NAMES, name, lambda take: Measure(label or name.replace("_", " "), share, take))


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


_loading = False  # whether a file is included, or a package loaded, which other processes do as well


@contextmanager
def _for_all_processes() -> Iterator[None]:
    """What is added inside of this, other processes can add, too."""
    global _loading
    before, _loading = _loading, True
    try:
        yield
    finally:
        _loading = before


def only_here() -> list[str]:
    """The names of what was added in this process alone: in a notebook, or in a script that is run."""
    return [name for registry in REGISTRIES for name, added in registry.added.items() if not added.elsewhere]


_included: dict[Path, ModuleType] = {}
_beside: dict[Path, ModuleType] = {}  # what lies beside included files and was imported by them
_files_beside: dict[Path, dict[str, Path]] = {}  # which these are, by their path in the folder, for each file
_entry_points_loaded = False


def include(paths: Sequence[Path], named_by: str = "--include") -> None:
    """Run the files (those in a folder, where it is one) that add to the lab; each once in a process.

    Args:
        paths: files and folders; of a folder, its Python files but for those that begin with an underscore or
            a dot. What lies beside a file it can import, at its beginning, and then depends on it as well.
        named_by: the option or variable that names them, for sentences.

    Raises:
        LabError: a path that is missing or without Python files, a file that fails, a name that is taken. A
            file that fails has added nothing. So does one that changes what holds for the whole process, as
            torch's default dtype.
    """
    for path in paths:
        for file in _files(path, named_by):
            if file not in _included and file not in _beside:
                _included[file] = _run(file)


def include_all(paths: Sequence[Path]) -> None:
    """`include` for `paths`, for what `$BOTTLENECK_LAB_INCLUDE` names, and for installed packages."""
    global _entry_points_loaded
    if not _entry_points_loaded:
        _entry_points_loaded = True
        for point in importlib.metadata.entry_points(group=GROUP):
            try:
                with chance_left_alone(), left_alone(), _for_all_processes():
                    point.load()
            except Exception as error:
                raise LabError(
                    f"the installed package {point.value!r} (entry point {point.name!r}) cannot be loaded: "
                    f"{_said(error)}"
                ) from error
    named = os.environ.get(VARIABLE, "")
    include([Path(part) for part in named.split(os.pathsep) if part], f"${VARIABLE}")
    include(paths)


def included() -> tuple[Path, ...]:
    """The files that were included in this process, for another process to include."""
    return tuple(_included)


def files_of(file: Path) -> dict[str, Path]:
    """An included file and those beside it that it has imported, each by its path in the folder."""
    return {file.name: file, **_files_beside[file]}


def _files(path: Path, named_by: str) -> list[Path]:
    try:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if _may_add(file))
            if not found:
                raise LabError(f"{named_by} {path}: the folder holds no Python files")
            return [file.resolve() for file in found]
        if not path.is_file():
            raise LabError(f"{named_by} {path}: no such file or folder")
        return [path.resolve()]
    except (OSError, RuntimeError) as error:  # links that lead in a circle are a RuntimeError
        raise LabError(f"{named_by} {path}: cannot be read ({getattr(error, 'strerror', error)})") from error


def _may_add(file: Path) -> bool:
    return file.suffix == ".py" and not file.name.startswith(("_", ".")) and file.is_file()


def _digests_with(file: Path, before: Sequence[dict[str, Addition[Any]]], beside: dict[str, Path]) -> None:
    """Let what was added depend on the files beside it, too, where any was imported."""
    contents = "".join(
        f"{name} {hashlib.sha256(beside[name].read_bytes()).hexdigest()}" for name in sorted(beside)
    )
    for registry, old in zip(REGISTRIES, before, strict=True):
        for name, added in registry.added.items():
            if name not in old:
                digest = hashlib.sha256((added.digest + contents).encode()).hexdigest()
                registry.added[name] = dataclasses.replace(added, origin=str(file), digest=digest)


def _run(file: Path) -> ModuleType:
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:8]
    name = f"bottleneck_lab_included_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise LabError(f"{file}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    before = [dict(registry.added) for registry in REGISTRIES]
    sys.modules[name] = module  # so that what it defines can be looked up, by inspect and by pickle
    try:
        known = {**_beside, **_included}
        with chance_left_alone(), left_alone(), _for_all_processes(), siblings_of(file, known) as beside:
            spec.loader.exec_module(module)
        if any(path in _beside or path in _included for path in beside.found.values()):
            for other in _included:  # what such a module has imported in turn is not looked up again
                if other.parent == file.parent:
                    beside.found.update(_files_beside[other])
        if beside.found:
            _digests_with(file, before, beside.found)
        _files_beside[file] = beside.found
        _beside.update({path: made for path, made in beside.modules.items() if path not in _included})
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        for registry, added in zip(REGISTRIES, before, strict=True):
            registry.added = added
        line = _line(file, error)
        where = f"{file}, line {line}" if line else f"{file}"
        raise LabError(f"{where}: {_said(error)}") from error
    return module


def _line(file: Path, error: BaseException) -> int | None:
    """The line of `file` at which the error came up."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return frames[-1].lineno if frames else None


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
