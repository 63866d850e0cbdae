"""Numbers as people read them. Accuracies are 0 to 1 inside, percent and points outside."""

from __future__ import annotations

import math
from collections.abc import Sequence

DASH = "-"


def percent(value: float | None) -> str:
    """An accuracy: 0.875 is `87.5 %`."""
    return DASH if value is None else f"{points(value, sign=False)} %"


def points(value: float | None, sign: bool = True) -> str:
    """A difference of accuracies: 0.0613 is `+6.1`, in percentage points."""
    if value is None:
        return DASH
    rounded = round(100 * value, 1) + 0.0  # never -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"


def short(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point."""
    return DASH if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # never -0.0


def ends(low: float | None, high: float | None, digits: int) -> str:
    """An interval with so many digits behind the point."""
    return DASH if low is None or high is None else f"[{short(low, digits)}, {short(high, digits)}]"


def amount(value: float | None, share: bool = True, sign: bool = True) -> str:
    """What shares differ by, in percentage points; another number to three digits, in its own unit."""
    if value is None or share:
        return points(value, sign)
    return f"{value:+.3g}" if sign else f"{value:.3g}"


def with_unit(value: float | None, share: bool, sign: bool = True) -> str:
    """The same with its unit, where that is points: `+22.2 points`."""
    found = amount(value, share, sign)
    return f"{found} points" if share and value is not None else found


def interval(low: float | None, high: float | None, share: bool = True, sign: bool = True) -> str:
    """An interval over seeds: in percent or points if of a share."""
    return DASH if low is None else f"[{amount(low, share, sign)}, {amount(high, share, sign)}]"


def as_reported(value: float) -> str:
    """A number of the paper with its decimals, at least one: `72.0`, `71.06`."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def top1(reported: float | None) -> str:
    """An accuracy in the paper: `72.0 %`."""
    return DASH if reported is None else f"{as_reported(reported)} %"


def measured(mean: float | None, low: float | None, high: float | None, share: bool) -> str:
    """The mean of a measure with its interval: `12.3 % [11.0, 13.6]`."""
    if mean is None:
        return DASH
    said = percent(mean) if share else amount(mean, False, sign=False)
    return said if low is None else f"{said} {interval(low, high, share, sign=False)}"


def half_width(mean: float | None, low: float | None, high: float | None, share: bool = True) -> str:
    """A mean and half its 95 % interval (its longer half, if cut), in percent if a share: `72.6±9.5`."""
    if mean is None:
        return DASH
    said = amount(mean, share, sign=False)
    if low is None or high is None:
        return said
    half = max(mean - low, high - mean)
    return f"{said}±{100 * half:.{0 if half >= 0.1 else 1}f}" if share else f"{said}±{half:.2g}"


def p_value(value: float | None) -> str:
    """A p-value to two digits, `< 0.0001` below that."""
    if value is None:
        return DASH
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def aligned(rows: Sequence[Sequence[str | float]]) -> list[list[str]]:
    """The rows of a table as text, each column's numbers with as many decimals as its longest has."""
    columns = []
    for column in zip(*rows, strict=True):
        decimals = max(len(f"{value:g}".partition(".")[2]) for value in (*_floats(column), 0.0))
        columns.append([value if isinstance(value, str) else f"{value:.{decimals}f}" for value in column])
    return [list(row) for row in zip(*columns, strict=True)]


def _floats(values: Sequence[str | float]) -> list[float]:
    return [value for value in values if not isinstance(value, str)]


def power_of_two(exponent: float) -> str:
    """2 to the exponent, which may be too small or too large for a float: -1000 is `9.3e-302`."""
    decimal = exponent * math.log10(2)
    return f"{10 ** (decimal - math.floor(decimal)):.1f}e{math.floor(decimal):+03d}"


def seeds(numbers: Sequence[int]) -> str:
    """Seeds as `--seeds` has them, what is next to each other together: `0-7,10`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups)


def duration(seconds: float) -> str:
    """A time as people say it: `42 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
