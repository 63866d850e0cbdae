"""The commands as a user runs them: in processes of their own, by what they print and leave and return."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from bottleneck_lab.runs.engines.slurm.queue import Queued

REAL_CIFAR = os.environ.get("BOTTLENECK_LAB_DATA")  # before the tests are cut off from it

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
LAB = [sys.executable, "-c", "from bottleneck_lab.cli import main; main()"]


def call(command, *arguments, cwd, **environment):
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def summary(folder):
    return json.loads((folder / "results" / "mini" / "smoke" / "summary.json").read_text())


def test_an_ablation_goes_from_its_file_to_a_table_verdicts_and_a_report(mini, tmp_path):
    done = call(RUN, mini, "--tier", "smoke", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "CIFAR-10 was not found" in done.stdout
    assert "linear" in done.stdout
    assert done.stderr == ""
    details, _, end = done.stdout.rpartition("report: ")
    path, *answer = end.splitlines()
    report = tmp_path / path
    assert "CIFAR-10 was not found" in report.read_text()
    found = summary(tmp_path)
    assert found["datasets"] == ["spiral", "digits"]
    assert {variant["n_seeds"] for variant in found["variants"]} == {3}
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "held-out accuracy, mean over 3 seeds" in details
    assert any(line.startswith("inconclusive") for line in answer)
    assert any(line.startswith("digits: ") for line in answer[-6:])


@pytest.mark.skipif(REAL_CIFAR is None, reason="BOTTLENECK_LAB_DATA names no folder with the official files")
def test_the_real_images_are_trained_on_where_they_are_at_hand(mini, tmp_path):
    few = ("--set", "images.data.train_images=256", "--set", "images.data.held_out_images=100")
    done = call(RUN, mini, "--tier", "smoke", *few, cwd=tmp_path, BOTTLENECK_LAB_DATA=REAL_CIFAR)
    assert done.returncode == 0, done.stderr
    assert "was not found" not in done.stdout
    assert summary(tmp_path)["datasets"] == ["spiral", "cifar10"]
    assert (
        "md5 of data_batch_5.bin: 53f37980c15c3d472c316c40844f3f0d"
        in next(tmp_path.glob("**/report.md")).read_text()
    )


def test_only_what_was_asked_for_is_run(mini, tmp_path):
    arguments = ("--tier", "smoke", "--dataset", "digits", "--seeds", "5-6", "--set", "train.epochs=1")
    assert call(RUN, mini, *arguments, "--workers", 1, cwd=tmp_path).returncode == 0
    found = summary(tmp_path)
    assert found["datasets"] == ["digits"]
    assert {variant["n_seeds"] for variant in found["variants"]} == {2}
    configs = list((tmp_path / "results").glob("**/config.json"))
    seeds = sorted(json.loads(path.read_text())["seed"] for path in configs)
    assert seeds == [5, 5, 6, 6]


def test_a_dry_run_counts_and_trains_nothing(mini, tmp_path):
    done = call(RUN, mini, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "22 runs" in done.stdout  # 4 variants x 4 seeds and 2 x 3
    assert "MAdds" in done.stdout
    assert "MB of disk" in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing_like_it"], "There is no ablation 'nothing_like_it'"),
        (["linear_vs_rely"], "did you mean 'linear_vs_relu'?"),
        (["no/such/file.toml"], "cannot be read"),
        (["linear_vs_relu", "--tier", "quik"], "did you mean 'quick'?"),
        (["linear_vs_relu", "--set", "train.epochs"], "write it as section.key=value"),
        (["linear_vs_relu", "--set", "train.epoch=3"], "did you mean 'epochs'?"),
        (["linear_vs_relu", "--seeds", "few"], "give a number"),
        (["linear_vs_relu", "--dataset", "cifar"], "did you mean 'cifar10'?"),
        (["linear_vs_relu", "--device", "abacus"], "there is: "),
        (["linear_vs_relu", "--engine", "slrum"], "did you mean 'slurm'?"),
        (["linear_vs_relu", "--address", "auto"], "the engine local does not take it"),
        (["linear_vs_relu", "--workers", "0"], "greater than or equal to 1"),
        (["linear_vs_relu", "--no-such-option"], "no-such-option"),
    ],
)
def test_wrong_usage_gets_a_sentence_and_exit_code_2(arguments, sentence, tmp_path):
    done = call(RUN, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_an_engine_whose_package_is_missing_is_refused_with_the_line_that_gets_it(mini, tmp_path):
    without = [sys.executable, "-c", "import sys; sys.modules['ray'] = None; " + RUN[2]]
    done = call(without, mini, "--tier", "smoke", "--engine", "ray", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'bottleneck-lab[ray]'" in done.stderr
    assert not (tmp_path / "results").exists()


def test_cifar_that_was_asked_for_and_is_not_to_be_had_is_an_error_that_says_what_to_do(mini, tmp_path):
    no_network = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = call(RUN, mini, "--tier", "smoke", "--dataset", "cifar10", cwd=tmp_path, **no_network)
    assert done.returncode == 2
    assert "--data-dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_named(mini, tmp_path):
    (tmp_path / "results").write_text("a file where the folder should be")
    done = call(RUN, mini, "--tier", "smoke", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_a_run_that_failed_is_named_and_the_exit_code_is_1(mini, tmp_path):
    wild = ("--set", "images.train.learning_rate=1e30", "--set", "images.train.epochs=30")
    done = call(RUN, mini, "--tier", "smoke", *wild, cwd=tmp_path)
    assert done.returncode == 1
    assert "diverged: linear, digits, seed 0" in done.stdout
    found = summary(tmp_path)
    assert [v["n_seeds"] for v in found["variants"]] == [3, 3, 3, 3, 0, 0]


LONG = ("--tier", "smoke", "--dataset", "digits", "--set", "train.epochs=40")


def wait_for(condition, seconds=150):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def epochs_so_far(folder):
    return sum(len(path.read_text().splitlines()) for path in folder.glob("results/**/metrics.jsonl"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_three_moments_and_started_again_it_ends_as_if_undisturbed(mini, tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    # A checkpoint after every epoch, so that there is something to go on from; and every epoch leaves a mark.
    patch = """
import bottleneck_lab.training.checkpoint as c, bottleneck_lab.training.images as i
c.SECONDS_BETWEEN = 0
train_epoch = i.train_epoch
def marked(*arguments):
    open("epochs", "a").write(".")
    return train_epoch(*arguments)
i.train_epoch = marked
"""
    patched = [sys.executable, "-c", patch + RUN[2]]
    arguments = [*map(str, (mini, *LONG)), "--workers", "1", "--seeds", "1"]
    assert call(patched, *arguments, cwd=undisturbed).returncode == 0
    for moment in (1, 25, 55):  # of 2 runs x 40 epochs
        process = subprocess.Popen([*patched, *arguments], cwd=killed, stdout=subprocess.DEVNULL)
        wait_for(lambda moment=moment: epochs_so_far(killed) >= moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert call(patched, *arguments, cwd=killed).returncode == 0
    epochs = len((undisturbed / "epochs").read_text())
    assert epochs == 2 * 40
    assert epochs <= len((killed / "epochs").read_text()) <= epochs + 3 * 2  # it went on, not from the start
    kept = [path for name in ("summary.json", "predictions.npy") for path in undisturbed.glob(f"**/{name}")]
    assert len(kept) == 1 + 2
    for path in kept:
        assert (killed / path.relative_to(undisturbed)).read_bytes() == path.read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_says_how_to_go_on_and_leaves_no_process_behind(mini, tmp_path, workers):
    process = subprocess.Popen(
        [*RUN, *map(str, (mini, *LONG)), "--workers", str(workers)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else deaf, in the background
    )  # fmt: skip
    wait_for(lambda: epochs_so_far(tmp_path) > 0)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    command = shlex.split(errors.rpartition("to go on: ")[2])
    assert command[1:] == [*map(str, (mini, *LONG)), "--workers", str(workers)]
    assert "Traceback" not in errors
    wait_for(lambda: not group_alive(process.pid), 10)


def group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_workers_do_not_outlive_a_parent_that_is_killed(mini, tmp_path):
    process = subprocess.Popen(
        [*RUN, *map(str, (mini, *LONG)), "--workers", "2"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: epochs_so_far(tmp_path) > 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not group_alive(process.pid), 10)


def test_two_processes_on_one_folder_share_the_work(mini, tmp_path):
    arguments = [*RUN, *map(str, (mini, *LONG)), "--workers", "1"]
    both = [subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert summary(tmp_path)["runs"] == {"planned": 6, "done": 6}


def test_fresh_trains_again(mini, tmp_path):
    arguments = (mini, "--tier", "smoke", "--dataset", "digits", "--workers", 1)
    call(RUN, *arguments, cwd=tmp_path)
    results = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("**/result.json"))]
    call(RUN, *arguments, cwd=tmp_path)
    assert [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("**/result.json"))] == results
    call(RUN, *arguments, "--fresh", cwd=tmp_path)
    again = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("**/result.json"))]
    assert all(new > old for new, old in zip(again, results, strict=True))


def test_fresh_does_not_take_the_runs_from_under_another_process(mini, tmp_path):
    arguments = [*map(str, (mini, *LONG)), "--workers", "1"]
    process = subprocess.Popen([*RUN, *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: epochs_so_far(tmp_path) > 0)
    done = call(RUN, *arguments, "--fresh", cwd=tmp_path)
    assert done.returncode == 2
    assert "another process is at work on these runs" in done.stderr
    assert process.wait(120) == 0


def test_fresh_does_not_forget_runs_that_slurm_has_queued(mini, tmp_path):
    arguments = (mini, "--tier", "smoke", "--dataset", "digits", "--set", "train.epochs=1", "--workers", 1)
    call(RUN, *arguments, cwd=tmp_path)
    runs = sorted(tmp_path.glob("results/mini/smoke/runs/*"))
    queued = Queued("0123456789abcdef", (runs[0].name,), "12_3", "killed")
    queued.write(tmp_path / "results" / "mini" / "smoke")
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho '12_3|PENDING'\n")
    squeue.chmod(0o755)
    path = f"{squeue.parent}:{os.environ['PATH']}"
    done = call(RUN, *arguments, "--fresh", cwd=tmp_path, PATH=path)
    assert done.returncode == 2
    assert "cancel them first: scancel 12\n" in done.stderr
    assert sorted(tmp_path.glob("results/mini/smoke/runs/*")) == runs
    squeue.write_text("#!/bin/sh\n")
    assert call(RUN, *arguments, "--fresh", cwd=tmp_path, PATH=path).returncode == 0


def test_another_ablation_of_the_same_name_does_not_mix_with_the_first(mini, tmp_path):
    arguments = ("--tier", "smoke", "--dataset", "digits", "--set", "train.epochs=1", "--workers", 1)
    assert call(RUN, mini, *arguments, cwd=tmp_path).returncode == 0
    other = tmp_path / "other" / "mini.toml"
    other.parent.mkdir()
    other.write_text(mini.read_text().replace("Does the mini ablation run?", "Does another one?"))
    done = call(RUN, other, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "another ablation of this name (Does the mini ablation run?)" in done.stderr


def test_a_setting_that_fits_one_of_the_data_sets_is_not_refused_early(mini, tmp_path):
    more = ("--set", "images.data.train_images=8000")  # the digits have fewer
    done = call(RUN, mini, "--dry-run", "--dataset", "cifar10", *more, "--data-dir", tmp_path, cwd=tmp_path)
    assert "CIFAR-10 is not in it" in done.stderr  # it got as far as looking for the images
    done = call(RUN, mini, "--dry-run", "--dataset", "digits", *more, cwd=tmp_path)
    assert "train_images = 8000: digits has only 1197" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_three_times_within_a_second_is_one_interruption(mini, tmp_path):
    process = subprocess.Popen(
        [*RUN, *map(str, (mini, *LONG)), "--workers", "2"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else deaf, in the background
    )  # fmt: skip
    wait_for(lambda: epochs_so_far(tmp_path) > 0)
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    (line,) = errors.strip().splitlines()
    assert line.startswith("Interrupted")
    wait_for(lambda: not group_alive(process.pid), 10)
