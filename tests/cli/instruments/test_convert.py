from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from bottleneck_lab import extend
from bottleneck_lab.cli.instruments.convert import convert
from bottleneck_lab.cli.instruments.patterns import patterns
from bottleneck_lab.cli.instruments.quantise import quantise
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.imported import layouts
from bottleneck_lab.instruments.trained import open_run
from bottleneck_lab.models import MobileNetV2

app = typer.Typer()
app.command("convert")(convert)
app.command("patterns")(patterns)
app.command("quantise")(quantise)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


@pytest.fixture(autouse=True)
def _colours(monkeypatch):
    """A data set of 6 training and 4 held-out images in colour, 3 classes, as a user would add it."""

    def load():
        pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
        labels = np.arange(10) % 3
        return pixels[:6], labels[:6], pixels[6:], labels[6:]

    images = extend.ImageSet((3, 8, 8), 3, 6, 4, load)
    monkeypatch.setitem(extend.DATASETS.added, "colours", extend.Addition(images, __file__, "0"))


def named_as_in(layout, network):
    """Its parameters and buffers by the names of another library."""
    names = layouts.tensor_names(layout, network.settings, network.classifier.out_features)
    return {names[name][0]: tensor for name, tensor in network.state_dict().items()}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MobileNetV2(layouts.settings_at(0.1), 3, 1000)


@pytest.fixture
def checkpoint(network, tmp_path):
    """A file in timm's layout, of the narrowest network."""
    path = tmp_path / "net.pth"
    torch.save(named_as_in("timm", network), path)
    return path


def options(out, **more):
    given = {"out": out, "dataset": "colours", "resolution": 64, "images": 4} | more
    return [part for name, value in given.items() for part in (f"--{name}", value)]


def test_a_checkpoint_becomes_a_folder_that_patterns_looks_into(checkpoint, tmp_path):
    done = run("convert", checkpoint, *options(tmp_path / "new" / "folder"))
    assert done.exit_code == 0, done.exception
    words = " ".join(done.stdout.split())
    assert "net.pth: timm's MobileNetV2, width 0.1, 1000 classes; 314 tensors" in words
    assert (
        "Assumed, since weights do not show it: strides 2 in the stem and 1, 2, 2, 2, 1, 2, 1 in the" in words
    )
    assert "Without its classifier: colours has 3 classes." in words
    shown = run("patterns", tmp_path / "new" / "folder", "--json")
    assert shown.exit_code == 0, shown.exception
    trained = [row for row in json.loads(shown.stdout) if row["state"] == "trained"]
    assert [row["layer"] for row in trained] == [f"blocks.{index}.expansion" for index in range(1, 17)]
    assert [row["pixels"] for row in trained[:2]] == [4 * 32 * 32, 4 * 16 * 16]
    assert "% right" not in run("patterns", tmp_path / "new" / "folder").stdout


def test_the_network_of_the_folder_is_that_of_the_checkpoint(network, checkpoint, tmp_path):
    run("convert", checkpoint, *options(tmp_path / "out"))
    opened = open_run(tmp_path / "out", None, torch.device("cpu"))
    assert np.isnan(opened.accuracy)
    found = opened.network("trained").state_dict()
    for name, tensor in network.state_dict().items():
        if name.startswith("classifier."):
            assert found[name].shape[0] == 3
            assert not found[name].any()
        else:
            assert torch.equal(found[name], tensor), name


def test_a_classifier_with_as_many_classes_stays(tmp_path):
    network = MobileNetV2(layouts.settings_at(0.1), 3, 3)
    torch.save(named_as_in("torchvision", network), tmp_path / "net.pt")
    assert "Without" not in run("convert", tmp_path / "net.pt", *options(tmp_path / "out")).stdout
    found = open_run(tmp_path / "out", None, torch.device("cpu")).network("trained")
    assert torch.equal(found.classifier.weight, network.classifier.weight)


def test_the_folder_says_where_the_weights_come_from(checkpoint, tmp_path):
    run("convert", checkpoint, *options(tmp_path / "out"))
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["accuracy"] is None
    assert result["converted_from"] == {
        "file": "net.pth",
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "layout": "timm",
        "classes": 1000,
        "network": "mobilenet_v2",
    }


def test_what_a_user_gets_wrong_is_said_in_a_sentence(checkpoint, tmp_path):
    torch.save({"fc.weight": torch.ones(1)}, tmp_path / "other.pth")
    for arguments, reason in (
        ((tmp_path / "missing.pth", *options(tmp_path / "out")), "missing.pth: cannot be read"),
        ((tmp_path / "other.pth", *options(tmp_path / "out")), "other.pth: neither torchvision's nor timm's"),
        ((checkpoint, *options(tmp_path / "out", dataset="colors")), "did you mean 'colours'?"),
        ((checkpoint, *options(tmp_path / "out", dataset="spiral")), "spiral: no data set of images"),
        ((checkpoint, *options(tmp_path / "out", dataset="digits")), "its images are grey"),
        ((checkpoint, *options(tmp_path / "out", network="cifra")), "did you mean 'cifar'?"),
        (
            (checkpoint, *options(tmp_path / "out", resolution=32)),
            "32 pixels, so it may be a network for CIFAR",
        ),
        ((checkpoint, *options(tmp_path / "out", images=5)), "held_out_images = 5: colours has only 4"),
        ((checkpoint, *options(tmp_path / "out", resolution=2)), "resolution: "),
        ((checkpoint, *options(__file__)), "File exists"),
    ):
        error = run("convert", *arguments).exception
        assert isinstance(error, LabError), error
        assert reason in str(error)
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize("classes", [10, 100])
def test_of_a_network_that_may_be_cifars_it_has_to_be_said(tmp_path, classes):
    network = MobileNetV2(layouts.settings_at(0.1, "cifar"), 3, classes)
    weights = named_as_in("torchvision", network)
    torch.save({"net": weights, "acc": 93.6}, tmp_path / "net.pth")
    error = run("convert", tmp_path / "net.pth", *options(tmp_path / "out")).exception
    assert isinstance(error, LabError)
    assert f"{classes} classes, so it may be a network for CIFAR" in str(error)
    assert not (tmp_path / "out").exists()
    for name in ("cifar", "imagenet"):
        assert run("convert", tmp_path / "net.pth", *options(tmp_path / name, network=name)).exit_code == 0
    images = torch.rand(2, 3, 32, 32)
    found = {}
    for name in ("cifar", "imagenet"):
        opened = open_run(tmp_path / name, None, torch.device("cpu")).network("trained")
        opened.classifier = torch.nn.Identity()  # colours have other classes
        found[name] = opened(images)
    network.classifier = torch.nn.Identity()
    torch.testing.assert_close(found["cifar"], network.eval()(images))
    assert not torch.allclose(found["imagenet"], found["cifar"])


def test_without_a_resolution_cifars_network_sees_the_images_as_they_are(tmp_path):
    network = MobileNetV2(layouts.settings_at(0.1, "cifar"), 3, 10)
    torch.save(named_as_in("timm", network), tmp_path / "net.pth")
    arguments = ("--out", tmp_path / "out", "--dataset", "colours", "--images", 4, "--network", "cifar")
    done = run("convert", tmp_path / "net.pth", *arguments)
    assert "strides 1 in the stem and 1, 1, 2, 2, 1, 2, 1 in the stages" in " ".join(done.stdout.split())
    assert "images of 8 x 8 pixels" in " ".join(done.stdout.split())


def test_it_is_said_which_of_several_weights_were_taken(network, checkpoint, tmp_path):
    raw = torch.load(checkpoint, weights_only=True)
    averaged = {name: tensor * 2 for name, tensor in raw.items()}
    torch.save({"state_dict": raw, "state_dict_ema": averaged, "epoch": 3}, tmp_path / "both.pth")
    done = run("convert", tmp_path / "both.pth", *options(tmp_path / "raw"))
    assert "those under state_dict; not taken: state_dict_ema (--weights" in " ".join(done.stdout.split())
    done = run("convert", tmp_path / "both.pth", *options(tmp_path / "ema", weights="state_dict_ema"))
    assert "those under state_dict_ema; not taken: state_dict (--weights" in " ".join(done.stdout.split())
    weights = [
        open_run(tmp_path / name, None, torch.device("cpu")).network("trained").stem.conv.weight
        for name in ("raw", "ema")
    ]
    assert torch.equal(2 * weights[0], weights[1])


def test_help_loads_no_torch():
    program = "import sys, bottleneck_lab.cli.instruments.convert; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_its_classifier_rounding_is_told_by_the_features_before_it(checkpoint, tmp_path):
    run("convert", checkpoint, *options(tmp_path / "net"))
    asked = ("quantise", tmp_path / "net", "--scheme", "w8_channel", "--scheme", "w4_tensor")
    assert "signal over noise of the features before it, in dB" in " ".join(run(*asked).stdout.split())
    contents = json.loads(run(*asked, "--json").stdout)
    assert contents["accuracy"] is None
    fine, coarse = contents["rows"]
    assert fine["accuracy"] is coarse["accuracy"] is None
    assert fine["signal"] > coarse["signal"] + 8
