"""What commands say of themselves, and of what may be set."""

import pytest
from typer.testing import CliRunner

from bottleneck_lab import __version__
from bottleneck_lab.cli import app, run_app
from bottleneck_lab.cli.ablations.settings_list import settings_of
from bottleneck_lab.config import load

COMMANDS = ("run", "describe", "report", "compare", "publish", "status", "new")


def said(*arguments, of=app):
    done = CliRunner().invoke(of, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_short_for_h_and_names_no_types_of_python(command):
    text = said(command, "-h")
    assert text == said(command, "--help")
    assert "list[" not in text


def test_the_version_is_told_by_both_commands():
    assert said("--version") == said("--version", of=run_app) == f"bottleneck_lab {__version__}\n"


def test_help_has_examples_to_copy():
    assert "bottleneck-lab describe linear_vs_relu" in said("--help")
    assert "run-ablation linear_vs_relu --tier smoke --dry-run" in said("run", "--help")


def test_every_setting_is_listed_with_its_value_and_nearly_all_with_a_meaning():
    found = {key: (value, meaning) for key, value, meaning in settings_of(load("linear_vs_relu"))}
    assert found["images.train.epochs"][1].startswith("passes over the training data")
    assert found["spiral.model.width"][0] == "varies"
    assert found["images.data.flip"][0] == "true"
    assert not any("dataset" in key or "family" in key for key in found)
    assert sum(bool(meaning) for _, meaning in found.values()) > 0.7 * len(found)


def test_variants_whose_blocks_are_alike_differ_in_where_their_shortcuts_are():
    lines = [line for line in said("describe", "residual_placement").splitlines() if "shortcuts: " in line]
    spirals = lines[:4]
    assert len(set(spirals)) == 4
    assert "around blocks 0-5 of 6, each from its input" in spirals[0]
    assert "around blocks 0-4 of 6" in spirals[1]
    assert "to the expansions of blocks 1-5" in spirals[2]
    assert spirals[3].endswith("shortcuts: none")
