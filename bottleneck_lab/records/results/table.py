"""`results.csv`: a row a run, as spreadsheets read it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from bottleneck_lab.config.ablations.parts import terms_of
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.folder import Status
from bottleneck_lab.records.names import TABLE

# A run is damaged if its result cannot be what a training has left: nothing of it is counted.
Condition = Literal[Status, "damaged"]


@dataclass(frozen=True)
class Run:
    """One row of `results.csv`, which calls its id `run`; accuracies are 0 to 1, absent ones None.

    Measures are of the end.
    """

    variant: str
    dataset: str
    seed: int
    id: str
    status: Condition
    accuracy: float | None
    loss: float | None
    test_accuracy: float | None
    epochs: int | None
    wall_seconds: float | None
    cpu_seconds: float | None
    reason: str | None
    measures: dict[str, float]

    def value_of(self, measure: str) -> float | None:
        """Its accuracy, or its value of a measure, or of the difference of two, if it has them."""
        terms = terms_of(measure)
        values = [self.accuracy if term == "accuracy" else self.measures.get(term) for term in terms]
        known = [value for value in values if value is not None]
        if len(known) < len(terms):
            return None
        return known[0] if len(terms) == 1 else known[0] - known[1]


def write_table(folder: Path, runs: Sequence[Run]) -> None:
    """Leave `results.csv` in a folder."""
    files.write_text(folder / TABLE, table_of(runs))


def cpu_seconds_in(folder: Path) -> float:
    """What the runs of the table in a folder took in all.

    Raises:
        LabError: there is no table, or one that does not say so.
    """
    path = folder / TABLE
    rows = csv.DictReader(io.StringIO(files.read_text(path) or ""))
    try:
        if "cpu_seconds" not in (rows.fieldnames or ()):
            raise ValueError("no such column")
        return sum(float(row["cpu_seconds"] or 0) for row in rows)
    except ValueError:
        raise LabError(f"{path}: does not say how long its runs took; publish it again") from None


def table_of(runs: Sequence[Run]) -> str:
    """What `results.csv` holds: a row a run."""
    stream = io.StringIO()
    columns = {field.name: field.name for field in fields(Run) if field.name != "measures"} | {"id": "run"}
    taken = dict.fromkeys(f"measures.{name}" for run in runs for name in run.measures)
    writer = csv.DictWriter(stream, [*columns.values(), *taken], lineterminator="\n")
    writer.writeheader()
    for run in runs:
        row = {column: _in_a_sheet(getattr(run, field)) for field, column in columns.items()}
        writer.writerow(row | {f"measures.{name}": value for name, value in run.measures.items()})
    return stream.getvalue()


def _in_a_sheet(value: object) -> object:
    """A value that spreadsheets show as it is: text that they would compute has an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r", " ")  # which ends a row, and is not quoted where rows end in a line feed
    return f"'{text}" if re.match(r"\s*[=+\-@]", text) else text
