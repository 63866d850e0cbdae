from __future__ import annotations

import pytest

from bottleneck_lab.instruments.bench.costs import (
    AS_BUILT,
    CHANNELS,
    CHANNELS_AND_ROWS,
    PLAIN,
    NetworkCost,
    SplitCost,
    Spread,
)
from bottleneck_lab.instruments.bench.figure import draw_networks, draw_split
from bottleneck_lab.report.drawing.style import save


def split_cost(way: str, parts: int | None, megabytes: float, times: float) -> SplitCost:
    spread = Spread(times, times - 0.1, times + 0.2)
    return SplitCost(way, parts, round(1e6 * megabytes), 0, None, spread, spread, 0.0)


SPLIT = [
    split_cost(AS_BUILT, None, 20, 1.5),
    split_cost(PLAIN, None, 10, 1),
    *(split_cost(CHANNELS, parts, 8 / parts, parts) for parts in (1, 2, 4)),
    *(split_cost(CHANNELS_AND_ROWS, parts, 4 / parts, 2 * parts) for parts in (1, 2, 4)),
]

NETWORKS = [
    NetworkCost(
        name, width, resolution, batch, 1, resolution * 10**6, 2_000_000 * batch, Spread(0.5, 0.4, 0.7)
    )
    for name in ("one", "other")
    for width in (0.5, 1.0)
    for resolution in (224, 96)
    for batch in (1, 32)
]


def heights(axes, dotted):
    return [line.get_ydata()[0] for line in axes.get_lines() if (line.get_linestyle() == ":") == dotted]


def test_memory_and_time_stand_against_the_parts():
    memory, times = draw_split(SPLIT).axes
    curves = [line for line in memory.get_lines() if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in curves] == [[1, 2, 4], [1, 2, 4]]
    assert [list(line.get_ydata()) for line in curves] == [[8, 4, 2], [4, 2, 1]]
    medians, bars = [], []
    for container in times.containers:
        medians.append(list(container[0].get_ydata()))
        bars.append([tuple(segment[:, 1]) for segment in container[2][0].get_segments()])
    assert medians == [[1, 2, 4], [2, 4, 8]]
    assert bars[0][1] == pytest.approx((1.9, 2.2))


def test_what_a_split_may_take_is_marked():
    memory, times = draw_split(SPLIT).axes
    assert heights(memory, dotted=True) == pytest.approx([10, 4, 20])
    assert heights(times, dotted=True) == pytest.approx([1, 1.5])


def test_networks_are_drawn_for_one_image_each():
    figure = draw_networks(NETWORKS)
    single, batch = figure.axes
    assert [axes.get_title() for axes in (single, batch)] == ["batch 1", "batch 32"]
    for axes, milliseconds in ((single, 500), (batch, 500 / 32)):
        *networks, proportion = axes.get_lines()
        assert len({line.get_color() for line in networks}) == 2
        for points in networks:
            assert list(points.get_xdata()) == [96, 96, 224, 224]  # two widths
            assert list(points.get_ydata()) == [milliseconds] * 4
        assert list(proportion.get_ydata()) == pytest.approx([milliseconds * 96 / 224, milliseconds])
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["one", "other", "in proportion to MAdds"]


@pytest.mark.parametrize(("draw", "costs"), [(draw_split, SPLIT), (draw_networks, NETWORKS)])
def test_the_same_numbers_give_the_same_bytes(draw, costs, tmp_path):
    for name in ("one", "two"):
        save(draw(costs), tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert first == second
