"""What a page is told of a figure: numbers, places and names; and one colour for an activation."""

import itertools

import pytest
from findings_by_hand import a_variant

from bottleneck_lab.report.drawing.lines import ACTIVATIONS, look
from bottleneck_lab.report.drawing.shown import mark_arm, points_of
from bottleneck_lab.report.drawing.style import drawn_svg, styled, subplots


def test_points_have_their_numbers_and_stand_where_the_svg_has_them():
    with styled():
        figure, panel = subplots(figsize=(4, 3))
        (line,) = panel.plot([1, 2, 3], [10, 30, 20])
        mark_arm(line, "relu", [9, 29, 19], [11, 31, float("nan")])
    svg = drawn_svg(figure).decode()
    first, second, third = points_of(figure)
    assert (first.arm, first.x, first.y, first.low, first.high) == ("relu", 1, 10, 9, 11)
    assert third.high is None
    assert first.left < second.left < third.left
    assert second.top < third.top < first.top  # an SVG counts from above
    path = svg[svg.index('id="arm-') :]
    left, top = map(float, path[path.index('d="M') + 4 :].split()[:2])
    assert (left, top) == pytest.approx((first.left, first.top), abs=0.1)


def variants(*axes):
    names = [f"axis {place}" for place in range(len(axes))]
    return [a_variant(levels=dict(zip(names, levels, strict=True))) for levels in itertools.product(*axes)]


def test_an_activation_has_its_colour_and_marker_whatever_it_stands_beside():
    seen = {}
    for axes in (
        (["linear", "relu6", "relu"], ["shortcut", "no shortcut"]),
        (["relu", "leaky relu", "linear"],),
        (["MobileNetV2", "ResNet"], ["linear", "relu"]),
        (["linear", "relu6", "relu6 after addition"],),
    ):
        every = variants(*axes)
        looks = [look(each, every) for each in every]
        assert len(set(looks)) == len(every)
        for each, drawn in zip(every, looks, strict=True):
            for level in each.levels.values():
                if level in ACTIVATIONS:
                    assert seen.setdefault(level, (drawn.colour, drawn.marker)) == (
                        drawn.colour,
                        drawn.marker,
                    )
    assert len(set(seen.values())) == len(seen) == 4
