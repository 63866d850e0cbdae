from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.paper import paper

app = typer.Typer()
app.command()(paper)


@pytest.fixture(scope="module")
def text():
    return CliRunner().invoke(app, catch_exceptions=False).stdout


@pytest.fixture(scope="module")
def rows():
    return json.loads(CliRunner().invoke(app, ["--json"], catch_exceptions=False).stdout)


def test_it_fits_80_columns_and_nothing_is_cut(text):
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_all_rows_are_shown_with_the_number_of_each_kind(text, rows):
    words = " ".join(text.split())
    for row in rows:
        assert " ".join((row["row"], row["paper"], row["ours"])) in words
    kinds = [row["agrees"] for row in rows]
    assert (
        f"{len(rows)} numbers: {kinds.count('agrees')} agree, {kinds.count('agrees after rounding')} agree "
        f"after rounding, {kinds.count('differs')} differ."
    ) in words


def test_reasons_stand_below_their_table_once(text):
    words = " ".join(text.split())
    assert "MobileNetV2 (1.4), parameters 6.9 6.06 differs [3]" in words
    assert words.count("with 2 groups, not with 3") == 1


def test_json_rows_have_the_same_keys(rows):
    assert {tuple(row) for row in rows} == {("table", "row", "paper", "ours", "agrees", "note")}
    assert {row["agrees"] for row in rows} == {"agrees", "agrees after rounding", "differs"}


def test_help_loads_no_torch():
    program = "import sys, bottleneck_lab.cli.instruments.paper; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
