"""Predictions beside results, of runs made by hand: what is excluded, met and open, and by which rule."""

import json

import numpy as np
import pytest
from scipy.stats import t

from bottleneck_lab.errors import LabError
from bottleneck_lab.report.figures.predictions import predictions_figure
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

TEXT = """
question = "Why?"
source = "Sec. 3.2"
reported = "nothing"
against = "nothing"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 5, train.epochs = 2 }

[parts.images.axes.arm]
linear = { model.projection_activation = "linear" }
relu6 = { model.projection_activation = "relu6" }
"slope 0.1" = { model.projection_activation = { kind = "leaky", slope = 0.1 } }
"slope 0.5" = { model.projection_activation = { kind = "leaky", slope = 0.5 } }
gelu = { model.projection_activation = "gelu" }
noise = { model.projection_activation = { kind = "noise", variance = 0.223 } }
"linear, Adam" = { train.optimizer = "adam" }
"relu6, Adam" = { train.optimizer = "adam", model.projection_activation = "relu6" }

[parts.images.hypotheses]
information = "What no decoder gets back."

[parts.images.prediction_rule]
reference = "linear"
anchor = "relu6"
tolerance = 1.0
references = { "relu6, Adam" = "linear, Adam" }

[parts.images.predictions]
information = { relu6 = 8, "slope 0.1" = 0, "slope 0.5" = 0, gelu = 8, noise = 8 }
gradients = { relu6 = 8, "slope 0.1" = 6, "slope 0.5" = 1.5, gelu = 6, noise = 0, "relu6, Adam" = 0 }
"""

# What is lost here, in points: half as much as the file has, in the proportions of the second hypothesis.
LOST = {
    "linear": 0, "relu6": 4, "slope 0.1": 3, "slope 0.5": 0.75, "gelu": 3, "noise": 0,
    "linear, Adam": 20, "relu6, Adam": 20,
}  # fmt: skip


def result(run):
    luck = 0.01 * run.seed  # shared by all arms of a seed
    own = 0.0002 * ((7 * run.seed + len(run.variant)) % 5)
    return {"accuracy": 0.8 + luck + own - LOST[run.variant] / 100}


@pytest.fixture
def results(leave_runs):
    return collect(leave_runs(result, text=TEXT))


def found_in(results):
    [found] = summarise(results).predictions
    return found


def test_the_hypothesis_that_is_right_is_met_and_the_other_excluded_by_the_arms_that_tell(results):
    information, gradients = found_in(results).hypotheses
    assert gradients.verdict == "met"
    assert information.verdict == "excluded"
    assert information.excluded_by == ["slope 0.1", "noise"]  # gelu and slope 0.5 are within a point
    assert information.says == "What no decoder gets back."


def test_predictions_are_proportions_of_what_the_anchor_loses(results):
    arms = {arm.variant: arm for arm in found_in(results).arms}
    assert list(arms) == ["relu6", "slope 0.1", "slope 0.5", "gelu", "noise", "relu6, Adam"]
    noise = arms["noise"].predicted
    assert noise["information"].beyond == pytest.approx(-4, abs=0.1)  # 8 of 8 would have been 4 of 4
    assert noise["gradients"].beyond == pytest.approx(0, abs=0.1)
    assert arms["relu6, Adam"].lost == pytest.approx(0, abs=0.1)  # beside its own reference


def test_ranks_are_over_the_arms_that_a_hypothesis_or_a_covariate_speaks_of(results):
    found = found_in(results)
    information, gradients = found.hypotheses
    assert gradients.rank.arms == 6
    assert gradients.rank.estimate > 0.9
    assert gradients.rank.estimate > information.rank.estimate
    growth = next(one for one in found.covariates if one.name == "growth")
    assert growth.rank.arms == 5  # Adam is something else
    assert growth.rank.estimate > 0.9


def test_two_seeds_exclude_nothing(leave_runs):
    found = found_in(collect(leave_runs(result, text=TEXT.replace("seeds = 5", "seeds = 2"))))
    assert {hypothesis.verdict for hypothesis in found.hypotheses} == {"open"}


def test_a_prediction_that_misses_a_pair_is_open(leave_runs):
    def with_trouble(run):
        lost = run.variant == "linear" and run.seed == 0
        return {"status": "diverged", "accuracy": None} if lost else result(run)

    arms = {arm.variant: arm for arm in found_in(collect(leave_runs(with_trouble, text=TEXT))).arms}
    assert arms["slope 0.1"].predicted["information"].verdict == "open"
    # As much as the anchor loses is the anchor's accuracy, whatever the reference has.
    assert arms["noise"].predicted["information"].verdict == "excluded"


LOOKS = (
    TEXT.replace("{ seeds = 5,", "{ looks = [4, 8],")
    + """
[[parts.images.claims]]
id = "noise"
statement = "Noise costs accuracy."
source = "nowhere"
contrast = { linear = 1, noise = -1 }
margin = 0.001
"""
)


def test_with_planned_looks_an_arm_that_no_open_claim_needs_is_judged_by_the_first(leave_runs):
    found = found_in(collect(leave_runs(result, text=LOOKS)))
    arms = {arm.variant: arm for arm in found.arms}
    assert (arms["noise"].n_seeds, arms["slope 0.1"].n_seeds) == (8, 4)
    information, _ = found.hypotheses
    assert information.excluded_by == ["slope 0.1", "noise"]


def test_a_look_may_exclude_at_its_share_and_what_it_has_excluded_stays_so(leave_runs):
    def lucky_at_first(run):
        """Noise loses nothing over the first four seeds, and over all eight what information predicts."""
        lost = LOST[run.variant] if run.variant != "noise" else 0 if run.seed < 4 else 8
        return {**result(run), "accuracy": result(run)["accuracy"] + (LOST[run.variant] - lost) / 100}

    found = found_in(collect(leave_runs(lucky_at_first, text=LOOKS)))
    noise = next(arm for arm in found.arms if arm.variant == "noise")
    assert noise.lost == pytest.approx(4, abs=0.1)
    of = noise.predicted["information"]
    assert (of.verdict, of.beyond) == ("excluded", pytest.approx(-4, abs=0.1))  # as the first look saw it
    # A third of 5 % is the share of 4 seeds of 4 + 8; four predictions of this hypothesis are tested.
    spread = [100 * (result_of("noise", seed) - result_of("relu6", seed)) for seed in range(4)]
    half = t(3).isf(0.05 / 3 / 4 / 2) * np.std(spread, ddof=1) / 2
    assert of.high - of.low == pytest.approx(2 * half, rel=1e-6)


def test_a_look_that_is_under_way_changes_nothing(leave_runs):
    def at_second(run):
        under_way = run.variant == "noise" and run.seed == 7
        return {"status": "failed", "accuracy": None} if under_way else result(run)

    whole = found_in(collect(leave_runs(result, text=LOOKS.replace("[4, 8]", "[4]"))))
    found = found_in(collect(leave_runs(at_second, text=LOOKS)))
    of = [next(arm for arm in each.arms if arm.variant == "noise").predicted for each in (whole, found)]
    assert of[0]["gradients"].beyond == of[1]["gradients"].beyond  # over the first four seeds


def result_of(variant, seed):
    """Its accuracy but for what it loses."""
    return 0.0002 * ((7 * seed + len(variant)) % 5)


def test_without_an_anchor_points_are_points(leave_runs):
    text = TEXT.replace('anchor = "relu6"\n', "")
    _, gradients = found_in(collect(leave_runs(result, text=text))).hypotheses
    assert gradients.verdict == "excluded"  # twice as much was predicted as was lost
    assert set(gradients.excluded_by) == {"relu6", "slope 0.1", "gelu"}


def test_more_predictions_need_wider_intervals(leave_runs):
    def width(text):
        arm = next(a for a in found_in(collect(leave_runs(result, text=text))).arms if a.variant == "noise")
        return arm.predicted["gradients"].high - arm.predicted["gradients"].low

    fewer = TEXT.replace('gradients = { relu6 = 8, "slope 0.1" = 6,', "gradients = { relu6 = 8,")
    assert width(TEXT) > width(fewer)


def test_the_report_and_the_figure_say_it(results, leave_runs):
    summary = summarise(results)
    figure = predictions_figure(summary, "digits")
    assert [panel.get_title() for panel in figure.axes] == ["information: excluded", "gradients: met"]
    write_report(results.folder)
    text = (results.folder / "report.md").read_text(encoding="utf-8")
    assert "## Predictions: digits" in text
    assert "8.0 excluded" in text
    assert "What no decoder gets back." in text
    assert (results.folder / "predictions-digits.svg").exists()


def test_a_part_without_predictions_has_none(leave_runs):
    summary = summarise(collect(leave_runs()))
    assert summary.predictions == []
    assert "predictions" not in summary.to_json()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda part: part["prediction_rule"].update(reference="lin"), "about a variant that is not there"),
        (lambda part: part["predictions"]["information"].update(tanh=1), "about a variant that is not there"),
        (lambda part: part["predictions"]["information"].pop("relu6"), "predicts nothing of its anchor"),
    ],
)
def test_a_plan_whose_predictions_are_of_other_variants_is_refused(leave_runs, change, sentence):
    folder = leave_runs(result, text=TEXT)
    plan = json.loads((folder / "plan.json").read_text())
    change(plan["ablation"]["parts"]["images"])
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(LabError, match=sentence):
        collect(folder)
