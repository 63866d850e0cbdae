"""The paper's curves beside ours, of runs made by hand; and its numbers as the experiment files have them."""

import numpy as np
import pytest

from bottleneck_lab.config import load
from bottleneck_lab.report.figures.curves.cost import accuracy_against_madds
from bottleneck_lab.report.figures.curves.paper import curves_beside_paper
from bottleneck_lab.report.figures.of_results import figures_of
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect

TEXT = """
question = "Are shortcuts better than none, at every time?"
source = "Fig. 6b"
reported = "yes"
against = "no"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 10, train.epochs = 2 }
axes.placement.bottlenecks = { model.residual = "bottleneck" }
axes.placement.nowhere = { model.residual = "none" }
axes.placement.sandglass = { model.residual = "sandglass" }

[parts.images.paper]
data = "ImageNet"
source = "Fig. 6b"

[parts.images.paper.curves]
unit = "million steps"
reference = "bottlenecks"
top1.bottlenecks = [[1.5, 67.75], [2.5, 69.33], [7.0, 70.99]]
top1.nowhere = [[2.5, 66.00], [7.0, 69.60]]
"""

# Student's sleep data (1908), in hours: the differences have the mean 1.58 and the interval 0.7001 to 2.4599.
DRUG_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
DRUG_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def records(run):
    """Nothing lost after one epoch; after two, as much as the first drug loses to the second."""
    hours = {"bottlenecks": DRUG_2, "nowhere": DRUG_1}.get(run.variant, DRUG_1)[run.seed]
    return [{"epoch": 1, "accuracy": 0.25}, {"epoch": 2, "accuracy": 0.5 + hours / 100}]


@pytest.fixture
def results(leave_runs):
    return collect(leave_runs(records=records, text=TEXT))


@pytest.fixture
def panels(results):
    return curves_beside_paper(results, "digits").axes


def line(panel, place=0):
    return panel.get_lines()[place].get_xydata()


def test_what_is_lost_is_the_paired_difference_with_its_interval(panels):
    loss = panels[0]
    assert line(loss) == pytest.approx(np.array([[1, 0], [2, 1.58]]))
    band = loss.collections[0].get_paths()[0].vertices
    ends = sorted({round(y, 6) for x, y in band if x == 2})
    assert ends == pytest.approx([0.7001142, 2.4598858], abs=1e-6)


def test_the_papers_curves_stand_beside_ours_with_what_they_lose(panels):
    loss = panels[1]
    assert line(loss) == pytest.approx(np.array([[2.5, 3.33], [7.0, 1.39]]))  # the differences of Fig. 6b
    assert (loss.get_title(), loss.get_xlabel()) == ("the paper, ImageNet", "million steps")


def test_losses_are_compared_on_one_scale(panels):
    assert panels[0].get_ylim() == panels[1].get_ylim()


def test_variants_of_which_the_paper_has_no_curve_are_left_out(panels):
    assert [each.get_label() for each in panels[0].get_lines()[:-1]] == ["nowhere"]  # the last one is 0


def test_it_is_one_of_the_figures_of_a_report(results):
    assert "paper-digits" in [drawn.stem for drawn in figures_of(results, summarise(results), "digits")]


def test_without_curves_of_the_paper_or_runs_of_the_reference_there_is_no_figure(leave_runs):
    without = leave_runs(records=records, text=TEXT.split("[parts.images.paper]")[0])
    assert curves_beside_paper(collect(without), "digits") is None
    failed = leave_runs(
        lambda run: {"status": "failed"} if run.variant == "bottlenecks" else {}, records, text=TEXT
    )
    assert curves_beside_paper(collect(failed), "digits") is None


def test_an_epoch_that_a_run_has_not_recorded_is_not_compared(leave_runs):
    folder = leave_runs(
        records=lambda run: records(run)[: 1 if (run.variant, run.seed) == ("nowhere", 3) else 2], text=TEXT
    )
    assert line(curves_beside_paper(collect(folder), "digits").axes[0]) == pytest.approx(np.array([[1, 0]]))


@pytest.mark.parametrize(
    ("name", "other", "column"),
    [
        ("linear_vs_relu", "relu6, shortcut", 3),
        ("residual_placement", "between expansions", 1),
        ("residual_placement", "none", 2),
    ],
)
def test_the_curves_of_the_catalogue_lose_what_its_tables_say(name, other, column):
    paper = load(name).parts["images"].paper
    reference, curve = (dict(paper.curves.top1[of]) for of in (paper.curves.reference, other))
    rows = {float(row[0]): row[column] for row in paper.tables[-1].rows}
    compared = [time for time in curve if not isinstance(rows[time], str)]
    assert len(compared) >= 10
    for time in compared:
        assert reference[time] - curve[time] == pytest.approx(rows[time], abs=0.021)  # rounded twice
    late = [top1 for time, top1 in curve.items() if 6 <= time < 7]
    assert sum(late) / len(late) == pytest.approx(paper.top1[other], abs=0.05)


def test_the_points_of_fig_5_are_those_of_the_table_beside_it():
    paper = load("width_multiplier").parts["images"].paper
    (table,) = paper.tables
    found = {
        row[0] + " px": [f"{top1:.2f} ({madds:.2f})" for madds, top1 in paper.madds[row[0] + " px"]]
        for row in table.rows
    }
    assert found == {row[0] + " px": [cell for cell in row[1:] if cell != "-"] for row in table.rows}
    assert sum(map(len, paper.madds.values())) == 21  # four widths at five resolutions, and 1.4 at 224


def test_the_papers_accuracy_against_madds_stands_beside_ours(leave_runs):
    points = """
[parts.images.paper.madds]
"96 px" = [[11.95, 45.52], [56.30, 60.34]]
"224 px" = [[59.35, 60.28], [300.84, 71.81], [582.29, 74.96]]
"""
    text = TEXT.replace("[parts.images.paper.curves]", f"{points}\n[parts.images.paper.curves]")
    results = collect(leave_runs(text=text.replace('residual = "none"', "expansion = 1")))
    ours, theirs = accuracy_against_madds(results, summarise(results), "digits").axes
    assert {line.get_label() for line in theirs.get_lines()} == {"96 px", "224 px"}
    assert line(theirs, 1) == pytest.approx(
        np.array([[59.35e6, 60.28], [300.84e6, 71.81], [582.29e6, 74.96]])
    )
    assert (ours.get_title(), theirs.get_title()) == ("ours, digits", "the paper, ImageNet")
    shown = {float(x) for each in ours.get_lines() for x in each.get_xdata()}
    assert not shown & {59.35e6, 300.84e6}  # other data, other panel
