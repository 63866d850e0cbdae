import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.errors import LabError
from bottleneck_lab.report import write

LAB = [sys.executable, "-u", "-c", "from bottleneck_lab.cli import main; main()"]


def report(*arguments):
    done = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_report_is_made_again_from_disk_without_torch(digits_results, tmp_path):
    results = tmp_path / "tiny" / "smoke"
    shutil.copytree(digits_results, results)
    script = f"""
import sys
sys.argv = ["x", "report", {str(tmp_path)!r}]
from bottleneck_lab import cli
cli.app(standalone_mode=False)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 done" in done.stdout
    assert json.loads((results / "summary.json").read_text())["runs"] == {"planned": 4, "done": 4}


def test_watching_a_finished_folder_ends_at_once(digits_results, tmp_path):
    shutil.copytree(digits_results, tmp_path / "r")
    assert report(tmp_path / "r", "--watch", 600).count("4 done") == 1


def test_a_plan_that_cannot_be_read_keeps_no_other_report_from_being_made(digits_results, tmp_path):
    shutil.copytree(digits_results, tmp_path / "b" / "smoke")
    (tmp_path / "a" / "smoke").mkdir(parents=True)
    (tmp_path / "a" / "smoke" / "plan.json").write_text('{"abl')
    with pytest.raises(LabError, match="1 of 2 reports could not be made"):
        report(tmp_path)
    assert (tmp_path / "b" / "smoke" / "report.md").exists()


def test_a_report_that_stumbles_over_anything_keeps_no_other_from_being_made(
    digits_results, tmp_path, monkeypatch
):
    whole = write.write_report

    def stumbling(folder, *more):
        if folder.parent.name == "a":
            raise RuntimeError("whatever it is")
        return whole(folder, *more)

    monkeypatch.setattr(write, "write_report", stumbling)
    for name in "ab":
        shutil.copytree(digits_results, tmp_path / name / "smoke")
    with pytest.raises(LabError, match="1 of 2 reports could not be made"):
        report(tmp_path)
    assert (tmp_path / "b" / "smoke" / "report.md").exists()


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(LabError, match="holds no results"):
        report(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_watching_makes_a_report_when_a_run_ends_and_stops_with_the_last(digits_results, tmp_path):
    results = tmp_path / "r"
    shutil.copytree(digits_results, results)
    runs = sorted((results / "runs").iterdir())
    for run in runs[:2]:
        run.rename(tmp_path / run.name)
    with subprocess.Popen(
        [*LAB, "report", str(results), "--watch", "0.2"], stdout=subprocess.PIPE, text=True
    ) as watch:
        assert "2 done" in watch.stdout.readline()
        (tmp_path / runs[0].name).rename(runs[0])
        assert any("3 done" in line for line in watch.stdout)
        (tmp_path / runs[1].name).rename(runs[1])
        assert "4 done" in watch.stdout.read()
    assert watch.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_watching_without_an_error(digits_results, tmp_path):
    results = tmp_path / "r"
    shutil.copytree(digits_results, results)
    shutil.rmtree(next((results / "runs").iterdir()))
    with subprocess.Popen(
        [*LAB, "report", str(results), "--watch", "0.2"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else deaf, in the background
    ) as watch:
        assert "3 done" in watch.stdout.readline()
        time.sleep(0.3)
        os.kill(watch.pid, signal.SIGINT)
        assert "stopped watching" in watch.stdout.read()
    assert watch.returncode == 0
