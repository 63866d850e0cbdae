"""Planned looks: what is trained follows from the verdicts, and from nothing else."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from looks import LOOKS, results_of, seeds_of, summary_of
from typer.testing import CliRunner

from bottleneck_lab.cli import run_app
from bottleneck_lab.errors import LabError

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]


def run(folder, *arguments):
    command = [str(folder / "looks.toml"), "--out", str(folder / "results"), "--workers", "1", *arguments]
    return CliRunner().invoke(run_app, command, catch_exceptions=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which all looks have been taken."""
    folder = tmp_path_factory.mktemp("looks")
    (folder / "looks.toml").write_text(LOOKS)
    done = run(folder)
    assert done.exit_code == 0, done.output
    return folder, done.output


@pytest.fixture
def again(finished, tmp_path):
    """A copy of it."""
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_decided_claim_calls_for_no_more_runs_and_an_open_one_does(finished):
    assert seeds_of(finished[0]) == {"none": 4, "some": 12, "more": 12}
    claims = {c["id"]: (c["verdict"], c["look"], c["n_seeds"]) for c in summary_of(finished[0])["claims"]}
    assert claims == {"helps": ("supported", 1, 4), "helps_more": ("inconclusive", 3, 12)}
    assert len(results_of(finished[0])) == 4 + 12 + 12


def test_the_command_says_what_it_may_come_to_and_which_look_decided(finished):
    said = " ".join(finished[1].split())
    assert "3 variants x 4 seeds, then 8 and 12 where a claim is open" in said
    assert "12 to 36 runs" in said
    assert "4 seeds (look 1 of 3)" in said
    assert "to decide it: some" in said
    assert "at most 5 % of any wrong verdict. Family: spiral on spiral (2)" in said


def test_the_seeds_begin_where_the_file_says(finished):
    plan = json.loads((finished[0] / "results/looks/quick/plan.json").read_text())
    assert [*plan["variants"][0]["runs"]][:2] == ["100", "101"]
    assert plan["designs"]["spiral"]["looks"] == [4, 8, 12]


def test_whatever_the_way_there_the_end_is_the_same(finished, again):
    """As if it had been stopped after the second look began, and its reports were lost."""
    folder = again / "results/looks/quick"
    plan = json.loads((folder / "plan.json").read_text())
    for variant in plan["variants"]:
        for seed, name in variant["runs"].items():
            if int(seed) >= 104:
                shutil.rmtree(folder / "runs" / name, ignore_errors=True)
    done = run(again)
    assert "the claims that are open call for 8 more runs" in done.output
    assert results_of(again) == results_of(finished[0])
    assert summary_of(again) == summary_of(finished[0])


def command(folder):
    return subprocess.Popen(
        [*RUN, str(folder / "looks.toml"), "--out", str(folder / "results"), "--workers", "1"],
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_within_looks_it_ends_the_same(finished, tmp_path):
    (tmp_path / "looks.toml").write_text(LOOKS)
    ended = []
    for begun in (2, 14, 21):  # of 12 runs at the first look, and 8 at each of the others
        process = command(tmp_path)
        while process.poll() is None and len(list(tmp_path.glob("results/looks/quick/runs/*"))) < begun:
            time.sleep(0.001)
        process.kill()
        ended.append(process.wait())  # a run takes milliseconds, so a later one may have come to its end
    assert ended[0] == -signal.SIGKILL
    assert command(tmp_path).wait() == 0
    assert results_of(tmp_path) == results_of(finished[0])
    assert summary_of(tmp_path) == summary_of(finished[0])


def test_two_commands_at_once_take_the_looks_together(finished, tmp_path):
    (tmp_path / "looks.toml").write_text(LOOKS)
    assert [process.wait() for process in [command(tmp_path), command(tmp_path)]] == [0, 0]
    assert results_of(tmp_path) == results_of(finished[0])
    assert summary_of(tmp_path) == summary_of(finished[0])


def test_runs_that_no_look_called_for_count_nowhere(finished, again):
    plan = json.loads((again / "results/looks/quick/plan.json").read_text())
    never = next(v for v in plan["variants"] if v["name"] == "none")["runs"]["111"]
    runs = again / "results/looks/quick/runs"
    shutil.copytree(next(runs.iterdir()), runs / never)
    (runs / never / "result.json").write_text(
        json.dumps({"status": "done", "accuracy": 0.0, "variant": "none", "dataset": "spiral", "seed": 111})
    )
    assert run(again).exit_code == 0
    assert summary_of(again)["claims"] == summary_of(finished[0])["claims"]
    assert seeds_of(again)["none"] == 4


def test_a_run_that_failed_holds_up_the_looks_and_is_tried_again(finished, again):
    plan = json.loads((again / "results/looks/quick/plan.json").read_text())
    runs = next(v for v in plan["variants"] if v["name"] == "more")["runs"]
    folder = again / "results/looks/quick/runs"
    for seed in range(104, 112):
        shutil.rmtree(folder / runs[str(seed)])
    failed = {"variant": "more", "dataset": "spiral", "seed": 100, "status": "failed", "reason": "a test"}
    (folder / runs["100"] / "result.json").write_text(json.dumps(failed))
    (folder / runs["100"] / "error.txt").write_text("a test")
    assert run(again).exit_code == 0
    assert seeds_of(again)["more"] == 12


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        (["--seeds", "4"], "looks after 4, 8, 12 seeds", "fixed seeds"),
        ([], "looks after 4, 8, 12 seeds", "looks after 4, 8, 16 seeds"),
    ],
)
def test_planned_looks_stay_as_they_were_planned(again, arguments, before, after):
    if not arguments:
        (again / "looks.toml").write_text(LOOKS.replace("[4, 8, 12]", "[4, 8, 16]"))
    before_it = results_of(again)
    with pytest.raises(LabError, match=f"was planned with {before}, and this is {after}.*another --out"):
        run(again, *arguments)
    assert results_of(again) == before_it


def test_claims_of_planned_looks_stay_as_they_were_planned(again):
    (again / "looks.toml").write_text(LOOKS.replace("margin = 0.0001", "margin = 0.1"))
    with pytest.raises(LabError, match="and other claims, margins or weights"):
        run(again)


def test_fixed_seeds_are_never_turned_into_looks(again):
    (again / "results/looks/quick/plan.json").unlink()
    assert run(again, "--seeds", "100-103").exit_code == 0
    assert summary_of(again)["claims"][0]["looks"] is None
    with pytest.raises(LabError, match="was planned with fixed seeds, and this is looks after"):
        run(again)
    assert run(again, "--seeds", "100-104").exit_code == 0  # as ever
