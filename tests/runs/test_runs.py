"""Jobs, folders, locks, workers: an ablation is done once, whoever does it, and always ends alike."""

import itertools
import json
import multiprocessing
import os

import filelock
import numpy as np
import pytest
import torch
from here import execute

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.report.write import write_report
from bottleneck_lab.runs import execute as execute_module
from bottleneck_lab.runs import work as work_module
from bottleneck_lab.runs.engines import local
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, choose_data, make_plan
from bottleneck_lab.runs.under_way import is_held
from bottleneck_lab.runs.work import Workplace, do
from bottleneck_lab.training import Checkpoint
from bottleneck_lab.training import checkpoint as checkpoint_module

TOY_AND_DIGITS = Data(("spiral", "digits"))


def no_network(layout, deadline):
    raise LabError("no network in tests")


@pytest.fixture
def plan(mini):
    return make_plan(load(str(mini)), "smoke", TOY_AND_DIGITS, None, {})


def finish(plan, results, workers=1, listener=lambda event: None):
    jobs = plan_jobs(plan.runs())
    plan.write(results)
    execute(jobs, Workplace(results, "cpu"), workers, listener)
    return write_report(results)[1]


def contents(results):
    """Every file of every run that must not depend on how, when or where it was made."""
    return {
        path.relative_to(results).as_posix(): without_times(path)
        for path in sorted(results.glob("runs/*/*"))
        if path.name != "environment.json"
    }


def without_times(path):
    if path.name == "result.json":  # which has the checksums of files with times
        return {key: value for key, value in json.loads(path.read_text()).items() if key != "files"}
    if path.name != "metrics.jsonl":
        return path.read_bytes()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in record.items() if not k.endswith("seconds")} for record in records]


def test_toy_runs_of_one_shape_share_a_job_and_image_runs_do_not(plan):
    jobs = plan_jobs(plan.runs())
    sizes = sorted(len(job.runs) for job in jobs)
    assert sizes == [1] * 6 + [6, 6]  # 2 variants x 3 seeds of digits; two widths of 2 variants x 3 seeds
    assert sorted(run.id for job in jobs for run in job.runs) == sorted(run.id for run in plan.runs())


def test_a_toy_job_holds_at_most_eight_seeds(mini):
    plan = make_plan(load(str(mini)), "smoke", Data(("spiral",)), range(20), {})
    seeds = sorted({run.seed for run in job.runs} for job in plan_jobs(plan.runs()))
    assert max(map(len, seeds)) == 8


def test_equal_plans_have_equal_jobs_and_more_seeds_leave_full_jobs_alone(mini):
    def jobs(seeds):
        return {
            job.id
            for job in plan_jobs(make_plan(load(str(mini)), "smoke", Data(("spiral",)), seeds, {}).runs())
        }

    assert jobs(range(8)) == jobs(range(8))
    assert jobs(range(8)) < jobs(range(16))


def test_a_finished_run_leaves_its_six_files_and_its_weights(plan, tmp_path):
    finish(plan, tmp_path)
    for run in plan.runs():
        folder = tmp_path / "runs" / run.id
        assert {path.name for path in folder.iterdir()} == {
            "config.json", "correct.npy", "environment.json", "metrics.jsonl", "predictions.npy",
            "result.json", "weights.pt",
        }  # fmt: skip
        assert json.loads((folder / "config.json").read_text()) == json.loads(run.model_dump_json())
        environment = json.loads((folder / "environment.json").read_text())
        assert environment["threads"] == 1
        assert environment["wall_seconds"] > 0
        predictions = np.load(folder / "predictions.npy")
        result = json.loads((folder / "result.json").read_text())
        assert len(predictions) == (90 if run.dataset == "spiral" else 100)
        assert np.load(folder / "correct.npy").mean() == pytest.approx(result["accuracy"], abs=1e-6)
        assert result["status"] == "done"
        assert (
            result["accuracy"]
            == json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["accuracy"]
        )


def test_results_do_not_depend_on_the_number_of_workers(plan, tmp_path):
    one, two = finish(plan, tmp_path / "1", workers=1), finish(plan, tmp_path / "2", workers=2)
    assert one == two
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_second_start_trains_nothing(plan, tmp_path, monkeypatch):
    before = finish(plan, tmp_path)
    monkeypatch.setattr(work_module, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    events = []
    assert finish(plan, tmp_path, listener=events.append) == before
    assert all(event.share == 1.0 for event in events)


def test_more_seeds_keep_the_runs_that_are_there(mini, tmp_path):
    ablation = load(str(mini))
    few = make_plan(ablation, "smoke", Data(("digits",)), [0, 1], {})
    finish(few, tmp_path)
    before = contents(tmp_path)
    finish(make_plan(ablation, "smoke", Data(("digits",)), [0, 1, 2], {}), tmp_path)
    after = contents(tmp_path)
    assert before.items() < after.items()


def test_a_run_that_raises_is_named_with_its_reason_and_the_others_stand(plan, tmp_path, monkeypatch):
    train = work_module.train

    def failing(runs, **rest):
        if runs[0].variant == "relu6" and runs[0].seed == 1:
            raise MemoryError("no room for this one")
        return train(runs, **rest)

    monkeypatch.setattr(work_module, "train", failing)
    summary = finish(plan, tmp_path)
    assert summary.runs == {"planned": 18, "done": 17, "failed": 1}
    relu6 = next(v for v in summary.variants if v.name == "relu6")
    assert relu6.n_seeds == 2
    failed = next(run for run in plan.runs() if run.variant == "relu6" and run.seed == 1)
    folder = RunFolder(tmp_path, failed.id)
    assert folder.result()["reason"] == "MemoryError: no room for this one"
    assert "Traceback" in (folder.path / "error.txt").read_text()
    assert "no room for this one" in (tmp_path / "report.md").read_text()

    monkeypatch.setattr(work_module, "train", train)  # started again, it is tried again
    assert finish(plan, tmp_path).runs == {"planned": 18, "done": 18}
    assert not (folder.path / "error.txt").exists()


def test_a_job_that_another_process_holds_is_left_to_it(plan, tmp_path):
    job = plan_jobs(plan.runs())[0]
    place = Workplace(tmp_path, "cpu")
    with filelock.FileLock(place.lock(job).lock_file):
        assert do(job, place) is False
    assert do(job, place) is True


def test_who_waits_for_another_process_starts_no_workers_meanwhile(mini, tmp_path, monkeypatch):
    plan = make_plan(load(str(mini)), "smoke", Data(("digits",)), [0], {})
    place, jobs = Workplace(tmp_path, "cpu"), plan_jobs(plan.runs())
    held = [filelock.FileLock(place.lock(job).lock_file) for job in jobs]
    for lock in held:
        lock.acquire()
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            for lock in held:
                lock.release()

    monkeypatch.setattr(execute_module.time, "sleep", nap)
    pools = []
    real = local._Pool
    monkeypatch.setattr(local, "_Pool", lambda *args: pools.append(len(naps)) or real(*args))
    assert finish(plan, tmp_path, workers=2).runs == {"planned": 2, "done": 2}
    assert pools == [3]


def test_what_was_finished_elsewhere_meanwhile_is_not_trained_again(plan, tmp_path, monkeypatch):
    job = plan_jobs(plan.runs())[0]
    place = Workplace(tmp_path, "cpu")
    do(job, place)
    monkeypatch.setattr(work_module, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert do(job, place) is True


def test_a_batch_that_was_killed_while_its_results_were_written_ends_in_the_same_bits(
    plan, tmp_path, monkeypatch
):
    finish(plan, tmp_path / "undisturbed")
    real, count = RunFolder.finish, 0

    class KilledError(BaseException):
        pass

    def finish_three_and_die(self, *arguments):
        nonlocal count
        count += 1
        if count == 4:
            raise KilledError
        real(self, *arguments)

    jobs = [job for job in plan_jobs(plan.runs()) if len(job.runs) == 6]
    place = Workplace(tmp_path / "killed", "cpu")
    monkeypatch.setattr(RunFolder, "finish", finish_three_and_die)
    with pytest.raises(KilledError):
        do(jobs[0], place)
    monkeypatch.setattr(RunFolder, "finish", real)
    assert len(jobs[0].unfinished(place.results)) == 3
    finish(plan, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


class Killer:
    """A listener that kills the workers, each of the first `times` that it hears of a job of width 3."""

    def __init__(self, times):
        self.left = times

    def __call__(self, event):
        wide = len(event.job.runs) > 1 and event.job.runs[0].model.width == 3
        if wide and event.share < 1 and self.left:
            self.left -= 1
            for worker in multiprocessing.active_children():
                worker.kill()


def test_workers_that_are_killed_once_take_no_run_with_them(plan, tmp_path):
    killer = Killer(times=1)
    summary = finish(plan, tmp_path, workers=2, listener=killer)
    assert killer.left == 0
    assert summary.runs == {"planned": 18, "done": 18}


def test_a_job_that_always_kills_its_worker_fails_and_no_other_does(mini, tmp_path):
    longer = {"spiral": {"train": {"epochs": 3000, "evaluate_every": 500}}}
    plan = make_plan(load(str(mini)), "smoke", TOY_AND_DIGITS, None, longer)
    summary = finish(plan, tmp_path, workers=2, listener=Killer(times=1000))
    assert summary.runs == {"planned": 18, "done": 12, "failed": 6}
    failed = {run.id for run in plan.runs() if RunFolder(tmp_path, run.id).status() == "failed"}
    assert failed == {run.id for run in plan.runs() if getattr(run.model, "width", 0) == 3}


def spiral_plan(mini, seeds):
    return make_plan(load(str(mini)), "smoke", Data(("spiral",)), range(seeds), {})


def test_jobs_that_share_a_run_share_a_lock(mini, tmp_path):
    few, many = plan_jobs(spiral_plan(mini, 3).runs()), plan_jobs(spiral_plan(mini, 8).runs())
    place = Workplace(tmp_path, "cpu")
    for a, b in itertools.product(few, many):
        assert (place.lock(a).lock_file == place.lock(b).lock_file) == bool(set(a.runs) & set(b.runs))


def test_a_batch_that_is_gone_on_with_leaves_alone_what_others_have_finished(mini, tmp_path, monkeypatch):
    """Seeds 0 to 7 are begun and killed, 0 to 2 finished by another command, then 0 to 7 gone on with."""
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    place = Workplace(tmp_path, "cpu")
    [many, *_], [few, *_] = (plan_jobs(spiral_plan(mini, seeds).runs()) for seeds in (8, 3))
    assert set(few.runs) < set(many.runs)

    class KilledError(BaseException):
        pass

    def kill(share, record):
        raise KilledError

    with pytest.raises(KilledError):
        do(many, place, kill)
    do(few, place)
    folders = [tmp_path / "runs" / run.id for run in few.runs]
    finished = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    with pytest.raises(KilledError):
        do(many, place, kill)
    do(many, place)
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == finished
    assert not many.unfinished(tmp_path)


def test_a_checkpoint_of_another_network_costs_one_failure_and_not_the_run(plan, tmp_path):
    job = next(job for job in plan_jobs(plan.runs()) if len(job.runs) == 1)
    place = Workplace(tmp_path, "cpu")
    alien = {"runs": [job.runs[0].id], "records": [{"epoch": 1}], "network": {"other": torch.zeros(1)}}
    Checkpoint(place.checkpoint(job)).save(alien, now=True)
    do(job, place)
    assert RunFolder(tmp_path, job.runs[0].id).status() == "failed"
    do(job, place)
    assert RunFolder(tmp_path, job.runs[0].id).status() == "done"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_is_full_ends_the_command_and_fails_no_run(plan, tmp_path, monkeypatch, workers):
    def full(self, run):
        raise OSError(28, "No space left on device")

    if workers == 1:
        monkeypatch.setattr(RunFolder, "start", full)
    else:  # workers are processes of their own: what they cannot write is a folder under a file
        (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"No space left|Not a directory|exists"):
        execute(plan_jobs(plan.runs()), Workplace(tmp_path, "cpu"), workers, lambda event: None)


# ------------------------------------------------------------------------------------------- choice of data


def test_without_cifar_the_images_are_digits_and_a_notice_says_so(mini, tmp_path):
    data = choose_data(load(str(mini)), (), None, "quick", no_network)
    assert data.names == ("spiral", "digits")
    assert "CIFAR-10 was not found" in data.notices[0]
    assert "digits" in data.notices[0]


def test_a_data_set_that_was_asked_for_has_no_substitute(mini):
    with pytest.raises(LabError, match="no network in tests"):
        choose_data(load(str(mini)), ("cifar10",), None, "quick", no_network)


def test_an_unasked_for_download_is_given_ten_seconds_and_an_asked_for_one_all_it_needs(mini):
    deadlines = []

    def fetch(layout, deadline):
        deadlines.append(deadline)
        raise LabError("not here")

    choose_data(load(str(mini)), (), None, "quick", fetch)
    with pytest.raises(LabError):
        choose_data(load(str(mini)), ("cifar10",), None, "quick", fetch)
    assert deadlines == [10.0, None]


def test_the_smoke_tier_downloads_nothing_unasked(mini):
    data = choose_data(
        load(str(mini)), (), None, "smoke", lambda layout, deadline: pytest.fail("went to the network")
    )
    assert data.names == ("spiral", "digits")


def test_a_data_set_the_ablation_cannot_run_on_is_refused_with_those_it_can(mini):
    with pytest.raises(
        LabError, match="cifar100: mini cannot run on it; it runs on: spiral, cifar10, digits"
    ):
        choose_data(load(str(mini)), ("cifar100",), None, "quick", no_network)


def test_damaged_files_are_refused_before_any_training(mini, tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(b"\0" * 100)
    with pytest.raises(LabError, match=r"data_batch_1\.bin"):
        choose_data(load(str(mini)), (), tmp_path, "quick", no_network)


def test_a_folder_that_was_named_and_does_not_hold_the_images_is_refused(mini, tmp_path):
    with pytest.raises(
        LabError, match=r"--data-dir .*: CIFAR-10 is not in it; it must hold data_batch_1\.bin"
    ):
        choose_data(load(str(mini)), (), tmp_path, "quick", no_network)


def test_a_lock_that_must_not_be_opened_is_as_good_as_held(tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "g.lock"
    assert not is_held(path)
    path.touch()
    assert not is_held(path)
    monkeypatch.setattr(os, "open", refuse)
    assert is_held(path)
