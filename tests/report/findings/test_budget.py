"""Two arms along training length, of runs made by hand: gaps, time stretches, and what rules make of them."""

import functools
import json
import math
import operator

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.figures.budget import budget_figure
from bottleneck_lab.report.figures.curves.differences import accuracy_differences
from bottleneck_lab.report.findings.budget import stretch_ends, stretch_text
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

TEXT = """
question = "What is left of the gap?"
source = "Fig. 6a"
reported = "half"
against = "nothing"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 4 }
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu6 = { model.projection_activation = "relu6" }
axes.budget."8 epochs" = { train.epochs = 8 }
axes.budget."16 epochs" = { train.epochs = 16 }
axes.budget."32 epochs" = { train.epochs = 32 }
axes.budget."64 epochs" = { train.epochs = 64 }

[parts.images.budget]
axis = "budget"
arms = "projection"
fast = "linear"
slow = "relu6"
rules = { early = "16 epochs", before = "32 epochs", late = "64 epochs" }
"""


CLAIM = """
[[parts.images.claims]]
id = "after_{length}"
statement = "ReLU6 is behind after {length} epochs."
source = "nowhere"
contrast = {{ "linear, {length} epochs" = 1, "relu6, {length} epochs" = -1 }}
margin = 0.01
"""


def slower_by(factor, gap):
    """Results of a ReLU6 that needs `factor` times the epochs, and is less accurate by `gap(epochs)`."""

    def result(run):
        slow, epochs = run.variant.startswith("relu6"), run.train.epochs
        noise = 0.001 * run.seed  # the same for both of a pair
        loss = 3 - 0.4 * math.log2(epochs / (factor if slow else 1)) + noise
        return {"accuracy": 0.7 + noise - slow * (gap(epochs) + noise / 10), "loss": loss, "epochs": epochs}

    return result


def budget_of(leave_runs, factor, gap):
    results = collect(leave_runs(slower_by(factor, gap), text=TEXT))
    [found] = summarise(results).budgets
    return found


def test_a_gap_that_halves_at_one_time_stretch_is_a_matter_of_speed(leave_runs):
    found = budget_of(leave_runs, 1.5, lambda epochs: 0.64 / epochs)
    assert [row.gap for row in found.lengths] == pytest.approx([0.08015, 0.04015, 0.02015, 0.01015], abs=1e-5)
    assert [stretch_text(row.stretch) for row in found.lengths] == ["≥ 1.00", *["1.50"] * 3]
    assert stretch_ends(found.lengths[2].stretch) == "[1.50, 1.50]"
    assert found.rules.verdict == "By the rules written before: speed."


def test_a_gap_of_some_points_that_no_longer_shrinks_is_a_loss_that_stays(leave_runs):
    found = budget_of(leave_runs, 1.5, lambda epochs: 0.02)
    assert found.rules.verdict == "By the rules written before: a loss stays."


def test_a_gap_that_shrinks_but_not_by_half_leaves_the_question_open(leave_runs):
    found = budget_of(leave_runs, 1.5, lambda epochs: 0.08 - 0.01 * math.log2(epochs))
    assert found.rules.verdict == "By the rules written before: open."


def test_the_figure_and_the_report_say_it(leave_runs):
    folder = leave_runs(slower_by(1.5, lambda epochs: 0.64 / epochs), text=TEXT)
    write_report(folder)
    assert (folder / "budget-digits.png").exists()
    assert "By the rules written before: speed." in (folder / "report.md").read_text()
    results = collect(folder)
    gap, stretch = budget_figure(results, summarise(results), "digits").axes
    assert list(gap.lines[0].get_xdata()) == [8, 16, 32, 64]
    assert list(stretch.lines[0].get_xdata()) == [16, 32, 64]  # at the shortest length there is only a bound
    assert list(stretch.lines[0].get_ydata()) == pytest.approx([1.5] * 3)


def test_over_training_the_longest_is_drawn_alone(leave_runs):
    def records(run):
        behind = 0.03 * run.variant.startswith("relu6")
        epochs = range(4, run.train.epochs + 1, 4)
        return [{"epoch": epoch, "accuracy": epoch / 100 - behind} for epoch in epochs]

    claims = "".join(CLAIM.format(length=length) for length in (8, 16, 64))
    figure = accuracy_differences(collect(leave_runs(text=TEXT + claims, records=records)), "digits")
    [panel] = [panel for panel in figure.axes if panel.get_visible()]
    [line] = panel.get_lines()
    assert list(line.get_xdata()) == [*range(4, 65, 4)]
    assert list(line.get_ydata()) == pytest.approx([-3] * 16)  # points


def test_before_any_run_is_finished_nothing_is_said(leave_runs):
    results = collect(leave_runs(lambda run: {"status": "failed"}, text=TEXT))
    [found] = summarise(results).budgets
    assert found.rules is None
    assert {row.gap for row in found.lengths} == {None}
    assert budget_figure(results, summarise(results), "digits") is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('fast = "linear"', 'fast = "linaer"', "budget.fast: 'linaer' is no level of projection"),
        ('slow = "relu6"', 'slow = "linear"', "budget.slow: must be another arm than the fast one"),
        ('axis = "budget"', 'axis = "width"', "budget.axis: 'width' is no axis"),
        ('arms = "projection"', 'arms = "budget"', "budget.arms: must be another axis"),
        ('late = "64 epochs"', 'late = "64"', "budget.rules.late: '64' is no level of budget"),
        (
            "{ train.epochs = 8 }",
            "{ train.evaluate_every = 8 }",
            "budget.axis: '8 epochs' sets no train.epochs",
        ),
    ],
)
def test_a_budget_that_does_not_fit_its_axes_is_refused_with_the_key(tmp_path, old, new, complaint):
    path = tmp_path / "grid.toml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(LabError) as refused:
        load(str(path))
    assert f"parts.images.{complaint}" in str(refused.value)


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        (("budget", "axis"), "length", "has no level of length or projection"),
        (("budget", "slow"), "relu", "name one that an arm does not have"),
        (("budget", "rules", "late"), "9 epochs", "name one that an arm does not have"),
    ],
)
def test_a_plan_whose_budget_is_of_other_variants_is_refused(leave_runs, where, value, sentence):
    folder = leave_runs(slower_by(2, lambda epochs: 0.05), text=TEXT)
    plan = json.loads((folder / "plan.json").read_text())
    *path, last = where
    functools.reduce(operator.getitem, path, plan["ablation"]["parts"]["images"])[last] = value
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(LabError, match=sentence):
        collect(folder)


@pytest.mark.parametrize("epochs", [math.nan, 0, True, "8", None])
def test_a_plan_that_does_not_say_how_long_to_train_is_refused(leave_runs, epochs):
    text = TEXT.replace("rules = {", "# rules = {")
    folder = leave_runs(slower_by(2, lambda epochs: 0.05), text=text)
    plan = json.loads((folder / "plan.json").read_text())
    plan["variants"][0]["settings"]["train"]["epochs"] = epochs
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(LabError, match="is not told how long to train"):
        collect(folder)


def test_a_plan_in_which_a_length_of_the_rules_is_not_the_same_for_both_arms_is_refused(leave_runs):
    folder = leave_runs(slower_by(2, lambda epochs: 0.05), text=TEXT)
    plan = json.loads((folder / "plan.json").read_text())
    late = plan["ablation"]["parts"]["images"]["budget"]["rules"]["late"]
    one = next(variant for variant in plan["variants"] if late in variant["levels"].values())
    one["settings"]["train"]["epochs"] += 1
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(LabError, match="name one that an arm does not have"):
        collect(folder)
