"""`publish`, `make-figures` and `verify-figures`: published results, made and made again without training."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab.errors import LabError, writing
from bottleneck_lab.report.drawing.check import check_drawing

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Folders of it, by name (default: all).")
]
Figures = Annotated[Path, typer.Option("--figures", help="Folder of published results.")]


def publish(
    results_folder: Annotated[Path, typer.Argument(help="A results/NAME/TIER.")],
    to: Annotated[Path | None, typer.Option(help="Where to (default: figures/NAME).")] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also where runs are missing; the report says which.")
    ] = False,
) -> None:
    """Pack the records of finished runs, with every number, table and figure that is made from them.

    To go on from them: copy plan.json, `unzip runs.zip` beside it, and start the ablation there.
    """
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.published import publish as published

    check_drawing()
    target = to or Path("figures") / results_folder.resolve().parent.name
    with writing(target):
        published.publish(results_folder, target, unfinished=unfinished)
    size = sum(path.stat().st_size for path in target.iterdir()) / 1e6
    say(f"{target}: {size:.1f} MB")


def make_figures(
    names: Names = None,
    figures: Figures = Path("figures"),
    results: Annotated[
        Path | None, typer.Option(help="Draw those of a results folder instead, where its runs lie.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say which figure no longer matches its data.")
    ] = False,
) -> None:
    """Draw figures again, and write reports again, from the data beside them, without training.

    --check leaves the numbers themselves to `verify-figures`; `bottleneck-lab verify` does both.

    Exit codes: 0 done, or all figures match; 1 some do not match, or their data are damaged; 2 wrong usage,
    or nothing to draw from.
    """
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.records import files

    check_drawing()
    folders = _chosen(results or figures, names or [])
    all_published = not (results or names)  # pages are about all that is published, or not made at all
    if check:
        problems = _each(_stale, folders)
        _report(
            [*problems, _stale_pages(figures, folders) if all_published else []],
            "all figures match their data",
        )
        return
    with writing(results or figures):
        for folder, stems in zip(folders, _each(_draw, folders), strict=True):
            say(f"{folder}: {', '.join(stems)}")
        for path, text in (_pages(figures, folders) if all_published else {}).items():
            files.write_text(path, text)


def _pages(figures: Path, folders: Sequence[Path]) -> dict[Path, str]:
    """What is written about all published folders: the ledger, and the gallery if it has a place."""
    from bottleneck_lab.published.gallery import README, with_gallery
    from bottleneck_lab.published.ledger import LEDGER, ledger

    pages = {figures / LEDGER: ledger(folders)}
    text = with_gallery(figures / README, folders)
    return pages if text is None else {**pages, figures / README: text}


def _stale_pages(figures: Path, folders: Sequence[Path]) -> list[str]:
    from bottleneck_lab.records import files

    stale = [path for path, text in _pages(figures, folders).items() if text != files.read_text(path)]
    return [f"{path}: no longer matches its data" for path in stale]


def differing(figures: Path, leaving_out: Collection[Path]) -> list[str]:
    """What `make-figures --check` and `verify-figures` find wrong; of pages about all, if there are."""
    from bottleneck_lab.published.ledger import LEDGER

    folders = [folder for folder in _chosen(figures, []) if folder not in leaving_out]
    found = [*_each(_false, folders), *_each(_stale, folders)]
    if (figures / LEDGER).exists():
        found.append(_stale_pages(figures, folders))
    return list(dict.fromkeys(problem for of_folder in found for problem in of_folder))


def verify_figures(names: Names = None, figures: Figures = Path("figures")) -> None:
    """Compute every published number and verdict again from the records.

    What was measured of weights, or of a machine's time and memory, cannot be computed again: it is named.
    Figures and reports are `make-figures --check`'s to check; `bottleneck-lab verify` does both.
    Exit codes: 0 all are borne out, 1 some are not, or their records are damaged; 2 wrong usage.
    """
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.published.artefacts import artefacts_in

    folders = _chosen(figures, names or [])
    for folder in folders:
        for artefact, path in artefacts_in(folder):
            if artefact.not_again:
                say(f"not checked: {path}: {artefact.not_again}")
    _report(_each(_false, folders), "every number is borne out by its records")


def _report(problems: Sequence[Sequence[str]], fine: str) -> None:
    from bottleneck_lab.cli.text import say

    found = [problem for of_folder in problems for problem in of_folder]
    for problem in found:
        say(problem)
    if found:
        raise typer.Exit(1)
    say(fine)


def _chosen(above: Path, names: Sequence[str]) -> list[Path]:
    """The folders with data, those at most two levels below, or the named ones.

    Raises:
        LabError: there are none, or one is not there.
    """
    from bottleneck_lab.config.problems import nearest
    from bottleneck_lab.published.artefacts import is_published

    candidates = [above, *sorted(above.glob("*")), *sorted(above.glob("*/*"))]
    found = [folder for folder in candidates if os.path.isdir(folder) and is_published(folder)]
    if not found:
        raise LabError(f"{above}: holds no results that figures could be drawn from")
    named = [(folder.relative_to(above).parts[0] if folder != above else ".", folder) for folder in found]
    known = list(dict.fromkeys(name for name, _ in named))
    for name in names:
        if name not in known:
            raise LabError(f"{above} has no results of {name!r}; {nearest(name, known)}")
    return [folder for name, folder in named if not names or name in names]


# Each of these is done in a process of its own: this one need not import what draws.


def _draw(folder: Path) -> list[str]:
    from bottleneck_lab.published import publish as published

    return published.draw(folder)


def _stale(folder: Path) -> list[str]:
    from bottleneck_lab.published import publish as published

    return _or_why_not(published.stale_figures, folder)


def _false(folder: Path) -> list[str]:
    from bottleneck_lab.published import publish as published

    return _or_why_not(published.false_numbers, folder)


def _or_why_not(look: Callable[[Path], list[str]], folder: Path) -> list[str]:
    """What is found in a folder, or why it cannot be looked through; then the others still are."""
    try:
        return look(folder)
    except LabError as error:
        return str(error).splitlines()


def _each(do: Callable[[Path], list[str]], folders: Sequence[Path]) -> list[list[str]]:
    """Do it to every folder, on all cores, the largest first, so that the last ones to end are small."""
    if len(folders) == 1:
        return [do(folders[0])]
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:  # so that what is slow to import is imported once
        context.set_forkserver_preload(
            ["bottleneck_lab.published.publish", "matplotlib.backends.backend_svg"]
        )
    with ProcessPoolExecutor(mp_context=context, initializer=_be_deaf) as pool:
        done = {folder: pool.submit(do, folder) for folder in sorted(folders, key=_size, reverse=True)}
        try:
            return [done[folder].result() for folder in folders]
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()  # files are written whole
            raise


def _be_deaf() -> None:
    """Leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.svg"))
