from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import typer
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.quantise import quantise
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.trained import open_run
from bottleneck_lab.published.publish import draw
from bottleneck_lab.quantise.rounded import accuracy_lost
from bottleneck_lab.quantise.scheme import parse_scheme

app = typer.Typer()
app.command()(quantise)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


@pytest.fixture(scope="module")
def folder(digits_results):
    """A run of the linear variant."""
    runs = sorted((digits_results / "runs").iterdir())
    return next(run for run in runs if json.loads((run / "result.json").read_text())["variant"] == "linear")


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    """What `--json --out` prints and leaves."""
    out = tmp_path_factory.mktemp("out")
    return json.loads(run(folder, "--json", "--out", out / "new").stdout), out / "new"


def test_json_has_a_row_for_each_way_to_round_and_the_reach_of_each_channel(folder, written):
    contents, _ = written
    assert contents["run"] == json.loads((folder / "config.json").read_text())
    assert contents["accuracy"] == pytest.approx(json.loads((folder / "result.json").read_text())["accuracy"])
    assert contents["images"] == 100
    assert len(contents["rows"]) == 27
    names = [row["scheme"] for row in contents["rows"]]
    schemes = [parse_scheme(name) for name in names]
    trained = open_run(folder, None, torch.device("cpu"))
    lost = accuracy_lost(trained.network("trained"), trained.data, schemes[::5])
    for row in contents["rows"]:
        assert row["lost"] == pytest.approx(contents["accuracy"] - row["accuracy"])
        assert 0 <= row["same"] <= 1
        assert row["lost"] == pytest.approx(lost.get(row["scheme"], row["lost"]))
    layers = {(layer["layer"], layer["of"]): layer for layer in contents["layers"]}
    depthwise = layers["blocks.1.depthwise", "weights"]
    assert len(depthwise["low"]) == len(depthwise["high"]) == len(depthwise["reach"]) == 12
    assert max(depthwise["reach"]) == pytest.approx(0.5, rel=1e-3)  # a grid of weights is symmetric
    assert min(layers["stem", "activations"]["low"]) == 0  # behind a ReLU6
    assert min(layers["blocks.1.projection", "activations"]["low"]) < 0  # a linear bottleneck


def test_more_bits_leave_more_of_the_features(written):
    signal = {row["scheme"]: row["signal"] for row in written[0]["rows"]}
    for scheme in ("w{0}_channel", "w{0}_channel_a{0}_asymmetric_mse"):
        assert signal[scheme.format(4)] + 8 < signal[scheme.format(6)] < signal[scheme.format(8)] - 8


def test_integers_are_set_beside_rounded_floats(written):
    integers = written[0]["integers"]
    if isinstance(integers, str):
        pytest.skip(integers)
    assert integers["same"] >= 0.98
    assert abs(integers["accuracy"] - integers["accuracy_floats"]) <= 0.02
    assert integers["steps"] < 8  # of 256; roundings add up over layers


def test_the_figure_is_drawn_again_from_what_is_left(written):
    contents, folder = written
    assert json.loads((folder / "ranges.json").read_text()) == contents
    assert {path.name for path in folder.iterdir()} == {"ranges.json", "ranges.png", "ranges.svg"}
    figure = (folder / "ranges.svg").read_bytes()
    (folder / "ranges.svg").unlink()
    assert draw(folder) == ["ranges"]
    assert (folder / "ranges.svg").read_bytes() == figure
    assert b"8 bits: 0 below" in figure


def test_the_table_fits_80_columns_and_says_what_was_asked_for(folder):
    text = run(folder, "--images", 20).stdout
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert "20 held-out images" in words
    assert "unsigned, least squared error" in words
    assert "one grid a layer makes all 0:" in words
    few = run(folder, "--images", 20, "--scheme", "w3_tensor", "--scheme", "a5_unsigned_mse").stdout
    assert "w3_tensor" in few
    assert "a5_unsigned_mse" in few
    assert "percentiles" not in few
    three = ["w8_channel", "w5_channel", "w7_channel"]  # as many as the table has columns
    text = run(folder, "--images", 20, *(word for name in three for word in ("--scheme", name))).stdout
    assert all(name in text for name in three)


def test_what_a_user_gets_wrong_is_said_in_a_sentence(folder, digits_results):
    for arguments, reason in (
        ((digits_results,), "holds no config.json"),
        ((folder, "--out", __file__), "File exists"),
        ((folder, "--scheme", "int4"), "--scheme 'int4' is no scheme of rounding; one is 'w8_channel"),
        ((folder, "--scheme", "w4_kernel"), "'kernel' is none of tensor, channel"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, LabError)
        assert reason in str(error)
    assert run(folder, "--images", "1").exit_code == 2


def test_help_loads_neither_torch_nor_matplotlib():
    program = (
        "import sys, bottleneck_lab.cli.instruments.quantise; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
