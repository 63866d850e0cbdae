"""An ablation with planned looks, and what its runs came to: the same wherever they were trained."""

import json

# That training helps is seen at the first look; that more of it helps more, by a tenth of a point, at none.
LOOKS = """
question = "Does training help?"
source = "nowhere"
reported = "nothing"
against = "no difference"

[parts.spiral]
title = "Spirals"
model = { network = "toy", blocks = 1, width = 8, expansion = 4 }
train = { optimizer = "adam", learning_rate = 0.02, weight_decay = 0.0, evaluate_every = 20 }

[parts.spiral.axes.training]
none = { train.learning_rate = 0.00001 }
some = {}
more = { train.learning_rate = 0.03 }

[parts.spiral.datasets.spiral]
data = { arms = 2, turns = 0.5, points = 100, held_out = 100 }

[parts.spiral.datasets.spiral.tiers]
quick = { looks = [4, 8, 12], first_seed = 100, train.epochs = 20 }
smoke = { seeds = 4, train.epochs = 20 }

[[parts.spiral.claims]]
id = "helps"
statement = "Training helps."
source = "nowhere"
contrast = { some = 1, none = -1 }
margin = 0.01
headline = true

[[parts.spiral.claims]]
id = "helps_more"
statement = "More of it helps more."
source = "nowhere"
contrast = { more = 1, some = -1 }
margin = 0.0001
"""


def results_of(folder, name="looks/quick"):
    """Everything that the runs in a folder came to, but for times."""
    found = {}
    for run in (folder / "results" / name / "runs").glob("*"):
        result = json.loads((run / "result.json").read_text())
        del result["files"]  # with the checksums of files that tell times
        answers = [(run / name).read_bytes() for name in ("predictions.npy", "correct.npy", "config.json")]
        found[run.name] = result, answers
    return found


def summary_of(folder, name="looks/quick"):
    """What came out, but for where: whether that is a checkout depends on how a command is started."""
    summary = json.loads((folder / "results" / name / "summary.json").read_text())
    del summary["origins"]
    return summary


def seeds_of(folder):
    """How many seeds each variant was trained with: `none` needs the first look's alone."""
    return {variant["name"]: variant["n_seeds"] for variant in summary_of(folder)["variants"]}
