"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their official binary layout: find, fetch, verify, read.

The binary layout needs no pickle: nothing that was downloaded is ever executed. Checksums make it safe to
take the archives from any mirror. Those of both archives are published, and those of the files of CIFAR-10
are known. We found none for the files of CIFAR-100: theirs are taken when an archive that passed its own
check is unpacked, and kept beside the files. A folder of CIFAR-100 that came another way can only be
checked for the sizes and labels of its files.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.cache import cache_dir
from bottleneck_lab.data.download import Progress, download, md5_of
from bottleneck_lab.errors import LabError

Part = Literal["train", "held_out", "test"]

_PIXELS = 3 * 32 * 32  # bytes of one image: red, green, blue plane, each row by row
_CHECKSUMS = "bottleneck-lab-md5.json"


@dataclass(frozen=True)
class CifarLayout:
    """What the files of one data set are.

    A file is a row of records: `label_bytes` bytes of labels (CIFAR-10: the class; CIFAR-100: superclass,
    then class, and the class is the one used), then 3072 bytes of image. The training files hold
    `training_images` between them, in equal shares; the last `held_out_images` of these take no part in
    training.
    """

    name: str  # what the command line and experiment files call it
    title: str
    folder: str  # the folder inside the archive
    classes: int
    label_bytes: int
    training: tuple[str, ...]
    test: str
    md5: Mapping[str, str] = field(hash=False)  # published checksum of each file, where there is one
    archive: str
    archive_md5: str
    archive_bytes: int
    sources: tuple[str, ...]  # addresses of the archive, in the order in which they are asked
    training_images: int = 50_000
    held_out_images: int = 10_000
    test_images: int = 10_000

    @property
    def record_bytes(self) -> int:
        """Bytes of one image with its labels."""
        return self.label_bytes + _PIXELS


# Checksums of the archives: https://www.cs.toronto.edu/~kriz/cifar.html
# The original host comes after the mirrors because it is slow; a mirror that is gone costs a second.
CIFAR10 = CifarLayout(
    name="cifar10",
    title="CIFAR-10",
    folder="cifar-10-batches-bin",
    classes=10,
    label_bytes=1,
    training=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    md5={
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    },
    archive="cifar-10-binary.tar.gz",
    archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
    archive_bytes=170_052_171,
    sources=(
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/cifar-10-binary.tar.gz",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-10-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://web.archive.org/web/2020id_/https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    ),
)

CIFAR100 = CifarLayout(
    name="cifar100",
    title="CIFAR-100",
    folder="cifar-100-binary",
    classes=100,
    label_bytes=2,
    training=("train.bin",),
    test="test.bin",
    md5={},
    archive="cifar-100-binary.tar.gz",
    archive_md5="03b5dce01913d631647c71ecec9e9cb8",
    archive_bytes=168_513_733,
    sources=(
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-100-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "https://web.archive.org/web/2020id_/https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    ),
)

LAYOUTS: dict[str, CifarLayout] = {layout.name: layout for layout in (CIFAR10, CIFAR100)}


@dataclass(frozen=True, eq=False)
class CifarImages:
    """Images as uint8 [n, 3, 32, 32], planes red, green, blue, and their labels as int64 [n]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def find(layout: CifarLayout, data_dir: Path | None = None) -> Path | None:
    """Return the first folder that holds all training files, or None; the test file may be missing.

    The places are `data_dir`, $BOTTLENECK_LAB_DATA and the cache. Each may be the folder of the files or
    the folder around it. A place without the files is passed over, also one that the user has named.

    Raises:
        LabError: a place that the user has named cannot be looked into.
    """
    named = os.environ.get("BOTTLENECK_LAB_DATA")
    places = {
        "--data-dir ": data_dir,
        "BOTTLENECK_LAB_DATA=": Path(named) if named else None,
        "": cache_dir(),
    }
    for option, place in places.items():
        if place is None:
            continue
        around = place.expanduser()
        for folder in (around, around / layout.folder):
            try:
                if all((folder / name).is_file() for name in layout.training):
                    return folder
            except OSError as error:
                if option:  # the cache was not asked for
                    raise LabError(
                        f"{option}{place}: cannot be looked into ({error.strerror}); make it "
                        "readable, or name another folder"
                    ) from error
    return None


def find_named(layout: CifarLayout, data_dir: Path | None) -> Path | None:
    """`find`, but a `data_dir` that is given must hold the files.

    Raises:
        LabError: it does not.
    """
    folder = find(layout, data_dir)
    if data_dir is not None and (folder is None or not folder.is_relative_to(data_dir.expanduser())):
        names = ", ".join(layout.training)
        raise LabError(f"--data-dir {data_dir}: {layout.title} is not in it; it must hold {names}")
    return folder


def fetch(
    layout: CifarLayout,
    *,
    deadline_s: float | None = None,
    progress: Progress | None = None,
    sources: Sequence[str] | None = None,
) -> Path:
    """Return the data set's folder in the cache, downloaded if it is not there whole and undamaged.

    The sources are asked in turn until one has given the archive, or for `deadline_s` seconds at most;
    waiting for another process that downloads the same counts, checking and unpacking (seconds) does not.
    What has arrived is kept and continued by the next call. `progress` is called with the bytes there and
    in all.

    Raises LabError if no source has given the archive in time, or if the cache cannot be written.
    """
    from filelock import FileLock, Timeout

    until = math.inf if deadline_s is None else time.monotonic() + deadline_s
    cache = cache_dir()
    folder = cache / layout.folder
    archive = cache / f"{layout.archive}.part"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{layout.archive}.lock", timeout=-1 if deadline_s is None else deadline_s):
            if not _is_whole(layout, folder):
                asked = layout.sources if sources is None else sources
                _download(layout, archive, asked, until, progress)
                _unpack(layout, archive, folder)
                archive.unlink()
    except Timeout:
        raise LabError(
            f"Another process is still downloading {layout.title} to {cache} after {deadline_s:g} s. "
            "Wait for it, or allow more time."
        ) from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        archive.unlink(missing_ok=True)
        raise LabError(
            f"{layout.title}: what was downloaded cannot be unpacked ({error}), and is removed; try again"
        ) from error
    except OSError as error:
        raise LabError(
            f"{layout.title} cannot be kept in {cache}: {error.strerror or error}. "
            "Set BOTTLENECK_LAB_CACHE to a folder with room for 400 MB."
        ) from error
    return folder


def verify(layout: CifarLayout, folder: Path) -> dict[str, str]:
    """Return the md5 checksum of each file in `folder` after checking it, the file's size and its labels.

    The checksum of a file of CIFAR-100 can only be checked in a folder that `fetch` has made. The test file
    may be missing. Raises LabError naming the file that is missing or differs.
    """
    expected = {**_recorded_checksums(folder), **layout.md5}
    images_of = {name: layout.training_images // len(layout.training) for name in layout.training}
    if (folder / layout.test).is_file():
        images_of[layout.test] = layout.test_images
    found = {}
    for name, images in images_of.items():
        _records(layout, folder / name, images)
        found[name] = md5_of(folder / name)
        if found[name] != expected.get(name, found[name]):
            raise _damaged(layout, folder / name, f"its md5 is {found[name]}, not {expected[name]}")
    return found


def read(layout: CifarLayout, folder: Path, part: Part) -> CifarImages | None:
    """Return one part of the data set, or None for the test images where the test file is missing.

    `train` is the first 40,000 training images and `held_out` the last 10,000: of CIFAR-10, batches 1 to 4
    and batch 5. `test` is the official test set of 10,000.

    Raises LabError naming a file that is missing, has another size or has a label out of range.
    """
    if part == "test":
        if not (folder / layout.test).is_file():
            return None
        pieces = [_records(layout, folder / layout.test, layout.test_images)]
    else:
        held_out_from = layout.training_images - layout.held_out_images
        first, end = (0, held_out_from) if part == "train" else (held_out_from, layout.training_images)
        in_a_file = layout.training_images // len(layout.training)
        pieces = [
            _records(layout, folder / name, in_a_file)[max(first - before, 0) : end - before]
            for before, name in zip(range(0, layout.training_images, in_a_file), layout.training, strict=True)
            if before < end and first < before + in_a_file
        ]
    return CifarImages(
        images=np.concatenate([piece[:, layout.label_bytes :] for piece in pieces]).reshape(-1, 3, 32, 32),
        labels=np.concatenate([piece[:, layout.label_bytes - 1] for piece in pieces]).astype(np.int64),
    )


def _records(layout: CifarLayout, path: Path, images: int) -> NDArray[np.uint8]:
    """Return a file's records as uint8 [images, record_bytes], left on the disk until they are used."""
    if not path.is_file():
        raise _damaged(layout, path, "it is missing")
    size, expected = path.stat().st_size, images * layout.record_bytes
    if size != expected:
        raise _damaged(
            layout,
            path,
            f"it has {size} bytes, not {expected} ({images} records of {layout.record_bytes} bytes)",
        )
    records: NDArray[np.uint8] = np.memmap(path, np.uint8, "r", shape=(images, layout.record_bytes))
    labels = records[:, layout.label_bytes - 1]
    if labels.max() >= layout.classes:
        record = int(labels.argmax())
        reason = f"record {record} has label {labels[record]}, and labels go up to {layout.classes - 1}"
        raise _damaged(layout, path, reason)
    return records


def _damaged(layout: CifarLayout, path: Path, reason: str) -> LabError:
    return LabError(
        f"{path} is not the official file: {reason}. "
        f"Replace it, or run `bottleneck-lab data fetch {layout.name}` and use what that puts into the cache "
        "(without --data-dir and BOTTLENECK_LAB_DATA)."
    )


def _recorded_checksums(folder: Path) -> dict[str, str]:
    """Return the checksums that `fetch` has left beside the files; none where they cannot be read."""
    try:
        recorded = json.loads((folder / _CHECKSUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(recorded, dict):
        return {}
    return {name: checksum for name, checksum in recorded.items() if isinstance(checksum, str)}


def _is_whole(layout: CifarLayout, folder: Path) -> bool:
    try:
        return layout.test in verify(layout, folder)
    except LabError:
        return False


def _download(
    layout: CifarLayout, archive: Path, sources: Sequence[str], until: float, progress: Progress | None
) -> None:
    """Call `download`, and if it fails say what else the user can do."""
    try:
        download(
            sources,
            archive,
            size=layout.archive_bytes,
            md5=layout.archive_md5,
            until=until,
            progress=progress,
        )
    except LabError as error:
        kept = archive.stat().st_size if archive.is_file() else 0
        raise LabError(
            f"{layout.title} could not be downloaded:\n{error}\n"
            f"{kept / 1e6:.1f} of {layout.archive_bytes / 1e6:.1f} MB are there; "
            f"`bottleneck-lab data fetch {layout.name}` goes on from there.\n"
            f"Or put the folder {layout.folder} of {layout.archive} somewhere, and name that place "
            "with --data-dir or in BOTTLENECK_LAB_DATA."
        ) from None


def _unpack(layout: CifarLayout, archive: Path, folder: Path) -> None:
    """Write the files of the archive, and no others, to `folder`, all of them or none."""
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            # Only names that we know become paths, wherever the archive says that they belong.
            name = PurePosixPath(member.name).name
            content = members.extractfile(member) if member.isfile() else None
            if content is not None and name in (*layout.training, layout.test):
                with (unfinished / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    checksums = verify(layout, unfinished)
    (unfinished / _CHECKSUMS).write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)
