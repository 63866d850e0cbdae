"""The ledger of claims, and the command that repeats each."""

import shlex

import pytest

from bottleneck_lab.cli.options import parse_seeds
from bottleneck_lab.config import load, parse_overrides
from bottleneck_lab.errors import LabError
from bottleneck_lab.published.ledger import ledger
from bottleneck_lab.published.repeat import repeat_command
from bottleneck_lab.records.results.plan import read_plan
from bottleneck_lab.report.write import write_report
from bottleneck_lab.runs.plan import Data, make_plan


def planned(tmp_path, data=("spiral", "cifar10"), tier="quick", seeds=None, overrides=None):
    plan = make_plan(load("linear_vs_relu"), tier, Data(data), seeds, overrides or {})
    plan.write(tmp_path)
    return read_plan(tmp_path)


def test_the_default_run_is_repeated_by_the_shortest_command(tmp_path):
    assert repeat_command(planned(tmp_path)) == "run-ablation linear_vs_relu"


def test_a_fallback_is_repeated_by_its_name(tmp_path):
    command = repeat_command(planned(tmp_path, ("spiral", "digits")))
    assert command == "run-ablation linear_vs_relu --dataset spiral --dataset digits"


def test_what_was_chosen_is_in_the_command(tmp_path):
    overrides = {"images": {"train": {"epochs": 3}}}
    command = repeat_command(planned(tmp_path, ("cifar10",), "laptop", [3, 7, 8], overrides))
    assert command.startswith("run-ablation linear_vs_relu --tier laptop --dataset cifar10 ")
    assert command.endswith("--seeds 3,7-8 --set images.train.epochs=3")


def test_a_setting_that_is_a_list_is_repeated_as_it_was_typed(tmp_path):
    stages = [{"t": 1, "c": 8, "n": 1, "s": 1}, {"t": 6, "c": 16, "n": 2, "s": 2}]
    overrides = {"model": {"stages": stages, "expansion": 6}}
    plan = planned(tmp_path, ("digits",)).model_copy(update={"overrides": overrides})
    words = shlex.split(repeat_command(plan))
    typed = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    assert parse_overrides(typed) == overrides


@pytest.mark.parametrize("seeds", [range(5), range(100, 112), [0], [4], [3, 7, 8, 1]])
def test_seeds_are_read_as_they_are_written(tmp_path, seeds):
    words = shlex.split(repeat_command(planned(tmp_path, ("digits",), "smoke", seeds)))
    assert parse_seeds(words[words.index("--seeds") + 1]) == list(seeds)


@pytest.fixture
def folder(leave_runs):
    # Contrasts of 0.01, 0.02 and 0.03: mean 0.02, standard deviation 0.01, t(0.975, 2) = 4.3027.
    def result(run):
        above = 0.01 * (run.seed + 1) if run.variant == "t=2, bottlenecks" else 0.0
        return {"accuracy": 0.5 + above}

    results = leave_runs(result=result)
    write_report(results)
    return results


def test_an_open_claim_says_how_many_seeds_would_decide_it(folder):
    row = next(line for line in ledger([folder]).splitlines() if line.startswith("| Shortcuts are better"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:6] == ["+1.51 points (ImageNet)", "digits", "+2.0", "[-0.5, +4.5]"]
    # sd 0.01, half-width 0.02, two claims: t(0.9875, 4) 0.01 / sqrt(5) = 0.0156 is narrow enough, with four
    # seeds it is 0.0209.
    assert cells[7:] == ["3", "**inconclusive**", "5"]


def test_verdicts_are_counted(folder):
    assert "**2 verdicts: 2 inconclusive.**" in ledger([folder])


def test_a_folder_that_lacks_its_summary_is_named(folder):
    (folder / "summary.json").unlink()
    with pytest.raises(LabError, match="publish it again"):
        ledger([folder])


@pytest.mark.parametrize("content", ["variant,cpu_seconds\nlinear,long\n", "variant\nlinear\n", "", None])
def test_a_table_that_does_not_say_what_runs_took_is_named(folder, content):
    (folder / "results.csv").unlink()
    if content is not None:
        (folder / "results.csv").write_text(content)
    with pytest.raises(LabError, match=r"results\.csv: does not say how long its runs took"):
        ledger([folder])
