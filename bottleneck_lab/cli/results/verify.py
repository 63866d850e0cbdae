"""`verify`: whether results are what their runs have left, and published ones what their records say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bottleneck_lab.errors import LabError


def verify(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="results/NAME/TIER, figures/NAME, or folders above: then all below."
        ),
    ],
) -> None:
    """Name every file that differs: of runs by its checksum, of published results by making it again.

    Runs: every file against its SHA-256 in result.json. Published results: the numbers of `verify-figures`,
    and the figures, reports and pages of `make-figures --check`.
    Exit codes: 0 nothing differs, 1 something does or is damaged, 2 wrong usage.
    """
    from bottleneck_lab.cli.results.figures import differing
    from bottleneck_lab.cli.text import say
    from bottleneck_lab.published.artefacts import is_published
    from bottleneck_lab.records.results.folders import result_folders

    refused: list[str] = []
    below = [found for folder in folders for found in result_folders(folder, refused)]
    for line in refused:
        say(line)
    results = list(dict.fromkeys(folder for folder in below if (folder / "runs").is_dir()))
    published = [
        folder
        for folder in folders
        if any(is_published(each) and each not in results for each in (folder, *sorted(folder.glob("*"))))
    ]
    if not results and not published:
        raise LabError(
            f"{', '.join(map(str, folders))}: holds no results; give results/NAME/TIER or figures/NAME"
        )
    problems: list[str] = []
    for folder in results:
        runs, without, found = _runs(folder)
        problems += found
        say(
            f"{folder}: {runs} runs"
            + (f", {without} of them from before files had checksums" * (without > 0))
        )
    for folder in published:
        problems += differing(folder, leaving_out=results)
    for problem in problems:
        say(problem)
    if problems:
        raise typer.Exit(1)
    say("every file is what its run has left, or what its records say")


def _runs(folder: Path) -> tuple[int, int, list[str]]:
    """How many runs a results folder has, how many of them without checksums, and what is wrong with them."""
    from bottleneck_lab.records.checksums import KEY, altered
    from bottleneck_lab.records.folder import RunFolder
    from bottleneck_lab.report.reading.collect import collect

    runs = without = 0
    problems: dict[str, None] = {}
    for path in sorted((folder / "runs").iterdir()):
        result = RunFolder(folder, path.name).result()
        if result is None or result["status"] == "failed":
            continue
        runs += 1
        without += KEY not in result
        for name, why in altered(path, result, thorough=True):
            problems[f"{path / name}: {why}"] = None
    try:
        for stray in collect(folder).strays:
            problems[f"{folder / stray.file}: {stray.why}"] = None
    except LabError as error:
        problems[str(error)] = None
    return runs, without, list(problems)
