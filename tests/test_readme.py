import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import run_app

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def text():
    return README.read_text()


def test_the_example_of_an_own_ablation_runs_as_it_stands(text, tmp_path):
    path = tmp_path / "leaky.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL).group(1))
    faster = ["--seeds", "3", "--set", "train.epochs=40", "--workers", "1", "--out", str(tmp_path)]
    result = CliRunner().invoke(run_app, [str(path), *faster], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "In two channels, leaky ReLU loses less than ReLU." in result.output


def test_every_picture_and_file_it_names_is_there(text):
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    files = re.findall(r"`((?:bottleneck_lab|experiments|benchmarks)/[\w./]+)`", text)
    assert pictures
    assert [name for name in [*pictures, *files] if not (README.parent / name).exists()] == []


def test_every_option_it_shows_exists(text):
    shown = set(re.findall(r"(--[a-z][a-z-]+)", text))
    known = CliRunner().invoke(run_app, ["--help"]).output
    assert shown - set(re.findall(r"(--[a-z][a-z-]+)", known)) == set()
