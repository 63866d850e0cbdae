"""What was added from outside is trained for real, in worker processes, by the commands as they are typed."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bottleneck_lab import extend
from bottleneck_lab.cli import app, run_app
from bottleneck_lab.errors import LabError
from bottleneck_lab.seeds import stream

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]

ADDITIONS = """
import numpy as np
import torch
from torch import nn

from bottleneck_lab import extend


@extend.activation("my_mish")
def my_mish():
    return nn.Mish()


@extend.points("my_points", dimensions=3, classes=2)
def my_points(count, generator):
    classes = generator.integers(0, 2, count)
    return generator.normal(size=(count, 3)) + 2 * classes[:, None], classes


@extend.images("my_images", shape=(1, 6, 6), classes=2, train=64, held_out=40)
def my_images():
    generator = np.random.default_rng(5)
    parts = []
    for count in (64, 40):
        labels = generator.integers(0, 2, count)
        pixels = generator.integers(0, 100, (count, 6, 6, 1)) + 100 * labels[:, None, None, None]
        parts += [pixels.astype(np.uint8), labels]
    return parts


@extend.block("my_block")
class MyBlock(nn.Sequential):
    has_shortcut = False

    def __init__(self, inputs, outputs, stride, expansion, settings):
        super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs))


@extend.residual("my_residual")
def my_residual(blocks, x):
    for block in blocks:
        y = block(x)
        x = (x + y) / 2 if x.shape == y.shape else y
    return x


@extend.measure("my_measure", label="norm of the classifier")
def my_measure(network, data):
    return network.classifier.weight.norm()
"""

ABLATION = """
question = "Are things from outside trained?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.points]
title = "Points"
model = { network = "toy", width = 3, blocks = 2, expansion = 2, inner_activation = "my_mish" }
train = { optimizer = "adam", learning_rate = 0.01, epochs = 30 }
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.mish = { model.projection_activation = "my_mish" }
datasets.my_points.data = { points = 60, held_out = 80 }
datasets.my_points.tiers.smoke.seeds = 2

[parts.images]
title = "Images"
measures = ["my_measure"]
model = { network = "mobilenet_v2_digits", stages = [{ c = 4, n = 2, s = 2 }], head_width = 16 }
train = { batch_size = 16, epochs = 2 }
axes.kind.plain = { model.inner_activation = "my_mish" }
axes.kind.block = { model.block = "my_block" }
axes.kind.residual = { model.residual = "my_residual" }
datasets.my_images.data = { crop_padding = 0, flip = false }
datasets.my_images.tiers.smoke.seeds = 1
"""


def call(command, *arguments, cwd, **environment):
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def invoke(*arguments, app=run_app):
    """The same within this process, which is quicker."""
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, " ".join(result.output.split())
    return result.output


def write(folder, additions=ADDITIONS, ablation=ABLATION):
    (folder / "mine.py").write_text(additions)
    (folder / "outside.toml").write_text(ablation)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder in which the ablation was run by two workers, and what the command printed."""
    folder = write(tmp_path_factory.mktemp("outside"))
    arguments = ("./outside.toml", "--tier", "smoke", "--workers", 2, "--include", "mine.py")
    done = call(RUN, *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    return folder


def runs(folder):
    """Settings, result and folder of every run."""
    for path in sorted(folder.glob("results/outside/smoke/runs/*/result.json")):
        yield json.loads((path.parent / "config.json").read_text()), json.loads(path.read_text()), path.parent


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))  # Misra 2019


def slow_toy(weights, points, settings):
    """Logits by the formula: stem, two blocks of expand, activate, project, activate, add; classifier."""
    after = mish if settings["projection_activation"] == "my_mish" else lambda x: x

    def linear(name, x):
        weight, bias = (weights[f"{name}.{part}"].double().numpy() for part in ("weight", "bias"))
        return x @ weight + bias

    x = linear("stem", points)
    for block in ("blocks.0", "blocks.1"):
        x = x + after(linear(f"{block}.projection.0", mish(linear(f"{block}.expansion.0", x))))
    return linear("classifier", x)


def test_every_run_is_done_and_its_accuracy_is_that_of_its_predictions(trained):
    found = list(runs(trained))
    assert len(found) == 2 * 2 + 3
    generator = np.random.default_rng(5)
    for count in (64, 40):
        image_labels = generator.integers(0, 2, count)
        generator.integers(0, 100, (count, 6, 6, 1)) if count == 64 else None
    for config, result, folder in found:
        assert result["status"] == "done"
        if config["data"]["dataset"] == "my_points":
            labels = np.random.default_rng(stream(config["seed"], "my_points", "held_out")).integers(0, 2, 80)
        else:
            labels = image_labels
        assert result["accuracy"] == pytest.approx(np.mean(np.load(folder / "predictions.npy") == labels))
        assert result["accuracy"] > 0.6  # one feature tells the classes apart; guessing has a half


def test_a_toy_network_with_the_added_activation_computes_its_formula(trained):
    for config, _, folder in runs(trained):
        if config["data"]["dataset"] == "my_points":
            generator = np.random.default_rng(stream(config["seed"], "my_points", "held_out"))
            classes = generator.integers(0, 2, 80)
            points = generator.normal(size=(80, 3)) + 2 * classes[:, None]
            weights = torch.load(folder / "weights.pt", weights_only=True)
            expected = slow_toy(weights, points, config["model"]).argmax(1)
            assert np.mean(np.load(folder / "predictions.npy") == expected) > 0.98  # but for rounding


def test_the_added_measure_is_in_the_result_as_the_weights_have_it(trained):
    measured = {}
    for config, result, folder in runs(trained):
        if config["data"]["dataset"] == "my_images":
            weights = torch.load(folder / "weights.pt", weights_only=True)["classifier.weight"]
            measured[config["variant"]] = result["measures"]["my_measure"]
            expected = sum(w * w for w in weights.flatten().tolist()) ** 0.5
            assert result["measures"] == {"my_measure": pytest.approx(expected)}
    assert len(set(measured.values())) == 3


def test_the_added_block_was_trained_and_not_another(trained):
    for config, _, folder in runs(trained):
        if config["variant"] == "block":
            weights = torch.load(folder / "weights.pt", weights_only=True)
            assert weights["blocks.1.0.weight"].shape == (4, 4, 3, 3)


def test_every_run_says_which_file_it_depends_on(trained):
    digest = hashlib.sha256((trained / "mine.py").read_bytes()).hexdigest()
    for _, _, folder in runs(trained):
        included = json.loads((folder / "environment.json").read_text())["included"]
        assert included == {str(trained / "mine.py"): digest}


def test_the_same_command_again_trains_nothing_and_another_file_everything(trained, tmp_path):
    arguments = (trained / "outside.toml", "--tier", "smoke", "--out", trained / "results", "--dry-run")
    assert "0 runs to train" in invoke(*arguments, "--include", trained / "mine.py")
    for registry in extend.REGISTRIES:
        registry.added.clear()
    write(tmp_path, ADDITIONS + "\n# another file\n")
    assert "7 runs to train" in invoke(*arguments, "--include", tmp_path / "mine.py")


def test_the_variable_does_what_the_option_does(trained, monkeypatch):
    monkeypatch.setenv("BOTTLENECK_LAB_INCLUDE", str(trained / "mine.py"))
    arguments = (trained / "outside.toml", "--tier", "smoke", "--out", trained / "results", "--dry-run")
    assert "0 runs to train" in invoke(*arguments)


def test_status_and_report_need_no_file(trained):
    assert "outside/smoke: 7 done" in invoke("status", "--out", trained / "results", app=app)


def test_what_was_added_is_described(trained):
    drawn = invoke("describe", trained / "outside.toml", "--include", trained / "mine.py", app=app)
    assert "linear map, Mish" in drawn
    assert "is a MyBlock, which makes" in drawn


@pytest.mark.parametrize("command", ["patterns", "bridge"])
def test_looking_inside_names_the_activation_whose_kinks_it_does_not_know(trained, command):
    folder = trained / "results" / "outside" / "smoke"
    [run] = [path for config, _, path in runs(trained) if config["variant"] == "plain"]
    place = run if command == "patterns" else folder
    with pytest.raises(LabError, match="name its file by --include"):
        invoke(command, place, app=app)
    with pytest.raises(LabError, match="where Mish clips is not known"):
        invoke(command, place, "--include", trained / "mine.py", app=app)


def replaced(old, new):
    assert old in ADDITIONS
    return ADDITIONS.replace(old, new)


@pytest.mark.parametrize(
    ("additions", "sentence"),
    [
        (replaced('"my_mish"', '"relu"'), "mine.py, line 9: the name 'relu' for an activation is taken"),
        (replaced("import numpy as np", "import numpi as np"), "mine.py, line 2: ModuleNotFoundError"),
        (replaced("return nn.Mish()", "nn.Mish()"), "'my_mish' must return a torch.nn.Module, not None"),
        (replaced("return nn.Mish()", "return nn.PReLU()"), "the activation 'my_mish' has parameters"),
        (replaced("outputs, 3, stride, 1)", "outputs, 3, stride)"), "the block 'my_block' must turn"),
        (replaced("outputs, 3, stride, 1)", "outputs)"), "the block 'my_block' cannot be made: TypeError"),
        (replaced("    return x\n", "    return blocks\n"), "no network with 'my_residual'"),
        (replaced("[:, None], classes", "[:, None]"), "the data set 'my_points' must return points and"),
        (
            replaced("(count, 6, 6, 1)", "(count, 6, 6, 3)"),
            "the data set 'my_images' must return its training",
        ),
        (replaced("classes=2, train", "classes=1, train"), "has 1 classes; 2 to 256 are possible"),
        ("", "parts.points.datasets.my_points: 'my_points' is not known"),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence_before_anything_is_trained(tmp_path, additions, sentence):
    write(tmp_path, additions)
    arguments = (tmp_path / "outside.toml", "--tier", "smoke", "--out", tmp_path / "results")
    with pytest.raises(LabError) as refused:
        invoke(*arguments, "--include", tmp_path / "mine.py")
    assert sentence in str(refused.value)
    assert not list(tmp_path.glob("results/**/config.json"))


def test_the_exit_code_of_such_a_mistake_is_2(tmp_path):
    write(tmp_path, replaced("outputs, 3, stride, 1)", "outputs, 3, stride)"))
    done = call(RUN, "./outside.toml", "--tier", "smoke", "--include", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the block 'my_block' must turn [1, 16, 6, 6] into [1, 4, 3, 3]")
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_named(tmp_path):
    write(tmp_path)
    done = call(RUN, "./outside.toml", "--include", "there.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: --include there.py: no such file or folder\n")


def test_a_measure_that_fails_is_a_run_that_failed_with_the_reason(tmp_path):
    write(tmp_path, replaced("return network.classifier", "return network.classifyer"))
    arguments = ("--tier", "smoke", "--dataset", "my_images", "--out", tmp_path, "--workers", 1)
    with pytest.raises(AssertionError, match="the measure 'my_measure' fails: AttributeError"):
        invoke(tmp_path / "outside.toml", *arguments, "--include", tmp_path / "mine.py")
    assert {result["status"] for _, result, _ in runs(tmp_path)} <= {"failed"}
