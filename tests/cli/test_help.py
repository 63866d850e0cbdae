"""What commands say of themselves, and of what may be set."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from bottleneck_lab import __version__
from bottleneck_lab.cli import app, run_app
from bottleneck_lab.cli.ablations.settings_list import settings_of
from bottleneck_lab.config import load


def said(*arguments, of=app):
    done = CliRunner().invoke(of, [*arguments], catch_exceptions=False, env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.output


def commands_of(group, parent=None):
    """The context of each command below."""
    for name, command in group.commands.items():
        context = command.context_class(command, parent=parent, info_name=name)
        yield from commands_of(command, context) if hasattr(command, "commands") else [context]


ALL = typer.main.get_command(app)
COMMANDS = list(commands_of(ALL, ALL.context_class(ALL, info_name="bottleneck-lab")))
EXAMPLE = re.compile("^    ((?:bottleneck-lab|run-ablation|make-figures).*)$", re.MULTILINE)
of_each_command = pytest.mark.parametrize("context", COMMANDS, ids=lambda context: context.command_path)


@of_each_command
def test_help_fits_80_columns_and_names_no_types_of_python(context, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = context.get_help()
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<[a-z\[]", text)


@of_each_command
def test_the_examples_of_a_command_are_of_that_command_and_are_understood(context):
    examples = EXAMPLE.findall(context.get_help().partition("Example")[2])
    assert examples
    for example in examples:
        line = example.replace("run-ablation", "bottleneck-lab run").replace(
            "make-", "bottleneck-lab make-", 1
        )
        assert line.startswith(context.command_path)
        words = shlex.split(line.removeprefix(context.command_path))
        context.command.make_context(context.info_name, words, parent=context.parent)


@pytest.mark.parametrize("command", [(), ("run",), ("data",), ("bench", "split")], ids=" ".join)
def test_help_is_short_for_h(command):
    assert said(*command, "-h") == said(*command, "--help")


def test_the_version_is_told_by_both_commands():
    assert said("--version") == said("--version", of=run_app) == f"bottleneck_lab {__version__}\n"


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
