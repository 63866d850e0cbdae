"""Choosing a learning rate for each arm, by trials whose accuracies are made by hand."""

import json
import math

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.report.figures.tuning import tuning_figure
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.tuning import tune

TEXT = """
question = "Which is better, each at its own rate?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 2 }
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu6 = { model.projection_activation = "relu6" }
axes.budget."3 epochs" = { train.epochs = 3 }
axes.budget."6 epochs" = { train.epochs = 6 }

[parts.images.tuning]
arms = "projection"
shared = 0.1
grid = [0.05, 0.1, 0.2]
seeds = [900, 901]
train.epochs = 2
data.tuning_images = 200
"""


@pytest.fixture
def ablation(tmp_path):
    path = tmp_path / "rates.toml"
    path.write_text(TEXT)
    return load(str(path))


class Trainer:
    """Leaves, in place of a training, an accuracy that is highest at the best rate of its arm."""

    def __init__(self, results, **best):
        self.results, self.best, self.runs = results, best, []

    def __call__(self, jobs):
        for run in (run for job in jobs for run in job.unfinished(self.results)):
            arm, rate = run.variant.split(", ")[0], run.train.learning_rate
            accuracy = 0.8 - 0.05 * abs(math.log2(rate / self.best[arm])) + 0.001 * run.seed / 901
            self.runs.append(run)
            content = {"status": "done", "accuracy": accuracy, "loss": 1 - accuracy}
            files.write_json(self.results / "runs" / run.id / "result.json", content)


def tuned_to(ablation, results, **best):
    trainer = Trainer(results, **best)
    return tune(ablation, "smoke", "digits", {}, results, trainer), trainer


def test_every_arm_gets_the_rate_that_is_best_for_it(ablation, tmp_path):
    tuned, trainer = tuned_to(ablation, tmp_path, linear=0.1, relu6=0.1)
    assert tuned.chosen == {"linear": 0.1, "relu6": 0.1}
    assert len(trainer.runs) == 2 * 3 * 2
    assert {run.seed for run in trainer.runs} == {900, 901}
    assert all((run.train.epochs, run.data.tuning_images) == (2, 200) for run in trainer.runs)


def test_the_grid_grows_for_all_arms_while_the_best_of_one_lies_at_its_edge(ablation, tmp_path):
    tuned, trainer = tuned_to(ablation, tmp_path, linear=0.8, relu6=0.05)
    assert tuned.chosen == {"linear": 0.8, "relu6": 0.05}
    assert tuned.grid == (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    assert tuned.at_edge == ()
    assert len(trainer.runs) == len({run.id for run in trainer.runs}) == 2 * 7 * 2
    assert len(tuned.scores("linear")) == len(tuned.scores("relu6")) == 14


def test_a_grid_that_may_not_grow_further_says_whose_best_lies_at_its_edge(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path, linear=100, relu6=0.1)
    assert len(tuned.grid) == 9
    assert tuned.at_edge == ("linear",)


def test_started_again_it_trains_nothing_and_chooses_alike(ablation, tmp_path):
    first, _ = tuned_to(ablation, tmp_path, linear=0.4, relu6=0.1)
    again, trainer = tuned_to(ablation, tmp_path, linear=0.4, relu6=0.1)
    assert trainer.runs == []
    assert again.hash == first.hash
    assert json.loads((tmp_path / "digits.json").read_text())["hash"] == first.hash


def test_of_equal_rates_the_one_nearest_to_the_shared_is_chosen(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path, linear=0.1, relu6=0.1)
    level = tuned.model_copy(
        update={"trials": tuple(t.model_copy(update={"accuracy": 0.5}) for t in tuned.trials)}
    )
    assert level.best("linear") == 0.1


def test_a_trial_that_diverged_counts_as_guessing(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path, linear=0.1, relu6=0.1)
    lost = tuned.model_copy(
        update={"trials": tuple(t.model_copy(update={"accuracy": None}) for t in tuned.trials)}
    )
    assert lost.mean("linear", 0.1) == pytest.approx(0.1)  # ten digits


def test_a_trial_that_failed_is_named(ablation, tmp_path):
    def failing(jobs):
        for run in (run for job in jobs for run in job.runs):
            content = {"status": "failed", "reason": "no room"}
            files.write_json(tmp_path / "runs" / run.id / "result.json", content)

    with pytest.raises(LabError, match=r"linear, 0.05, seed 900\): no room; start again"):
        tune(ablation, "smoke", "digits", {}, tmp_path, failing)


def test_the_comparison_trains_every_arm_at_its_own_rate_and_its_plan_names_the_choice(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path / "tuning", linear=0.4, relu6=0.05)
    plan = make_plan(ablation, "smoke", Data(("digits",)), None, {}, [tuned])
    rates = {run.variant: run.train.learning_rate for run in plan.runs()}
    assert rates == {
        "linear, 3 epochs": 0.4,
        "linear, 6 epochs": 0.4,
        "relu6, 3 epochs": 0.05,
        "relu6, 6 epochs": 0.05,
    }
    assert all(run.data.tuning_images == 0 for run in plan.runs())
    plan.write(tmp_path)
    [record] = json.loads((tmp_path / "plan.json").read_text())["tuning"]
    assert record["hash"] == tuned.hash
    assert len(record["trials"]) == len(tuned.trials)


def test_what_set_says_counts_more_than_what_was_chosen(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path, linear=0.4, relu6=0.05)
    variants = ablation.variants("smoke", ["digits"], {"train": {"learning_rate": 0.3}}, [tuned])
    assert {variant.settings.train.learning_rate for variant in variants} == {0.3}


def test_a_seed_that_rates_were_chosen_with_may_not_judge_them(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path, linear=0.1, relu6=0.1)
    with pytest.raises(LabError, match="--seeds: settings are chosen with the seed 901"):
        make_plan(ablation, "smoke", Data(("digits",)), [0, 901], {}, [tuned])


def test_the_report_prints_own_and_shared_rates_and_the_whole_grid(ablation, tmp_path):
    tuned, _ = tuned_to(ablation, tmp_path / "tuning", linear=0.4, relu6=0.05)
    plan = make_plan(ablation, "smoke", Data(("digits",)), None, {}, [tuned])
    plan.write(tmp_path)
    write_report(tmp_path)
    report = (tmp_path / "report.md").read_text()
    grid = next(line for line in report.splitlines() if line.startswith("| projection | 0.025"))
    assert grid == "| projection | 0.025 | 0.05 | 0.1 | 0.2 | 0.4 | 0.8 |"
    # Linear has 80 % at its own rate and 70 % at the shared one, two factors of two away.
    [row] = [line for line in report.splitlines() if line.startswith("| linear | 0.4 |")]
    assert row.startswith("| linear | 0.4 | 80.1 % | 70.1 % |")
    _, best = tuning_figure(collect(tmp_path), "digits").axes
    assert len(best.lines) == 2
    assert list(best.lines[0].get_xdata()) == list(range(1, 13))
    assert (tmp_path / "tuning-digits.png").exists()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[0.05, 0.1, 0.2]", "[0.05, 0.1, 0.3]", "tuning.grid: the values must rise by one ratio"),
        ('arms = "projection"', 'arms = "activation"', "tuning.arms: 'activation' is no axis"),
        ("[900, 901]", "[1]", "tiers.smoke.tuning.seeds: 1 is a seed of the comparison, too"),
        ("data.tuning_images = 200", "", "tuning: data.tuning_images is not set"),
        ("train.epochs = 2", "train.epoch = 2", "tuning.train.epoch: unknown key"),
        ('"projection"\n', '"projection"\nsetting = "learning_rate"\n', "tuning.setting"),
    ],
)
def test_a_tuning_that_could_not_be_is_refused_with_the_key(tmp_path, old, new, complaint):
    path = tmp_path / "rates.toml"
    assert TEXT.count(old) == 1
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(LabError) as refused:
        load(str(path))
    assert complaint in str(refused.value)
