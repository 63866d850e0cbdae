"""What is done with the mutated file or damaged folder of a number, and whether anything changed silently."""

import json
import shutil
import sys

from commands import call
from mutations import OPTIONS, copied, damage, experiment_file, options, randoms

from bottleneck_lab.config import catalogue, load, parse_overrides
from bottleneck_lab.records import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Small enough to be trained in a moment; a part on points and one on images, with all that a file can have.
SMALL = """
question = "Does it matter?"
source = "Sec. 3.2"
reported = "That it does."
against = "That it does not."

[parts.points]
title = "Spirals"
facet = "width"
model = { network = "toy", blocks = 1 }
train = { optimizer = "adam", learning_rate = 0.01, evaluate_every = 5 }
datasets.spiral.data = { points = 60, held_out = 90 }
datasets.spiral.tiers.smoke = { seeds = 2, train.epochs = 10 }
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu = { model.projection_activation = "relu" }
axes.width."d=2" = { model.width = 2 }
axes.width."d=3" = { model.width = 3 }

[[parts.points.claims]]
id = "narrow"
statement = "ReLU in two channels loses accuracy."
source = "Sec. 3.2"
contrast = { "linear, d=2" = 1, "relu, d=2" = -1 }
margin = 0.01

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
model.expansion = 2
model.head_width = 16
model.stages = [{ c = 4, n = 2, s = 2 }]
train = { batch_size = 32, learning_rate = 0.1, measure_every = 1 }
measures = ["below_zero"]
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu6 = { model.projection_activation = "relu6" }
datasets.digits.data = { crop_padding = 1, flip = false, train_images = 64, held_out_images = 50 }
datasets.digits.tiers.smoke = { seeds = 2, train.epochs = 2 }

[[parts.images.claims]]
id = "images"
statement = "ReLU6 loses nothing on images."
source = "Sec. 6.4"
kind = "equivalence"
contrast = { linear = 1, relu6 = -1 }
margin = 0.05
paper = 1.0

[parts.images.paper]
data = "ImageNet"
source = "Fig. 6"
top1 = { linear = 71.0, relu6 = 70.0 }
madds = { ours = [[10.0, 60.0], [20.0, 70.0]] }
tables = [{ title = "Table 4", columns = ["network", "top 1"], rows = [["MobileNetV2", 72.0]] }]
"""


def experiments(folder, only_small=False):
    """A function that plans or shows the mutated file of a number.

    It returns the words of the command, how that ended, and what changed silently.
    """
    trees = [tomllib.loads(SMALL)]
    if not only_small:
        trees += [tomllib.loads(path.read_text(encoding="utf-8")) for path in catalogue().values()]
    path = folder / "mutated.toml"
    path.write_text(SMALL)
    call("run-ablation", path, "--dry-run", "--tier=smoke")  # imports, which take seconds, belong to none

    def made(number):
        chance = randoms(number)
        tree = trees[0] if chance.random() < 0.6 else chance.choice(trees)
        path.write_bytes(experiment_file(chance, tree))
        words = ["run-ablation", path, "--dry-run", f"--tier={chance.choice(['smoke', 'quick'])}"]
        plain = chance.random() < 0.5
        if not plain:
            words += options(chance, chance.choice(OPTIONS))
        if tree is not trees[0] or (plain and chance.random() < 0.3):
            words = ["bottleneck-lab", "describe", path]
        ended = call(*words)
        silent = _changed(path) if plain and ended.code == 0 and ended.traceback is None else None
        return list(map(str, words)), ended, silent

    return made


def _changed(path):
    """A setting of an accepted file that is not what the file says; None if there is none."""
    said = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    return _differs(said, json.loads(load(str(path)).model_dump_json()), "")


def _differs(said, kept, where):
    if isinstance(said, dict) and isinstance(kept, dict):
        found = (_differs(value, kept.get(key), f"{where}.{key}") for key, value in said.items())
        return next((each for each in found if each), None)
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        found = (_differs(*pair, f"{where}.{at}") for at, pair in enumerate(zip(said, kept, strict=True)))
        return next((each for each in found if each), None)
    same = said == kept and isinstance(said, bool) == isinstance(kept, bool)
    return None if same or str(said) == kept else f"{where} is {said!r}, and was taken for {kept!r}"


def overrides_kept(setting):
    """Whether `--set` keeps what it is given: the key it names has the value, as TOML or as bare words."""
    key, _, text = setting.partition("=")
    tree = parse_overrides([setting])
    for step in key.split("."):
        tree = tree[step.strip()]
    try:
        content = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError:
        return tree == text.strip()
    return repr(tree) == repr(content["value"]) if len(content) == 1 else tree == text.strip()


READING = ("status", "compare", "verify", "report", "publish", "run", "dry-run", "patterns")
OF_PUBLISHED = ("verify", "verify-figures", "make-figures --check", "report", "compare", "paper")
QUICK = ("status", "compare", "verify", "dry-run")


def trained(folder):
    """Train the small file into a folder: its results, and what is published of them."""
    path = folder / "small.toml"
    path.write_text(SMALL)
    ended = call("run-ablation", path, "--tier=smoke", "--workers=1", f"--out={folder / 'whole'}")
    assert ended.code == 0, ended
    results = folder / "whole" / "small" / "smoke"
    ended = call("bottleneck-lab", "publish", results, f"--to={folder / 'published' / 'small'}")
    assert ended.code == 0, ended
    return path, results, folder / "published" / "small"


def damaged_results(folder, reading=READING, of_published=OF_PUBLISHED):
    """A function that gives the damaged results of a number to a command; returns what `experiments` does."""
    path, whole, published = trained(folder)
    summary = files.read_json(whole / "summary.json")
    again = folder / "results"

    def made(number):
        chance = randoms(number)
        packed = chance.random() < 0.3 and of_published
        if packed:
            results, commands = copied(published, again / "small"), of_published
        else:
            results, commands = copied(whole, again / "small" / "smoke"), reading
        spoilt = damage(chance, results, chance.choice([1, 1, 2]))
        command = chance.choice(commands)
        words = list(map(str, _words(command, path, results, again, whole, folder)))
        ended = call(*words)
        silent = None
        reports = command == "report" or (command == "run" and not packed)
        if ended.traceback is None and ended.code == 0 and reports:
            silent = _silent(files.read_json(results / "summary.json"), summary, spoilt)
        shutil.rmtree(again, ignore_errors=True)
        return [*words, *(str(each.relative_to(results)) for each in spoilt)], ended, silent

    return made


def _words(command, path, results, above, whole, folder):
    run = min((whole / "runs").iterdir()).name
    lab = "bottleneck-lab"
    return {
        "status": [lab, "status", f"--out={above}"],
        "compare": [lab, "compare", whole, results],
        "verify": [lab, "verify", results],
        "report": [lab, "report", results],
        "publish": [lab, "publish", results, f"--to={folder / 'again'}"],
        "run": ["run-ablation", path, "--tier=smoke", "--workers=1", f"--out={above}"],
        "dry-run": ["run-ablation", path, "--tier=smoke", "--dry-run", "--workers=1", f"--out={above}"],
        "patterns": [lab, "patterns", results / "runs" / run, f"--out={folder / 'patterns'}"],
        "verify-figures": [lab, "verify-figures", f"--figures={above}"],
        "make-figures --check": [lab, "make-figures", "--check", f"--figures={results}"],
        "paper": [lab, "paper", f"--figures={above}"],
    }[command]


def _silent(found, whole, spoilt):
    """A number of a report that differs from that of the whole results, where the report names no damage."""
    if any(each.name == "plan.json" for each in spoilt) or found["strays"] != whole["strays"]:
        return None  # of another plan, it is another report
    if found["runs"] != whole["runs"]:
        return None
    for kind in ("variants", "claims"):
        if found[kind] != whole[kind]:
            return f"{kind} differ, and nothing is named"
    return None
