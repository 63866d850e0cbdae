import pytest
from here import execute

from bottleneck_lab.config import load
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace

TINY = """
question = "What does a tiny network look like inside?"
source = "nowhere"
reported = "nothing"
against = "nothing"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
model.expansion = 3
model.head_width = 16
model.stages = [{ t = 1, c = 4, n = 1, s = 2 }, { c = 8, n = 2, s = 2 }]
train = { batch_size = 32, learning_rate = 0.1, measure_every = 1 }
measures = ["below_zero", "above_six"]
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu6 = { model.projection_activation = "relu6" }
datasets.digits.data = { crop_padding = 1, flip = false, train_images = 160, held_out_images = 100 }
datasets.digits.tiers.smoke = { seeds = 2, train.epochs = 3 }
"""


@pytest.fixture(scope="session")
def digits_results(tmp_path_factory):
    """The results folder of a tiny ablation on digits: two projections, two seeds, all runs done."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(TINY)
    plan = make_plan(load(str(folder / "tiny.toml")), "smoke", Data(("digits",)), None, {})
    results = folder / "results" / "tiny" / "smoke"
    plan.write(results)
    execute(plan_jobs(plan.runs()), Workplace(results, "cpu"), 1, lambda event: None)
    return results
