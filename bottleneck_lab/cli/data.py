"""`data`: find, fetch and verify the image data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab.cli import completion
from bottleneck_lab.cli.commands import App
from bottleneck_lab.cli.options import DataDir
from bottleneck_lab.errors import LabError

if TYPE_CHECKING:
    from bottleneck_lab.data.cifar import CifarLayout

Name = Annotated[str, typer.Argument(help="cifar10 or cifar100", autocompletion=completion.image_files)]


def find(data_dir: DataDir = None) -> None:
    """Say where each data set is, or that it is not here."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.data import cifar

    for name, layout in cifar.LAYOUTS.items():
        folder = cifar.find(layout, data_dir)
        if folder is None:
            say(f"{name}: not found; `bottleneck-lab data fetch {name}` fetches it")
            continue
        test = "with" if (folder / layout.test).is_file() else "without"
        say(f"{name}: {folder} ({test} the test part)")


def fetch(name: Name) -> None:
    """Download a data set into the cache (about 170 MB), going on where an earlier attempt ended."""
    from bottleneck_lab.cli.text import say

    say(f"{name}: {fetch_with_progress(_layout(name), None)}")


def verify(name: Name, data_dir: DataDir = None) -> None:
    """Check every file of a data set against its checksum."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.data import cifar

    layout = _layout(name)
    folder = cifar.find(layout, data_dir)
    if folder is None:
        raise LabError(f"{name}: not found; `bottleneck-lab data fetch {name}` fetches it")
    for file, checksum in cifar.verify(layout, folder).items():
        say(f"{checksum}  {folder / file}")


def fetch_with_progress(layout: CifarLayout, deadline_s: float | None) -> Path:
    """Fetch a data set, showing how far it is; gives up after `deadline_s` seconds.

    Raises:
        LabError: no source has it in time, with the reason of each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from bottleneck_lab.data import cifar

    columns = (TextColumn(f"fetching {layout.title}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        return cifar.fetch(layout, deadline_s=deadline_s, progress=show)


def _layout(name: str) -> CifarLayout:
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.data import cifar

    if name not in cifar.LAYOUTS:
        raise LabError(f"{name}: no such data set; {nearest(name, cifar.LAYOUTS)}")
    return cifar.LAYOUTS[name]


data_app = App(no_args_is_help=True, help="Find, fetch and verify CIFAR-10 and CIFAR-100.")
data_app.add("find", find, "bottleneck-lab data find")
data_app.add("fetch", fetch, "bottleneck-lab data fetch cifar10")
data_app.add("verify", verify, "bottleneck-lab data verify cifar10 --data-dir cifar")
