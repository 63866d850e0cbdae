import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app, run_app
from bottleneck_lab.cli.options import parse_seeds
from bottleneck_lab.config import catalogue
from bottleneck_lab.errors import LabError


def invoke(*arguments, app=app):
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("arguments", [["--help"], ["--list"], ["list"]])
def test_help_and_list_do_not_wait_for_torch(arguments):
    start = "main" if arguments == ["list"] else "run_ablation"
    script = f"""
import sys
sys.argv = ["x", *{arguments}]
from bottleneck_lab import cli
try:
    cli.{start}()
except SystemExit as end:
    assert not end.code, end.code
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL).returncode == 0


def test_help_answers_at_once():
    command = [sys.executable, "-c", "from bottleneck_lab.cli import main; main()", "--help"]
    seconds = []  # of a processor: what else the machine does is not the command's
    for _ in range(3):
        before = os.times()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(seconds) < 0.5


def test_the_list_names_every_ablation_and_tier():
    output = invoke("list")
    assert all(name in output for name in catalogue())
    assert all(tier in output for tier in ("smoke", "quick", "laptop", "paper"))
    assert invoke("--list", app=run_app) == output


@pytest.mark.parametrize("name", catalogue())
def test_every_ablation_describes_itself_in_80_columns(name):
    output = invoke("describe", name)
    assert "The paper reports" in output
    assert "Against it would count" in output
    assert max(map(len, output.splitlines())) <= 80


def test_a_description_draws_the_shortcut_where_there_is_one():
    images = invoke("describe", "linear_vs_relu").partition("\nlinear, shortcut\n")[2]
    with_shortcut, _, without = images.partition("\nlinear, no shortcut\n")
    assert "┐" in with_shortcut
    assert "+ input" in with_shortcut
    assert "┐" not in without[: without.index("relu6")]


def test_status_of_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(LabError, match="there is nothing here; results are made by `run-ablation"):
        invoke("status", "--out", tmp_path)


def test_status_counts_the_runs(mini, tmp_path):
    invoke(
        mini, "--tier", "smoke", "--dataset", "digits", "--workers", 1, "--out", tmp_path / "r", app=run_app
    )
    assert "mini/smoke: 6 done" in invoke("status", "--out", tmp_path / "r")


def test_data_that_is_not_there_is_said_to_be_missing_with_the_way_to_get_it():
    output = invoke("data", "find")
    assert "cifar10: not found; `bottleneck-lab data fetch cifar10` fetches it" in output.replace("\n  ", " ")


def test_a_misspelt_data_set_gets_the_nearest_name():
    with pytest.raises(LabError, match="did you mean 'cifar10'"):
        invoke("data", "verify", "cifar-10")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("3,7,8", [3, 7, 8]), ("10-12", [10, 11, 12]), ("1,4-5,1", [1, 4, 5]), (None, None)],
)
def test_seeds_are_a_number_a_list_or_a_range(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1.5", "3-", "5-3", "999999999999"])
def test_other_seeds_are_refused(text):
    with pytest.raises(LabError, match="give a number"):
        parse_seeds(text)


def test_status_of_a_name_that_is_a_path_finds_nothing(tmp_path):
    with pytest.raises(LabError, match="there is nothing here"):
        invoke("status", tmp_path)


def test_status_of_a_name_without_results_tells_those_that_have_some(tmp_path):
    (tmp_path / "mini" / "smoke").mkdir(parents=True)
    (tmp_path / "mini" / "smoke" / "plan.json").write_text("{}")
    with pytest.raises(LabError, match=r"has no results of 'minni'; did you mean 'mini'\?"):
        invoke("status", "minni", "--out", tmp_path)


def test_status_names_a_plan_it_cannot_read(tmp_path):
    plan = tmp_path / "mini" / "smoke" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text("{")
    assert "mini/smoke" in "".join(invoke("status", "--out", tmp_path).split())  # however it is folded


def test_an_ablation_without_the_quick_tier_is_described_by_the_tier_it_has(mini):
    text = mini.read_text()
    mini.write_text("\n".join(line for line in text.splitlines() if "quick" not in line))
    assert "linear" in invoke("describe", mini)
