"""The ways in: a module, completion, and a help that fits a terminal."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bottleneck_lab import cli
from bottleneck_lab.cli import completion
from bottleneck_lab.config import TIERS, catalogue
from bottleneck_lab.data.cifar import LAYOUTS
from bottleneck_lab.manifold.shapes import SHAPES
from bottleneck_lab.runs import engines


def commands(group, *above):
    for name, command in getattr(group, "commands", {}).items():
        yield (*above, name)
        yield from commands(command, *above, name)


EVERY = [(), *commands(cli.typer.main.get_command(cli.app))]


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "bottleneck_lab", "--help"], capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0
    assert "Usage: python -m bottleneck_lab" in done.stdout


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_help_fits_in_80_columns_whatever_the_terminal_has(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(cli.app, [*command, "--help"], prog_name="bottleneck-lab")
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bottleneck-lab ver", {"verify", "verify-figures"}),
        ("bottleneck-lab run linear_vs_relu_", {"linear_vs_relu_by_width", "linear_vs_relu_long"}),
        ("bottleneck-lab run --tier l", {"laptop"}),
        ("bottleneck-lab data fetch cifar100", {"cifar100"}),
        ("bottleneck-lab run --dataset dig", {"digits"}),
    ],
)
def test_a_shell_completes_what_is_typed(typed, offered):
    words = typed.split()
    asked = {
        "_BOTTLENECK_LAB_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = CliRunner().invoke(cli.app, [], prog_name="bottleneck-lab", env=asked)
    assert set(done.output.split()) == offered


def test_what_is_offered_is_what_there_is():
    assert set(completion.tiers("")) == set(TIERS)
    assert set(completion.engines("")) == set(engines.ENGINES)
    assert set(completion.image_files("")) == set(LAYOUTS)
    assert set(completion.shapes("")) == set(SHAPES)
    assert set(completion.ablations("")) == set(catalogue())
