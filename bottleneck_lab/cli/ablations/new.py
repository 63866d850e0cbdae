"""`new`: an experiment file to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab.cli.options import make_folder
from bottleneck_lab.errors import LabError

TEMPLATE = Path(__file__).with_name("new.toml")


def new(
    name: Annotated[str, typer.Argument(help="What to call it; NAME.toml is written.")],
    out: Annotated[Path, typer.Option(help="Folder to write it to.")] = Path("."),
) -> None:
    """Write an experiment file that runs as it stands and explains its keys, to change into one's own."""
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.config import catalogue
    from bottleneck_lab.records.files import write_text

    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise LabError(
            f"{name!r} cannot name an ablation: use small letters, digits and underscores, without .toml"
        )
    if name in catalogue():
        raise LabError(
            f"{name!r} is an ablation of the catalogue (`bottleneck-lab list`); choose another name"
        )
    path = out / f"{name}.toml"
    if path.exists():
        raise LabError(f"{path}: is there already; choose another name, or delete it")
    make_folder(out)
    try:
        write_text(path, TEMPLATE.read_text(encoding="utf-8").replace("NAME", name))
    except OSError as error:
        raise LabError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
    say(f"{path}: change it as you like; see that it runs: run-ablation {path} --tier smoke")
