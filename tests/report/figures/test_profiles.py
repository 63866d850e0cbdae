"""Measures block by block, of runs made by hand."""

import math

import pytest

from bottleneck_lab.report.drawing.style import for_phone
from bottleneck_lab.report.figures.profiles import profiles_figure
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect

TEXT = """
question = "Does a measure go from block to block?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.images]
title = "Images"
measures = ["clipped", "gradient_growth"]
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 3, train.epochs = 2 }

[[parts.images.claims]]
id = "faster"
headline = true
statement = "Faster is better."
source = "nowhere"
contrast = { "rate 3" = 1, "rate 1" = -1 }
margin = 0.01

[parts.images.axes.rate]
"rate 1" = { train.learning_rate = 0.1 }
"rate 2" = { train.learning_rate = 0.2 }
"rate 3" = { train.learning_rate = 0.3 }
"""


def records(run):
    """In the first block a share of 0.2, 0.3, 0.4 by seed; gradients that halve from block to block."""
    first = {"epoch": 1, "accuracy": 0.4, "blocks_at_start": {"clipped": [0.5, 0.5, 0.5]}}
    last = {"epoch": 2, "accuracy": 0.5, "measures": {"clipped": 0.3}}
    last["blocks"] = {"clipped": [0.2 + run.seed / 10, 0.5, 0.6], "gradient_growth": [8.0, 4.0, 2.0]}
    return [first, last]


def drawn(folder):
    results = collect(folder)
    return profiles_figure(results, summarise(results), "digits")


def lines_of(panel, style):
    return [line for line in panel.get_lines() if line.get_linestyle() == style]


def test_lines_are_means_over_seeds_from_the_first_block_to_the_last_and_dotted_before_training(leave_runs):
    figure = drawn(leave_runs(records=records, text=TEXT))
    clipped, gradients = figure.axes
    assert {tuple(line.get_xdata()) for line in clipped.get_lines()} == {(1, 2, 3)}
    for line in lines_of(clipped, "-"):
        assert line.get_ydata() == pytest.approx([30, 50, 60])
    for line in lines_of(clipped, ":"):
        assert line.get_ydata() == pytest.approx([50, 50, 50])
    for line in lines_of(gradients, "-"):
        assert line.get_ydata() == pytest.approx([4, 2, 1])
    assert lines_of(gradients, ":") == []
    assert "dotted: before training" in figure.get_supxlabel()


def test_what_is_no_list_of_numbers_is_left_out(leave_runs):
    def damaged(run):
        wrong = [0.9, "half", 0.9] if run.seed == 2 else [0.2, 0.5, math.nan if run.seed == 1 else 0.6]
        return [{"epoch": 2, "accuracy": 0.5, "blocks": {"clipped": wrong}}]

    [clipped] = drawn(leave_runs(records=damaged, text=TEXT)).axes
    for line in lines_of(clipped, "-"):
        assert line.get_ydata() == pytest.approx([20, 50, 60])


def test_of_many_variants_those_of_the_headline_have_colours(leave_runs):
    more = "".join(f'"rate {place}" = {{ train.learning_rate = 0.{place} }}\n' for place in range(4, 10))
    clipped, _ = drawn(leave_runs(records=records, text=TEXT + more)).axes
    named = [line.get_label() for line in clipped.get_lines() if not line.get_label().startswith("_")]
    assert named == ["rate 1", "rate 3"]
    assert len(clipped.get_lines()) == 7 + 2 * 2


def test_without_blocks_there_is_no_figure(leave_runs):
    assert drawn(leave_runs(records=lambda run: [{"epoch": 2, "accuracy": 0.5}], text=TEXT)) is None


def test_on_a_phone_panels_stand_above_each_other(leave_runs):
    folder = leave_runs(records=records, text=TEXT)
    with for_phone():
        figure = drawn(folder)
    first, second = (panel.get_gridspec().ncols for panel in figure.axes)
    assert (first, second) == (1, 1)
