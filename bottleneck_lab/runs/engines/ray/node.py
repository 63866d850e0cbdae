"""What is done on a node of a Ray cluster, which has neither the command's files nor its memory."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bottleneck_lab
from bottleneck_lab import extend
from bottleneck_lab.config.data import DataSettings
from bottleneck_lab.data import cifar
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.runs import under_way
from bottleneck_lab.runs.jobs import Job
from bottleneck_lab.runs.under_way import UnderWay
from bottleneck_lab.runs.work import Workplace, do
from bottleneck_lab.training.device import settle_process

FOLDERS = "bottleneck-lab-run-"  # on a node; then the process that is at work in it

Files = dict[str, dict[str, bytes]]  # of each run, by its id: the contents of its folder


@dataclasses.dataclass(frozen=True)
class Site:
    """What a node must know of the command: the device, where data may lie, and the included files.

    Args:
        device: name of the device, without a number.
        data: the folder of each data set on the machine of the command; it may be there on the node, too.
        include: for each included file the content of it and of those beside it that it imports.
        checksums: what data turned out to be when the runs were planned.
        version: of this package, which must be the same on every node.
    """

    device: str
    data: Mapping[str, str]
    include: Mapping[str, Mapping[str, bytes]]
    checksums: Mapping[DataSettings, Mapping[str, str]]
    version: str = bottleneck_lab.__version__


class Board:
    """News of the tasks, until somebody takes them."""

    def __init__(self) -> None:
        self._news: list[Any] = []

    def put(self, *news: Any) -> None:
        """Leave a piece of news."""
        self._news.append(news)

    def take(self) -> list[Any]:
        """All there is, oldest first."""
        news, self._news = self._news, []
        return news


def do_remotely(job: Job, together: tuple[str, ...], site: Site, board: Any) -> Files:
    """Train a job in a folder of this node that is gone afterwards; returns what the runs have left.

    Raises:
        LabError: this node cannot do what the command has planned.
    """
    host, pid = platform.node(), under_way.here(job.id, job.group, together, "ray").pid
    settle_process()
    try:
        _check(job, site)
        data = _folder(job, site)
        board.put.remote(job.id, 0.0, None, host, pid)
        sweep()
        with tempfile.TemporaryDirectory(prefix=f"{FOLDERS}{os.getpid()}-") as folder:
            place = Workplace(Path(folder), site.device, data, engine="ray", checksums=site.checksums)
            UnderWay(job.id, job.group, together, "ray").write(place.results)
            do(job, place, lambda share, record: board.put.remote(job.id, share, record, host, pid))
            return {
                path.name: {file.name: file.read_bytes() for file in path.iterdir()}
                for path in (place.results / "runs").iterdir()
            }
    except LabError as error:
        raise LabError(f"{host}: {error}") from error
    except OSError as error:  # of this node; another may do
        raise RuntimeError(f"{host}: {error}") from error


def sweep() -> None:
    """Remove the folders of processes of this node that were killed, and so did not do it themselves."""
    if not Path("/proc/self").exists():  # who lives cannot be seen
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*-*"):
        pid = folder.name.removeprefix(FOLDERS).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _check(job: Job, site: Site) -> None:
    if bottleneck_lab.__version__ != site.version:
        raise LabError(
            f"has bottleneck_lab {bottleneck_lab.__version__}, and this command is of {site.version}; "
            "install the same on every node"
        )
    extend.include_all([_unpacked(Path(path), contents) for path, contents in site.include.items()])
    job.check_as_planned()


def _unpacked(path: Path, contents: Mapping[str, bytes]) -> Path:
    """A file of the command's machine, here, with those beside it; equal contents have equal places."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    folder = Path(tempfile.gettempdir()) / f"bottleneck-lab-included-{digest.hexdigest()[:16]}"
    for name, content in contents.items():
        here = folder / name
        if not here.exists() or here.read_bytes() != content:
            files.write_bytes(here, content)
    return folder / path.name


def _folder(job: Job, site: Site) -> dict[str, Path]:
    """Where the data set of a job is on this node; fetched and verified if it is nowhere, by one process."""
    name = job.runs[0].dataset
    layout = cifar.LAYOUTS.get(name)
    if layout is None:
        return {}
    there = Path(site.data[name]) if name in site.data else None
    return {name: cifar.find(layout, there) or cifar.fetch(layout)}
