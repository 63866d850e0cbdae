"""Tables of results: rows that are dicts, columns that are arrays, and a way into pandas."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from bottleneck_lab.errors import LabError

if TYPE_CHECKING:
    import numpy as np

Row = dict[str, object]
_SHOWN = 20  # rows and their widest cell, where a table is printed
_WIDEST = 32


class Frame(Sequence[Row]):
    """Rows with the same columns. It is a sequence of dicts, so `pandas.DataFrame(frame)` works as well.

    >>> frame = Frame([{"variant": "linear", "mean": 0.5}, {"variant": "relu", "mean": 0.25}])
    >>> frame.columns
    ('variant', 'mean')
    >>> frame["mean"]
    array([0.5 , 0.25])
    >>> frame.where(variant="relu")[0]
    {'variant': 'relu', 'mean': 0.25}
    >>> frame
    variant  mean
    linear   0.5
    relu     0.25

    Args:
        rows: mappings; a column that a row lacks is None there.
        columns: names that come first, and are there without any row, too.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
        given = [dict(row) for row in rows]
        named = (name for row in given for name in row)
        self.columns: tuple[str, ...] = tuple(dict.fromkeys([*columns, *named]))
        self._rows = [{name: row.get(name) for name in self.columns} for row in given]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return map(dict, self._rows)

    @overload
    def __getitem__(self, which: int) -> Row: ...
    @overload
    def __getitem__(self, which: slice) -> Frame: ...
    @overload
    def __getitem__(self, which: str) -> np.ndarray[Any, np.dtype[Any]]: ...
    def __getitem__(self, which: int | slice | str) -> Row | Frame | np.ndarray[Any, np.dtype[Any]]:
        """A row by its number, some rows by a slice, or a column by its name.

        Numbers come as float64 with NaN where there is none; whole columns of integers, bools or texts as
        what they are.
        """
        if isinstance(which, str):
            return self._column(which)
        if isinstance(which, slice):
            return Frame(self._rows[which], self.columns)
        return dict(self._rows[which])

    def where(self, **values: Any) -> Frame:
        """The rows whose columns have these values.

        Raises:
            LabError: no such column.
        """
        for name in values:
            self._check(name)
        kept = (row for row in self._rows if all(row[name] == value for name, value in values.items()))
        return Frame(kept, self.columns)

    def to_pandas(self) -> Any:
        """The same as a `pandas.DataFrame`.

        Raises:
            LabError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise LabError("pandas is not installed; get it by: pip install pandas") from None
        return pd.DataFrame(self._rows, columns=list(self.columns))

    def _column(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        import numpy as np

        self._check(name)
        values = [row[name] for row in self._rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds and kinds <= {int, float} and (float in kinds or None in values):
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        if len(kinds) == 1 and kinds <= {int, bool, str} and None not in values:
            return np.array(values)
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column

    def _check(self, name: str) -> None:
        if name not in self.columns:
            from bottleneck_lab.config.problems import nearest

            raise LabError(f"{name!r}: no such column; {nearest(name, self.columns)}")

    def _cells(self) -> list[list[str]]:
        shown = [[_written(row[name]) for name in self.columns] for row in self._rows[:_SHOWN]]
        return [list(self.columns), *shown]

    def __repr__(self) -> str:
        if not self._rows:
            return "no rows"
        cells = self._cells()
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join(lines + self._rest())

    def _repr_html_(self) -> str:
        """For notebooks."""
        head, *body = self._cells() if self._rows else [["no rows"]]
        titles = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in body
        )
        rest = "".join(f"<p>{line}</p>" for line in self._rest())
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>{rest}"

    def _rest(self) -> list[str]:
        more = len(self._rows) - _SHOWN
        return [f"and {more} more rows"] if more > 0 else []


def _written(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value).replace("\n", " ")
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
