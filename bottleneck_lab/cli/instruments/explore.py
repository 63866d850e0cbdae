"""`explore`: Fig. 1 as a page to play with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab.errors import LabError


def explore(
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("collapse.html"),
) -> None:
    """Write a page on which one slides channels, bias and seed and sees a spiral collapse.

    One HTML file that computes by itself and needs no network; any browser opens it.
    """
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.instruments.collapse.explorer import explorer_page
    from bottleneck_lab.records.files import write_text

    if out.is_dir():
        raise LabError(f"--out {out}: a folder; give the name of a file, such as {out / 'collapse.html'}")
    try:
        write_text(out, explorer_page())
    except OSError as error:
        raise LabError(f"--out {out}: {error.strerror}") from None
    say(f"{out}: open it in a browser")
