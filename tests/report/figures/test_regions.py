"""What networks make of a spiral, of runs made by hand: the colours of cells, arms, and seeds."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from bottleneck_lab.config import SpiralSettings
from bottleneck_lab.data.spiral import spiral
from bottleneck_lab.records import files
from bottleneck_lab.report.drawing.style import COLOURS, PHONE, for_phone
from bottleneck_lab.report.figures.regions import CELLS, _draw, regions_figure
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


def test_a_phone_has_three_seeds_and_is_no_wider(results):
    with for_phone():
        figure = drawn(results)
    assert len(figure.axes) == 6
    assert figure.get_figwidth() <= PHONE


def test_most_points_of_a_cell_give_it_its_colour():
    panel = Figure().subplots()
    points = np.array([[0.0, 0.0]] * 5 + [[1.0, 1.0]])
    _draw(panel, points, np.array([2, 1, 2, 0, 2, 1], dtype=np.uint8))
    assert colours_of(panel) == {colour.lower() for colour in (COLOURS[2], COLOURS[1])}
    middle = panel.get_images()[0].get_array()[CELLS // 2, CELLS // 2]
    assert matplotlib.colors.to_hex(middle) == COLOURS[2].lower()


def test_headline_claims_come_first(leave_runs):
    text = SPIRAL + SPIRAL[SPIRAL.index('[[parts.spiral.claims]]\nid = "two"') :].replace(
        "relu6 = -1", "relu = -1"
    ).replace('id = "two"', 'id = "first"\nheadline = true')
    folder = leave_runs(correct=right, text=text, dataset="spiral")
    for run in collect(folder).runs:
        files.write_array(folder / "runs" / run.id / "predictions.npy", said(run)[1])
    assert [panel.get_ylabel() for panel in drawn(folder).axes[::6]] == ["linear", "relu"]


def test_each_variant_has_points_of_its_own_settings(leave_runs):
    text = SPIRAL.replace(
        'relu6 = { model.projection_activation = "relu6" }',
        'relu6 = { model.projection_activation = "relu6", data.turns = 0.25 }',
    )
    folder = leave_runs(correct=right, text=text, dataset="spiral")
    for run in collect(folder).runs:
        files.write_array(folder / "runs" / run.id / "predictions.npy", said(run)[1])
    panels = drawn(folder).axes
    pictures = [panel.get_images()[0].get_array() for panel in (panels[0], panels[6])]
    assert ((pictures[0] == 1).all(2) != (pictures[1] == 1).all(2)).any()


def test_names_that_are_long_are_wrapped(leave_runs):
    text = SPIRAL.replace("relu6 =", '"as many as between expansions" =', 1)
    text = text.replace("relu6 = -1", '"as many as between expansions" = -1').replace("relu6 = -0.5", "")
    text = text.replace("contrast = { linear = 1, relu = -0.5,  }", "contrast = { linear = 1, relu = -1 }")
    text = text.replace('id = "two"', 'id = "two"\nheadline = true')
    folder = leave_runs(correct=right, text=text, dataset="spiral")
    for run in collect(folder).runs:
        files.write_array(folder / "runs" / run.id / "predictions.npy", said(run)[1])
    assert drawn(folder).axes[6].get_ylabel() == "as many as\nbetween\nexpansions"


@pytest.mark.parametrize(
    "content",
    [None, b"damaged", np.zeros(3, np.uint8), np.zeros(1500, np.bool_), np.full(1500, 9, np.uint8)],
)
def test_without_what_networks_said_there_is_none(results, content):
    (left,) = (run for run in collect(results).runs if (run.variant, run.seed) == ("relu6", 2))
    path = results / "runs" / left.id / "predictions.npy"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        files.write_array(path, content)
    assert drawn(results) is None


def test_predictions_that_are_damaged_are_named(results):
    (left,) = (run for run in collect(results).runs if (run.variant, run.seed) == ("relu6", 2))
    (results / "runs" / left.id / "predictions.npy").write_bytes(b"damaged")
    assert [(stray.file, stray.why) for stray in collect(results).strays] == [
        (f"runs/{left.id}/predictions.npy", "is no vector of classes")
    ]


def test_points_in_more_dimensions_have_none(leave_runs):
    text = SPIRAL.replace("held_out = 1500", "held_out = 1500, dimensions = 4")
    assert drawn(leave_runs(text=text, dataset="spiral")) is None


def test_images_have_none(leave_runs):
    assert drawn(leave_runs(), "digits") is None
