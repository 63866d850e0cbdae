"""What a data set is, as a number: two runs with one checksum have seen the same images or points."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from bottleneck_lab.config import PointSettings, SpiralSettings
from bottleneck_lab.config.data import DataSettings
from bottleneck_lab.data import cifar
from bottleneck_lab.data.images import load_images
from bottleneck_lab.data.points import draw_points
from bottleneck_lab.errors import LabError


@functools.lru_cache(maxsize=16)
def _of_added(settings: DataSettings) -> dict[str, str]:
    if not isinstance(settings, PointSettings):
        return load_images(settings, None).checksums
    digest = hashlib.md5()
    for part in ("train", "held_out"):
        for array in draw_points(settings, 0, part):
            digest.update(array.numpy().tobytes())
    return {settings.dataset: digest.hexdigest()}


def checksums(settings: DataSettings, folder: Path | None) -> dict[str, str]:
    """The md5 of every file or array that a data set consists of; of points that were added, those of seed 0.

    None for spirals, which are drawn by the project itself, and where the `folder` of files is not known.

    Raises:
        LabError: a file that is damaged, or an added data set that returns nonsense.
    """
    if isinstance(settings, SpiralSettings):
        return {}
    layout = cifar.LAYOUTS.get(settings.dataset)
    if layout is None:
        return _of_added(settings)
    return cifar.verify(layout, folder) if folder is not None else {}


def check_repeatable(settings: DataSettings) -> None:
    """Make a data set twice, and refuse one that comes out differently: its runs could not be compared.

    Raises:
        LabError: as `checksums`; one with chance in it that has no fixed seed.
    """
    found = []
    for _ in range(2):
        load_images.cache_clear()
        _of_added.cache_clear()
        found.append(checksums(settings, None))
    if found[0] != found[1]:
        raise LabError(
            f"the data set {settings.dataset!r} is another one each time it is made, so that runs on it "
            "could not be compared; draw from a generator with a fixed seed, and from no other"
        )
