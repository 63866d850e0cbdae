from __future__ import annotations

import pytest

from bottleneck_lab.instruments.patterns.figure import draw_patterns
from bottleneck_lab.manifold.positives import PAPER, Positives
from bottleneck_lab.report.drawing.style import save

OURS = (Positives(48, 8, 6, 24.0, 40, 4.0), Positives(72, 12, 18, 35.0, 54, 5.0))


@pytest.fixture
def figure():
    return draw_patterns({"unnormalised": OURS, "initial": OURS, "trained": OURS})


def lines(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines()}


def test_ours_are_drawn_as_shares_of_the_channels(figure):
    for axes in figure.axes[:3]:
        drawn = lines(axes)
        assert drawn["min"] == pytest.approx([6 / 48, 18 / 72])
        assert drawn["mean"] == pytest.approx([24 / 48, 35 / 72])
        assert drawn["max"] == pytest.approx([40 / 48, 54 / 72])
        assert drawn["threshold n/m"] == pytest.approx([1 / 6, 1 / 6])


def test_the_papers_own_figure_is_below_ours_where_there_is_one(figure):
    step_0, none, trained = figure.axes[3:]
    assert not none.axison
    for axes, state in ((step_0, "unnormalised"), (trained, "trained")):
        drawn = lines(axes)
        assert drawn["mean"] == pytest.approx([layer.mean / layer.channels for layer in PAPER[state]])
        assert drawn["min"] == pytest.approx([layer.minimum / layer.channels for layer in PAPER[state]])


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save(draw_patterns({"trained": OURS}), tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert first == second
