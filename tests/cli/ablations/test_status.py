"""`status` while runs are queued, running and failed."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.engines.slurm.queue import Queued
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.under_way import UnderWay
from bottleneck_lab.runs.work import Workplace


@pytest.fixture
def plan(mini):
    return make_plan(load(str(mini)), "smoke", Data(("digits",)), None, {})


def status(out):
    done = CliRunner().invoke(app, ["status", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_is_running_is_shown_with_its_machine_and_the_rest_is_queued(plan, tmp_path):
    results = tmp_path / "mini" / "smoke"
    plan.write(results)
    running, waiting, *_ = plan_jobs(plan.runs())
    place = Workplace(results)
    with place.lock(running), place.lock(waiting):
        UnderWay(running.id, running.group, (running.runs[0].id,), "ray", "node7", 4711).write(results)
        UnderWay(waiting.id, waiting.group, (waiting.runs[0].id,), "ray").write(results)
        shown = status(tmp_path)
    assert "1 running" in shown
    assert "5 queued" in shown
    assert "(ray, node7, process 4711)" in " ".join(shown.split())
    assert "running" not in status(tmp_path)  # who is dead is not at work, whatever it has left


def test_what_slurm_has_is_queued_until_it_has_no_longer(plan, tmp_path, monkeypatch):
    results = tmp_path / "mini" / "smoke"
    plan.write(results)
    for job, number in zip(plan_jobs(plan.runs()), ("12_0", "12_1"), strict=False):
        Queued(job.id, job.run_ids, number, "killed").write(results)
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho '12_0|PENDING'\necho '12_1|COMPLETED'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    assert "5 not started, 1 queued" in status(tmp_path)
    squeue.write_text("#!/bin/sh\nexit 1\n")  # Slurm does not answer: then what was noted counts
    assert "4 not started, 2 queued" in status(tmp_path)


def test_a_run_that_failed_is_shown_with_its_reason_and_the_end_of_its_log(plan, tmp_path):
    results = tmp_path / "mini" / "smoke"
    plan.write(results)
    run = plan.runs()[0]
    RunFolder(results, run.id).fail(run, "MemoryError: no room", "first\nsecond\nthird\nfourth\n")
    shown = status(tmp_path)
    assert "MemoryError: no room" in shown
    assert shown.endswith("    | second\n    | third\n    | fourth\n")
    assert json.loads((results / "runs" / run.id / "result.json").read_text())["status"] == "failed"


def test_notes_that_say_nothing_of_a_job_are_left_out_and_named(plan, tmp_path):
    results = tmp_path / "mini" / "smoke"
    plan.write(results)
    job, *_ = plan_jobs(plan.runs())
    Queued(job.id, job.run_ids, 12, "killed").write(results)
    UnderWay(job.id, job.group, "all of them", "ray", 7).write(results)
    shown = status(tmp_path)
    assert "6 not started" in shown
    for folder in ("queue", "checkpoints"):
        assert f"left out: {folder}/{job.id}.json: says nothing of a job" in shown


@pytest.mark.parametrize("make", [Path.mkdir, lambda lock: lock.symlink_to(lock)], ids=["folder", "loop"])
def test_what_stands_in_the_place_of_a_lock_is_named_and_other_folders_are_shown(plan, tmp_path, make):
    for name in ("first", "second"):
        plan.write(tmp_path / name / "smoke")
    job, *_ = plan_jobs(plan.runs())
    UnderWay(job.id, job.group, (job.runs[0].id,), "ray").write(tmp_path / "first" / "smoke")
    lock = tmp_path / "first" / "smoke" / "checkpoints" / f"{job.group}.lock"
    make(lock)
    shown = " ".join(status(tmp_path).split())
    assert f"{lock.name}: is no lock" in shown
    assert "second/smoke: 6 not started" in shown
    with pytest.raises(LabError, match="is no lock, and stands in the place of one; remove it"):
        Workplace(tmp_path / "first" / "smoke").is_free(job)
