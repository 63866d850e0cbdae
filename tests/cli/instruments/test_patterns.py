from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.patterns import patterns
from bottleneck_lab.errors import LabError
from bottleneck_lab.published.publish import draw

app = typer.Typer()
app.command()(patterns)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


@pytest.fixture
def folder(digits_results):
    return sorted((digits_results / "runs").iterdir())[0]


def test_json_is_a_row_for_each_state_and_expansion(folder):
    rows = json.loads(run(folder, "--json").stdout)
    layers = ("blocks.1.expansion", "blocks.2.expansion")
    assert [(row["state"], row["layer"]) for row in rows] == [
        (state, layer) for state in ("unnormalised", "initial", "trained") for layer in layers
    ]
    for row, (m, n) in zip(rows, [(12, 4), (24, 8)] * 3, strict=True):
        assert (row["channels"], row["threshold"], row["pixels"]) == (m, n, 100 * (16 if n == 4 else 4))
        assert 0 <= row["minimum"] <= row["mean"] <= row["maximum"] <= m
        assert 0 <= row["below_threshold"] <= row["lost_at_zero"] <= row["lost"] <= 1
        assert row["clipped_low"] == pytest.approx(1 - row["mean"] / m)


def test_batch_norm_of_the_data_makes_half_of_the_channels_positive(folder):
    rows = json.loads(run(folder, "--json").stdout)
    for row in rows:
        if row["state"] == "initial":
            assert row["mean"] / row["channels"] == pytest.approx(0.5, abs=0.06)
            assert row["clipped_high"] < 0.001


def test_fewer_images_are_the_first_ones(folder):
    few = json.loads(run(folder, "--json", "--images", 10).stdout)
    assert {row["pixels"] for row in few} == {160, 40}
    every = run(folder, "--json", "--images", 100_000).stdout
    assert every == run(folder, "--json").stdout


def test_the_tables_fit_80_columns_and_show_the_papers_numbers(folder):
    text = run(folder).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    words = " ".join(text.split())
    assert "step 0, batch norm as created" in words
    assert "layer 15 960 160 82 466.0 855 138.8 0.485 0.145" in words
    assert "layer 0 96 16 32 47.9 65 3.0" in words
    assert "This network's 2 expansions are not the 16 of Fig. 7: compare shares" in words
    assert "100 held-out images" in words


def test_out_holds_the_figure_and_all_numbers(folder, tmp_path):
    shown = run(folder, "--json", "--out", tmp_path / "new" / "folder")
    written = tmp_path / "new" / "folder"
    assert sorted(path.name for path in written.iterdir()) == [
        "patterns.json", "patterns.png", "patterns.svg"
    ]  # fmt: skip
    contents = json.loads((written / "patterns.json").read_text())
    assert contents["rows"] == json.loads(shown.stdout)
    assert contents["run"] == json.loads((folder / "config.json").read_text())
    assert contents["accuracy"] == json.loads((folder / "result.json").read_text())["accuracy"]
    assert len(contents["paper"]["trained"]) == 16
    figure = (written / "patterns.svg").read_bytes()
    (written / "patterns.svg").unlink()
    assert draw(written) == ["patterns"]
    assert (written / "patterns.svg").read_bytes() == figure


def test_what_a_user_gets_wrong_is_said_in_a_sentence(folder, digits_results):
    for arguments, reason in (
        ((digits_results,), "holds no config.json"),
        ((folder, "--out", __file__), "File exists"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, LabError)
        assert reason in str(error)
    assert run(folder, "--images", "1").exit_code == 2


def test_help_loads_neither_torch_nor_matplotlib():
    program = (
        "import sys, bottleneck_lab.cli.instruments.patterns; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
