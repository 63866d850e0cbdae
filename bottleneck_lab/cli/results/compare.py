"""`compare`: two results folders side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[Path, typer.Argument(help="A results folder: results/NAME/TIER, or one above several.")],
    b: Annotated[Path, typer.Argument(help="Another one: of another machine, version or colleague.")],
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON and nothing else.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write it as a page to this file.")] = None,
) -> None:
    """Say what is set differently in two results folders, and which numbers differ beyond noise.

    Accuracies are compared over seeds: in pairs where settings and seeds are the same, else by Welch's test;
    with 95 % intervals, and Holm's correction over all comparisons at 5 %. Exit codes: 0 whether or not they
    differ, 2 for folders that cannot be compared.
    """
    from bottleneck_lab.report.comparison import comparison_of
    from bottleneck_lab.report.findings.comparison import compare as compare_folders

    found = compare_folders(a, b)
    content = comparison_of(found, str(a), str(b))
    if html is not None:
        from bottleneck_lab.errors import writing
        from bottleneck_lab.records import files
        from bottleneck_lab.report.writers.html import report_page

        with writing(html):
            files.write_text(html, report_page(content, {}))
    if json_:
        print(json.dumps(asdict(found), allow_nan=False))
        return
    from bottleneck_lab.cli.text import print_blocks, say

    for section in content.sections:
        print()
        say(section.title, style="bold")
        print_blocks(section.blocks)
    print()
    print_blocks(content.answer)
    if html is not None:
        say(f"page: {html}")
