from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.bench import bench_app
from bottleneck_lab.config import NETWORKS
from bottleneck_lab.errors import LabError

SMALL = ("--network", "mobilenet_v2_small", "--resolution", "32", "--rounds", "2", "--parts", "1,3")
STEPS = ("--network", "mobilenet_v2_digits", "--resolution", "8", "--batch", "4", "--rounds", "2")
FEW = ("--networks", "mobilenet_v2_small", "--widths", "0.5,1", "--resolutions", "32", "--rounds", "2")


@pytest.fixture(autouse=True)
def _kernel(fused_kernel):
    """`bench training` measures it."""


def run(*arguments):
    return CliRunner().invoke(bench_app, list(map(str, arguments)), catch_exceptions=True)


@pytest.mark.parametrize(
    ("command", "options", "rows"), [("split", SMALL, 6), ("networks", FEW, 4), ("training", STEPS, 2)]
)
def test_json_is_a_row_for_each_measurement(command, options, rows):
    contents = json.loads(run(command, *options, "--json").stdout)
    assert len(contents["rows"]) == rows
    assert contents["settings"]["rounds"] == 2
    assert contents["environment"]["threads"] == 1
    for row in contents["rows"]:
        assert 0 < row["seconds"]["low"] <= row["seconds"]["median"] <= row["seconds"]["high"]


@pytest.mark.parametrize(("command", "options"), [("split", SMALL), ("networks", FEW), ("training", STEPS)])
def test_the_table_fits_80_columns(command, options):
    text = run(command, *options).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "on one thread" in " ".join(text.split())


@pytest.mark.parametrize(("command", "options"), [("split", SMALL), ("networks", FEW), ("training", STEPS)])
def test_out_holds_the_figure_and_all_numbers(command, options, tmp_path):
    folder = tmp_path / "new" / "folder"
    run(command, *options, "--out", folder)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".png", ".svg"]
    assert len(json.loads((folder / f"{command}.json").read_text())["rows"]) in (2, 4, 6)


def test_networks_of_every_family_can_be_measured():
    names = [name for name in NETWORKS if name.endswith("_small")]
    assert len(names) == len({NETWORKS[name]["family"] for name in names}) >= 4
    out = run("networks", "--networks", ",".join(names), *FEW[2:], "--json").stdout
    assert list(dict.fromkeys(row["name"] for row in json.loads(out)["rows"])) == names


def test_what_a_user_gets_wrong_is_said_in_a_sentence():
    for arguments, reason in (
        (("split", "--network", "mobilenet_v3"), "did you mean 'mobilenet_v2'"),
        (("split", "--network", "resnet_small"), "only networks of inverted residual blocks"),
        (("training", "--network", "resnet_small"), "only networks of inverted residual blocks"),
        (("split", "--parts", "1;2"), "--parts 1;2: give numbers"),
        (("split", "--parts", "0"), "between 1 and"),
        ((*("split", *SMALL), "--fused", "99"), "fused = 99"),
        (("networks", "--networks", "toy"), "no such network"),
        (("networks", "--widths", "wide"), "--widths wide"),
        (("networks", "--widths", "nan"), "must be between"),
        (("networks", "--networks", "shufflenet", "--widths", "0.03"), "shufflenet at width 0.03: a stage"),
        (("networks", "--resolutions", "1.5"), "--resolutions 1.5"),
        ((*("networks", *FEW), "--out", __file__), "File exists"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, LabError), arguments
        assert reason in str(error)
    assert run("split", "--rounds", "0").exit_code == 2


def test_help_loads_neither_torch_nor_matplotlib():
    program = (
        "import sys, bottleneck_lab.cli.instruments.bench; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
