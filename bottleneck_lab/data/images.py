"""Images as whole tensors: a batch is an index into one uint8 tensor, augmented and normalised at once."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bottleneck_lab import extend
from bottleneck_lab.config import ImageSettings
from bottleneck_lab.data import cifar, digits
from bottleneck_lab.data.outside import arrays, check_classes
from bottleneck_lab.errors import LabError

RESAMPLED_AT_ONCE = 1000  # images, as floats in between


@dataclass(frozen=True)
class Images:
    """Images and their labels: uint8 `[n, height, width, channels]` and int64 `[n]`."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Images:
        """The same on another device."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """Of each channel, float32 `[channels]` in grey levels; counted by level, so without a float copy."""
        levels = torch.arange(256, dtype=torch.float64)
        counts = torch.stack([plane.flatten().bincount(minlength=256) for plane in self.pixels.unbind(3)])
        shares = counts / counts[0].sum().double()
        mean = shares @ levels
        variance = (shares * (levels - mean[:, None]).square()).sum(1)
        return mean.float(), variance.sqrt().float()


@dataclass(frozen=True)
class ImageData:
    """One data set, split: training images, held-out images for every figure, test images where at hand.

    Where settings are being chosen, `held_out` are images for that alone, and there are no test images.

    `mean` and `std` are the channels' over the training images, float32 `[channels]`, in units of one grey
    level (0 to 255). `checksums` are the md5 of the files (or arrays) it was read from.
    """

    train: Images
    held_out: Images
    test: Images | None
    mean: Tensor
    std: Tensor
    checksums: dict[str, str]

    def with_random_labels(self, classes: int, seed: int) -> ImageData:
        """The same, with every training label drawn anew, each class as likely as another."""
        chance = torch.Generator().manual_seed(seed)
        labels = torch.randint(classes, (len(self.train),), generator=chance)
        return replace(self, train=Images(self.train.pixels, labels.to(self.train.labels.device)))

    def to(self, device: torch.device) -> ImageData:
        """The same on another device."""
        return replace(
            self,
            train=self.train.to(device),
            held_out=self.held_out.to(device),
            test=self.test and self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )

    def normalised(self, pixels: Tensor) -> Tensor:
        """uint8 `[n, height, width, channels]` to float32 `[n, channels, height, width]`, channels last."""
        return ((pixels.float() - self.mean) / self.std).permute(0, 3, 1, 2)


@functools.lru_cache(maxsize=4)
def load_images(settings: ImageSettings, folder: Path | None) -> ImageData:
    """Read and split one data set; `folder` holds its files (None where it needs none).

    Raises:
        LabError: a file that is damaged, or an added data set that returns something else.
    """
    added = extend.image_set(settings.dataset)
    if added is not None and added.load is not None:
        train, held_out, test, checksums = _added(settings.dataset, added)
    elif settings.dataset == "digits":
        train, held_out, test, checksums = _digits()
    else:
        assert folder is not None
        train, held_out, test, checksums = _cifar(settings.dataset, folder)
    train, held_out = _first(train, settings.train_images), _first(held_out, settings.held_out_images)
    if settings.tuning_images:
        train, held_out = _split(train, settings.train_count)
        test = None
    if settings.resolution is not None:
        train = _resampled(train, settings.resolution)
        held_out = _resampled(held_out, settings.resolution)
        test = test and _resampled(test, settings.resolution)
    mean, std = train.mean_and_std()
    return ImageData(train, held_out, test, mean, std, checksums)


def _first(images: Images, count: int | None) -> Images:
    return Images(images.pixels[:count], images.labels[:count])


def _split(images: Images, count: int) -> tuple[Images, Images]:
    """The first `count`, and the rest."""
    pixels, labels = images.pixels, images.labels
    return Images(pixels[:count], labels[:count]), Images(pixels[count:], labels[count:])


def _resampled(images: Images, edge: int) -> Images:
    pieces = []
    for pixels in images.pixels.split(RESAMPLED_AT_ONCE):
        planes = pixels.permute(0, 3, 1, 2).float()
        planes = F.interpolate(planes, size=(edge, edge), mode="bilinear", antialias=True)
        pieces.append(planes.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1))
    return Images(torch.cat(pieces).contiguous(), images.labels)


def _cifar(name: str, folder: Path) -> tuple[Images, Images, Images | None, dict[str, str]]:
    layout = cifar.LAYOUTS[name]
    checksums = cifar.verify(layout, folder)
    train, held_out = cifar.read(layout, folder, "train"), cifar.read(layout, folder, "held_out")
    test = cifar.read(layout, folder, "test")
    assert train is not None
    assert held_out is not None
    return _tensors(train), _tensors(held_out), _tensors(test) if test else None, checksums


def _tensors(images: cifar.CifarImages) -> Images:
    pixels = np.ascontiguousarray(images.images.transpose(0, 2, 3, 1))
    return Images(torch.from_numpy(pixels), torch.from_numpy(images.labels.astype(np.int64)))


def _added(name: str, added: extend.ImageSet) -> tuple[Images, Images, None, dict[str, str]]:
    """What a function from outside loads, checked against what was said of it."""
    assert added.load is not None
    wanted = "training pixels and labels, and held-out pixels and labels"
    returned = arrays(name, added.load, wanted, 4)
    channels, height, width = added.shape
    parts = []
    for part, count, pixels, labels in zip(
        ("training", "held-out"), (added.train, added.held_out), returned[::2], returned[1::2], strict=True
    ):
        shape = (count, height, width, channels)
        if pixels.shape != shape or pixels.dtype != np.uint8:
            raise LabError(
                f"the data set {name!r} must return its {part} pixels as uint8 {shape}, "
                f"not {pixels.dtype} {pixels.shape}"
            )
        if labels.shape != (count,):
            raise LabError(f"the data set {name!r} must return {count} {part} labels, not {labels.shape}")
        check_classes(name, labels, added.classes, f"{part} ")
        parts.append(Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(np.int64))))
    digest = hashlib.md5(b"".join(np.ascontiguousarray(array).tobytes() for array in returned)).hexdigest()
    return parts[0], parts[1], None, {name: digest}


def _digits() -> tuple[Images, Images, None, dict[str, str]]:
    """The digits of scikit-learn, in their own order; the last ones are held out."""
    levels, classes = digits.read()
    pixels, labels = torch.from_numpy(levels), torch.from_numpy(classes.astype(np.int64))
    checksum = hashlib.md5(levels.tobytes() + classes.tobytes()).hexdigest()
    split = len(labels) - digits.HELD_OUT
    return (
        Images(pixels[:split], labels[:split]),
        Images(pixels[split:], labels[split:]),
        None,
        {"scikit-learn digits": checksum},
    )


@dataclass(frozen=True)
class Augmentation:
    """Random crops and mirror images of a training set, a batch at a time.

    Args:
        images: the training set; `padding` pixels of 0 are put around it, once.
        padding: how far a crop may be off centre, in pixels.
        flip: mirror half of the images, left to right.
        mirrored_first: bool `[n]`, for flips that alternate: these are mirrored in epoch 0 and every second
            one, the others in between. Where absent, it is drawn for each image every time.
    """

    images: Images
    padding: int
    flip: bool
    mirrored_first: Tensor | None = None

    @functools.cached_property
    def _padded(self) -> Tensor:
        p = self.padding
        return F.pad(self.images.pixels, (0, 0, p, p, p, p))

    def batch(self, rows: Tensor, generator: torch.Generator, epoch: int = 0) -> Tensor:
        """Augmented pixels of the images `rows` (int64 `[n]`): uint8 `[n, height, width, channels]`.

        For flips that alternate it matters how often all images were seen before: `epoch` times.

        Draws from `generator` (on the CPU) whatever the device, so that all devices see the same crops.
        """
        _, height, width, _ = self.images.pixels.shape
        if self.padding == 0 and not self.flip:
            return self.images.pixels[rows]
        shifts = torch.randint(0, 2 * self.padding + 1, (2, len(rows), 1), generator=generator)
        y = shifts[0] + torch.arange(height)
        x = torch.arange(width).expand(len(rows), width)
        if self.flip:
            if self.mirrored_first is None:
                mirrored = torch.rand(len(rows), 1, generator=generator) < 0.5
            else:
                mirrored = self.mirrored_first[rows.cpu(), None] ^ (epoch % 2 == 1)
            x = torch.where(mirrored, width - 1 - x, x)
        x = x + shifts[1]
        device = rows.device
        y, x = y.to(device, non_blocking=True), x.to(device, non_blocking=True)
        return self._padded[rows[:, None, None], y[:, :, None], x[:, None, :]]
