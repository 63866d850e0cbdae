"""`report`: make the reports of a results folder again from what is on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bottleneck_lab.errors import LabError, writing
from bottleneck_lab.records.names import PLAN
from bottleneck_lab.report.drawing.check import check_drawing

if TYPE_CHECKING:
    from collections.abc import Iterator


def report(
    results_folder: Annotated[
        Path, typer.Argument(help="results/NAME/TIER, figures/NAME, or a folder above: then all below.")
    ],
    watch: Annotated[
        float | None,
        typer.Option(min=0.1, help="Look again every so many seconds, until every run has ended."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Make reports again from what is on disk, without training.

    With --watch a report is made again whenever its runs or its plan have changed, and a page that is open
    shows it; Ctrl-C ends that, too.
    Exit codes: 0 all reports are made, 2 there is a folder of which none can be made.
    """
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.published.index import write_index

    check_drawing()
    folders = _folders(results_folder)
    refused: dict[Path, str] = {}
    seen: dict[Path, set[tuple[str, int, int]]] = {}
    going_on = set(folders)
    try:
        while going_on:
            for folder in [each for each in folders if each in going_on]:
                state = set(_state(folder))
                if state == seen.get(folder):
                    continue
                seen[folder] = state
                try:
                    line, goes_on = _report(folder, watch)
                    refused.pop(folder, None)
                except LabError as error:
                    line, goes_on = str(error), False
                    refused[folder] = line
                say(f"{time.strftime('%H:%M:%S')} {line}" if watch else line)
                if not goes_on or watch is None:
                    going_on.discard(folder)
            if folders != [results_folder]:
                with writing(results_folder):
                    write_index(results_folder)
            if open_:
                page = "report.html" if folders == [results_folder] else "index.html"
                show_page(results_folder / page)
                open_ = False
            if going_on and watch is not None:
                time.sleep(watch)
    except KeyboardInterrupt:
        say("stopped watching; the reports are as of the last look")
        return
    if refused:
        raise LabError(f"{len(refused)} of {len(folders)} reports could not be made, as said above")


def show_page(page: Path) -> None:
    """Open a page in the user's browser; say where it is if there is none."""
    import webbrowser

    from bottleneck_lab.cli.text import say

    if not webbrowser.open(page.resolve().as_uri()):
        say(f"no browser could be started; the page is {page}")


def _folders(folder: Path) -> list[Path]:
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.records.results.folders import result_folders

    refused: list[str] = []
    found = result_folders(folder, refused)
    for line in refused:
        say(line)
    if not found:
        raise LabError(f"{folder}: holds no results; give results/NAME/TIER, or a folder above such folders")
    return found


def _state(folder: Path) -> Iterator[tuple[str, int, int]]:
    """What tells that something has changed: names, times and sizes of the plan and of the runs' files."""
    for path in (folder / PLAN, *folder.glob("runs/*"), *folder.glob("runs/*/*.json*")):
        try:
            found = path.stat()
        except OSError:
            continue  # it was only just there
        yield str(path), found.st_mtime_ns, found.st_size


def _report(folder: Path, refresh: float | None) -> tuple[str, bool]:
    """Make a report; what to say of it, and whether runs may still be going on."""
    from bottleneck_lab.report.write import goes_on, write_report

    try:
        with writing(folder):
            path, summary = write_report(folder, refresh)
    except LabError:
        raise
    except Exception as error:  # whatever it is, the other folders are to have their reports
        raise LabError(f"{folder}: its report cannot be made ({type(error).__name__}: {error})") from error
    counts = {name: count for name, count in summary.runs.items() if name != "planned"}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{told}: {path.with_suffix('.html')}", goes_on(summary)
