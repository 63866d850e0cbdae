import functools
import json

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.records import files
from bottleneck_lab.runs.plan import Data, make_plan

# Small networks on digits, of which only the plan is needed: runs are written by hand.
GRID = """
question = "Does a grid of variants come out in tables and figures?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.images]
title = "Images"
heat_map = ["expansion", "placement"]
measures = ["below_zero", "lost_int8"]
without = ["t=4, nowhere"]
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1, measure_every = 1 }
datasets.digits.tiers.smoke = { seeds = 3, train.epochs = 2 }

[parts.images.axes.expansion]
"t=2" = { model.expansion = 2 }
"t=4" = { model.expansion = 4 }

[parts.images.axes.placement]
bottlenecks = { model.residual = "bottleneck" }
nowhere = { model.residual = "none" }
sandglass = { model.residual = "sandglass" }

[parts.images.paper]
data = "ImageNet"
source = "Fig. 6b"
top1 = { "t=2, bottlenecks" = 71.06, "t=2, nowhere" = 69.55 }

[[parts.images.paper.tables]]
title = "Table 4, in part"
columns = ["network", "top 1", "MAdds"]
rows = [["MobileNetV1", 70.6, "575M"], ["MobileNetV2", 72.0, "300M"]]

[[parts.images.claims]]
id = "shortcuts"
statement = "Shortcuts are better than none."
source = "Fig. 6b"
contrast = { "t=2, bottlenecks" = 1, "t=2, nowhere" = -1 }
margin = 0.01
paper = 1.51

[[parts.images.claims]]
id = "bits"
statement = "With shortcuts, more is lost in 8 bits."
source = "nowhere"
measure = "lost_int8"
contrast = { "t=2, bottlenecks" = 1, "t=2, nowhere" = -1 }
margin = 0.01
"""


@pytest.fixture
def planned_before():
    """A function that makes a folder one that was planned before plans had designs."""

    def forget(results):
        plan = json.loads((results / "plan.json").read_text())
        del plan["designs"]
        (results / "plan.json").write_text(json.dumps(plan))
        return results

    return forget


@pytest.fixture(scope="session")
def leave_runs_in():
    """A function that leaves the folder of an ablation in a folder; its runs are as they are told to be.

    `result(run)` is added to a run's result, `records(run)` are its epochs, `correct(run)` what it got right.
    """

    def leave(
        place,
        result=lambda run: {},
        records=lambda run: [],
        correct=lambda run: None,
        text=GRID,
        dataset="digits",
    ):
        (place / "grid.toml").write_text(text)
        plan = make_plan(load(str(place / "grid.toml")), "smoke", Data((dataset,)), None, {})
        results = place / "results"
        plan.write(results)
        for run in plan.runs():
            folder = results / "runs" / run.id
            content = {"status": "done", "accuracy": 0.75, "epochs": 2, **result(run)}
            if (answers := correct(run)) is not None:
                files.write_array(folder / "correct.npy", answers)
                content["accuracy"] = float(answers.mean())
            files.write_json_lines(folder / "metrics.jsonl", records(run))
            files.write_json(folder / "result.json", content)
        return results

    return leave


@pytest.fixture
def leave_runs(leave_runs_in, tmp_path):
    """The same in a folder of the test's own."""
    return functools.partial(leave_runs_in, tmp_path)
