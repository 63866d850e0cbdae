from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.collapse import collapse
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse.result import MEASURES
from bottleneck_lab.published.publish import draw, false_numbers, stale_figures

app = typer.Typer()
app.command()(collapse)
QUICK = ("--trials", "30", "--points", "100")


def run(*arguments):
    return CliRunner().invoke(app, arguments, catch_exceptions=True)


def test_json_is_a_list_of_rows_and_nothing_else():
    result = run(*QUICK, "--json", "--dims", "2,3,5,15,30")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert [row["dim"] for row in rows] == [2, 3, 5, 15, 30]
    assert [row["collapsed_theory"] for row in rows] == [0.75, 0.5, 0.1875, 16 / 2**15, 31 / 2**30]
    for row in rows:
        assert abs(row["collapsed"] - row["collapsed_theory"]) < 5 * row["collapsed_theory_se"] + 1e-3
        assert set(MEASURES) < set(row)
        assert row["pinv_error_low"] <= row["pinv_error"] <= row["pinv_error_high"]


def test_the_same_seed_gives_the_same_rows_and_another_other_ones():
    first, again, other = (run(*QUICK, "--dims", "3", "--json", "--seed", seed).stdout for seed in "112")
    assert first == again != other


def test_the_tables_fit_a_pipe_of_80_columns():
    lines = run(*QUICK).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_the_tables_show_theorem_1_and_where_the_last_bound_is_false():
    text = " ".join(run(*QUICK).stdout.split())
    assert "0.7500 ±" in text
    assert "2.9e-08 ±" in text
    assert "160 960 6.2e-104" in text
    assert text.count("false") == 6


def test_the_papers_preset_keeps_the_share_that_its_panel_shows():
    rows = json.loads(run("--embedding", "paper", "--shape", "circle", "--points", "36000", "--json").stdout)
    assert [row["dim"] for row in rows] == [2, 3]
    assert rows[0]["collapsed"] == pytest.approx(1 - 70.73 / 360, abs=1e-4)
    assert rows[1]["collapsed"] == pytest.approx(0.5, abs=1e-4)


def test_dims_below_those_of_the_data_are_left_out_by_default():
    rows = json.loads(run(*QUICK, "--shape", "swiss-roll", "--json").stdout)
    assert [row["dim"] for row in rows] == [3, 5, 15, 30]


def test_out_holds_the_figures_and_all_numbers(tmp_path):
    shown = run(*QUICK, "--dims", "2,3", "--json", "--out", str(tmp_path / "new" / "folder"))
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == [
        "collapse.json", "collapsed.png", "collapsed.svg", "panels.png", "panels.svg"
    ]  # fmt: skip
    contents = json.loads((folder / "collapse.json").read_text())
    assert contents["rows"] == json.loads(shown.stdout)
    assert contents["settings"]["shape"] == "spiral"
    bounds = contents["log2_bounds_of_mobilenet_blocks"]
    assert [bound["last_bound_holds"] for bound in bounds] == [False] * 6


def test_its_figures_are_drawn_again_and_its_numbers_measured_again(tmp_path):
    run(*QUICK, "--dims", "2,3", "--out", str(tmp_path))
    drawn = {path: path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert draw(tmp_path) == ["panels", "collapsed"]
    assert {path: path.read_bytes() for path in drawn} == drawn
    assert false_numbers(tmp_path) == []
    contents = json.loads((tmp_path / "collapse.json").read_text())
    contents["rows"][1]["collapsed"] += 1e-6
    contents["drawn"]["outputs"][0][1][7] += 0.01
    (tmp_path / "collapse.json").write_text(json.dumps(contents))
    first, second = false_numbers(tmp_path)
    assert "rows[1].collapsed is " in first
    assert "drawn.outputs[0][1][7] is " in second


def test_the_figures_of_points_of_a_file_need_only_what_was_left(tmp_path):
    points = tmp_path / "points.npy"
    np.save(points, 1000 * np.random.default_rng(0).random((40, 3)))
    run("--shape", str(points), "--trials", "3", "--out", str(tmp_path / "out"))
    points.unlink()
    assert draw(tmp_path / "out") == ["panels", "collapsed"]
    assert stale_figures(tmp_path / "out") == []


def test_points_of_a_file_are_measured(tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).random((40, 3)))
    rows = json.loads(run("--shape", str(tmp_path / "points.npy"), "--trials", "3", "--json").stdout)
    assert [row["dim"] for row in rows] == [3, 5, 15, 30]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--dims", "1"), "the data have 2 dimensions"),
        (("--dims", "2,x"), "whole numbers with commas"),
        (("--dims", ""), "whole numbers with commas"),
        (("--dims", "100000000"), "too many channels"),
        (("--points", "1"), "1 points: give 24"),
        (("--shape", "torus"), "no such shape"),
        (("--shape", "none.npy"), "No such file"),
        (("--embedding", "paper", "--dims", "5"), "dims 2 and 3 only"),
        (("--out", __file__), "File exists"),
    ],
)
def test_what_a_user_gets_wrong_is_said_in_a_sentence(arguments, reason):
    error = run(*arguments).exception
    assert isinstance(error, LabError)
    assert reason in str(error)


def test_help_loads_neither_numpy_nor_matplotlib():
    program = (
        "import sys, bottleneck_lab.cli.instruments.collapse; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_covariates_are_printed_for_all_that_networks_may_have_or_for_one():
    printed = run("--covariates").stdout
    assert "ReLU                           0.818    0.733  1.467     0.383" in printed
    assert "ReLU6, after a bias of 3       1.000    1.000  1.002     0.002" in printed
    assert max(map(len, printed.splitlines())) <= 80
    [one] = json.loads(run("--covariates", "--json", "--activation", "tanh").stdout)
    assert one["activation"] == "tanh"
    assert one["growth"] == pytest.approx(1.178, abs=1e-3)


def test_the_lab_takes_the_activations_of_networks():
    rows = json.loads(run("--activation", "silu", "--dims", "2", "--trials", "5", "--json").stdout)
    assert rows[0]["collapsed"] == 0


def test_what_changes_over_training_has_no_covariates():
    changing = '{ kind = "leaky", slope = { from = 1, to = 0, until = 1 } }'
    error = run("--covariates", "--activation", changing).exception
    assert isinstance(error, LabError)
    assert "a standard normal variable says nothing of it" in str(error)
