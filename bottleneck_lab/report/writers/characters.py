"""A forest of claims in characters, for terminals and for Markdown."""

from __future__ import annotations

from bottleneck_lab.report.document import Bar, Forest


def axis_line(forest: Forest, width: int) -> str:
    """The numbers at both ends of an axis so many characters wide, and 0 where it lies between them."""
    low, high = forest.axis
    line = [" "] * width
    for text, at in (("0", _place(0.0, forest, width)), (f"{low:+.3g}", 0), (f"{high:+.3g}", width)):
        begin = max(0, min(at - len(text) // 2, width - len(text)))
        around = line[max(0, begin - 1) : begin + len(text) + 1]
        if set(around) == {" "}:
            line[begin : begin + len(text)] = text
    return "".join(line)


def bar_line(bar: Bar, forest: Forest, width: int) -> str:
    """A claim on its axis: `[---]` is the interval, `o` the estimate, `|` 0, `P` the paper's number."""
    line = [" "] * width
    if bar.low is not None and bar.high is not None:
        begin, end = _place(bar.low, forest, width), _place(bar.high, forest, width)
        line[begin : end + 1] = "-" * (end + 1 - begin)
        line[begin], line[end] = "[", "]"
    line[_place(0.0, forest, width)] = "|"
    for _, points in bar.predicted:
        line[_place(points, forest, width)] = "^"
    if bar.paper is not None:
        line[_place(bar.paper, forest, width)] = "P"
    if bar.estimate is not None:
        line[_place(bar.estimate, forest, width)] = "o"
    return "".join(line)


def _place(value: float, forest: Forest, width: int) -> int:
    low, high = forest.axis
    return max(0, min(width - 1, round((value - low) / (high - low) * (width - 1))))


def legend(forest: Forest) -> str:
    """What the characters are, as far as the forest has them."""
    said = ["[--o--] interval and estimate", "| is 0"]
    said += ["P the paper's number"] if any(bar.paper is not None for bar in forest.bars) else []
    said += ["^ a prediction"] if any(bar.predicted for bar in forest.bars) else []
    return ", ".join(said)


def forest_lines(forest: Forest, width: int = 28) -> str:
    """The whole forest, a line a claim: `name  verdict  plot  estimate [interval]`."""
    names = max(len(bar.name) for bar in forest.bars)
    head = " " * (names + 16) + axis_line(forest, width).rstrip()
    rows = [
        f"{bar.name:<{names}}  {bar.verdict + '*' * bar.open:<13} {bar_line(bar, forest, width)} {bar.found}"
        for bar in forest.bars
    ]
    return "\n".join([head, *rows])
