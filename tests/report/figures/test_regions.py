"""What networks make of a spiral, of runs made by hand: the colours of cells, arms, and seeds."""

import matplotlib
import numpy as np
import pytest

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.data.spiral import spiral
from bottleneck_lab.records import files
from bottleneck_lab.report.drawing.style import for_phone
from bottleneck_lab.report.figures.regions import regions_figure
from bottleneck_lab.report.reading.collect import collect

SPIRAL = """
question = "Is a spiral told apart?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.spiral]
title = "Spirals"
model = { network = "toy", width = 2, blocks = 1 }
datasets.spiral.data = { points = 30, held_out = 1500 }
datasets.spiral.tiers.smoke = { seeds = 8, train.epochs = 2 }

[parts.spiral.axes.projection]
linear = { model.projection_activation = "linear" }
relu = { model.projection_activation = "relu" }
relu6 = { model.projection_activation = "relu6" }

[[parts.spiral.claims]]
id = "all"
statement = "Linear is better than both."
source = "nowhere"
contrast = { linear = 1, relu = -0.5, relu6 = -0.5 }
margin = 0.01

[[parts.spiral.claims]]
id = "two"
statement = "Linear is better than ReLU6."
source = "nowhere"
contrast = { linear = 1, relu6 = -1 }
margin = 0.01
"""


SPIRALS = SpiralSettings(dataset="spiral", points=30, held_out=1500)


def said(run):
    """Linear networks are right everywhere, the others call everything the first arm."""
    _, arms = spiral(SPIRALS, run.seed, "held_out")
    classes = arms.numpy().astype(np.uint8)
    return classes, classes if run.variant == "linear" else np.zeros_like(classes)


def right(run):
    classes, given = said(run)
    return classes == given


@pytest.fixture
def results(leave_runs):
    folder = leave_runs(correct=right, text=SPIRAL, dataset="spiral")
    for run in collect(folder).runs:
        files.write_array(folder / "runs" / run.id / "predictions.npy", said(run)[1])
    return folder


def drawn(folder, dataset="spiral"):
    return regions_figure(collect(folder), dataset)


def colours_of(panel):
    pixels = panel.get_images()[0].get_array().reshape(-1, 3)
    return {matplotlib.colors.to_hex(pixel) for pixel in pixels} - {"#ffffff"}


def test_a_row_is_an_arm_of_the_first_claim_about_two_and_a_column_one_of_the_first_seeds(results):
    panels = np.array(drawn(results).axes).reshape(2, 6)
    assert [row[0].get_ylabel() for row in panels] == ["linear", "relu6"]
    assert [panel.get_title() for panel in panels[0]] == [f"seed {seed}\n100 %" for seed in range(6)]
    assert {len(colours_of(panel)) for panel in panels[0]} == {3}
    assert {len(colours_of(panel)) for panel in panels[1]} == {1}
    assert {panel.get_title() for panel in panels[1]} == {"33 %"}


def test_a_cell_has_the_colour_of_its_points_and_stays_white_without_any(results):
    panel = drawn(results).axes[0]
    image = panel.get_images()[0]
    pixels, (left, right, *_) = image.get_array(), image.get_extent()
    run = next(run for run in collect(results).runs if (run.variant, run.seed) == ("linear", 0))
    points, arms = spiral(SPIRALS, run.seed, "held_out")
    cell = ((points.numpy() - left) / (right - left) * len(pixels)).astype(int)
    occupied = np.zeros(pixels.shape[:2], dtype=bool)
    occupied[cell[:, 1], cell[:, 0]] = True
    assert (pixels[~occupied] == 1).all()
    alone = [k for k in range(len(cell)) if (cell == cell[k]).all(1).sum() == 1]
    of_arm = {int(arms[k]): tuple(pixels[cell[k, 1], cell[k, 0]]) for k in alone}
    assert all(tuple(pixels[cell[k, 1], cell[k, 0]]) == of_arm[int(arms[k])] for k in alone)
    assert len(set(of_arm.values())) == 3


def test_a_phone_has_three_seeds(results):
    with for_phone():
        assert len(drawn(results).axes) == 6


@pytest.mark.parametrize("content", [None, b"damaged", np.zeros(3, np.uint8), np.zeros(1500, np.bool_)])
def test_without_what_networks_said_there_is_none(results, content):
    (left,) = (run for run in collect(results).runs if (run.variant, run.seed) == ("relu6", 2))
    path = results / "runs" / left.id / "predictions.npy"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        files.write_array(path, content)
    assert drawn(results) is None


def test_points_in_more_dimensions_have_none(leave_runs):
    text = SPIRAL.replace("held_out = 1500", "held_out = 1500, dimensions = 4")
    assert drawn(leave_runs(text=text, dataset="spiral")) is None


def test_images_have_none(leave_runs):
    assert drawn(leave_runs(), "digits") is None
