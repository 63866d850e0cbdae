from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from bottleneck_lab.instruments.collapse import OF_EVERY_REPORT
from bottleneck_lab.instruments.collapse.figure import PICTURES, TRIALS, draw_collapsed, draw_panels
from bottleneck_lab.instruments.collapse.measure import measure_collapse
from bottleneck_lab.manifold.invertibility import collapsed_in_theory
from bottleneck_lab.manifold.shapes import make_shape, spiral
from bottleneck_lab.published.publish import same_drawing
from bottleneck_lab.report.drawing.style import drawn_bytes, save


@pytest.fixture(scope="module")
def result():
    return measure_collapse(spiral(300), [2, 3, 30], trials=20)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.axison]


def curve_points(axes):
    (lines,) = (child for child in axes.get_children() if isinstance(child, LineCollection))
    return np.concatenate(lines.get_segments())


def test_the_panels_are_the_input_and_one_output_per_dim(result):
    figure = draw_panels(result, curve=True)
    assert titles(figure) == ["Input", "Output, dim = 2", "Output, dim = 3", "Output, dim = 30"]
    reach = [np.linalg.norm(curve_points(axes), axis=1).max() for axes in figure.axes[:4]]
    assert reach[0] == pytest.approx(62.8 * 299 / 300)
    for measured, collapse in zip(reach[1:], result.collapses, strict=True):
        assert measured == pytest.approx(np.linalg.norm(collapse.output, axis=1).max())


def test_every_point_of_a_cloud_is_drawn():
    cloud = measure_collapse(make_shape("swiss-roll", 60), [3], trials=2)
    first, second = draw_panels(cloud).axes[:2]
    assert np.array_equal(first.collections[0].get_offsets(), cloud.drawn[:, :2])
    assert np.array_equal(second.collections[0].get_offsets(), cloud.collapses[0].output[:, :2])


def test_points_on_a_line_are_drawn_on_a_line():
    line = measure_collapse(np.linspace(-1, 1, 50)[:, None], [1, 2], trials=2)
    assert (draw_panels(line).axes[0].collections[0].get_offsets()[:, 1] == 0).all()


def test_theorem_1_is_drawn_behind_the_measured_shares(result):
    axes = draw_collapsed(result).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    theory = lines["Theorem 1"]
    assert list(theory.get_xdata()) == list(range(2, 31))
    assert list(theory.get_ydata()) == [collapsed_in_theory(dim, 2) for dim in range(2, 31)]
    measured = lines["measured"]
    assert list(measured.get_xdata()) == [2, 3]
    assert list(measured.get_ydata()) == [collapse.collapsed for collapse in result.collapses[:2]]


def test_a_share_of_zero_is_marked_where_one_point_would_be(result):
    lines = {line.get_label(): line for line in draw_collapsed(result).axes[0].get_lines()}
    none = lines["measured: none (here: one)"]
    assert none.get_xydata().tolist() == [[30, 1 / (300 * 20)]]


def test_leaky_relu_has_no_line_to_draw():
    axes = draw_collapsed(measure_collapse(spiral(60), [2], trials=2, activation="leaky_relu")).axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["measured: none (here: one)"]


def test_the_same_result_gives_the_same_bytes(result, tmp_path):
    for name in ("one", "two"):
        save(draw_panels(result, curve=True), tmp_path / name / "panels")
        save(draw_collapsed(result), tmp_path / name / "collapsed")
    for file in ("panels.svg", "panels.png", "collapsed.svg", "collapsed.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_figures_that_come_with_the_package_are_what_is_drawn_today():
    result = measure_collapse(spiral(1000), trials=TRIALS)
    figures = draw_panels(result, curve=True), draw_collapsed(result)
    drawn = {
        f"{stem}{suffix}": content
        for stem, figure in zip(OF_EVERY_REPORT, figures, strict=True)
        for suffix, content in drawn_bytes(figure).items()
    }
    assert set(drawn) == {path.name for path in PICTURES.iterdir()}
    for name in (name for name in drawn if name.endswith(".svg")):
        assert same_drawing((PICTURES / name).read_text(), drawn[name].decode()), (
            f"{name} would be another: save these bytes in {PICTURES}"
        )
