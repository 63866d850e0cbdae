"""A real Ray cluster of two nodes on this machine: what it does ends as it does without."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from looks import LOOKS, results_of, seeds_of, summary_of

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.engines import read_options
from bottleneck_lab.runs.engines.ray import node
from bottleneck_lab.runs.engines.ray.engine import RayEngine
from bottleneck_lab.runs.execute import drive
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "OMP_NUM_THREADS": "1",
}


# On the nodes, too: a mark for each epoch, which waits while there is a file `hold`, so that what is killed
# then is in the middle.
PATCH = """
import os, time
import bottleneck_lab.training.images as i
train_epoch = i.train_epoch
def marked(*arguments):
    with open({epochs!r}, "a") as marks:
        marks.write(".")
    while os.path.exists({hold!r}):
        time.sleep(0.05)
    return train_epoch(*arguments)
i.train_epoch = marked
"""


def wait_for(condition, seconds=150):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Node:
    """What `ray start` starts: a group of processes, with one processor for runs."""

    def __init__(self, log, *arguments):
        start = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
        small = ("--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000", "--block")
        command = [sys.executable, "-c", start, "start", *arguments, *small]
        with log.open("wb") as stream:
            self._process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
        try:
            wait_for(lambda: b"runtime started" in log.read_bytes())
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        """All of it at once; Ray gives its workers process groups, but no sessions, of their own."""
        for process in list(Path("/proc").glob("[0-9]*/stat")):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                session = int(process.read_text().rpartition(")")[2].split()[3])
                if session == self._process.pid:
                    os.kill(int(process.parent.name), signal.SIGKILL)
        self._process.wait(10)


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """The address of two nodes, and the second of them."""
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as short:  # for its sockets
        first = ("--head", f"--port={address.partition(':')[2]}", f"--temp-dir={short}")
        quiet = ("--include-dashboard=false", f"--ray-client-server-port={free_port()}")
        nodes = [Node(tmp_path / "first.log", *first, *quiet)]
        try:
            nodes.append(Node(tmp_path / "second.log", f"--address={address}"))
            yield address, nodes[1]
        finally:
            for node in nodes:
                node.kill()


def without_checksums(path):
    """What a file holds, a result without the checksums of files with times."""
    if path.name != "result.json":
        return path.read_bytes()
    return {key: value for key, value in json.loads(path.read_bytes()).items() if key != "files"}


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): without_checksums(path)
        for name in ("summary.json", "result.json", "predictions.npy", "correct.npy", "weights.pt")
        for path in folder.glob(f"results/**/{name}")
    }


def test_a_node_that_is_killed_takes_no_run_with_it_and_the_summary_is_that_of_this_machine(
    cluster, mini, tmp_path
):
    address, second = cluster
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    marks, hold, patch = (tmp_path / name for name in ("epochs", "hold", "patch.py"))
    patch.write_text(PATCH.format(epochs=str(marks), hold=str(hold)))
    arguments = [*RUN, str(mini), "--tier", "smoke", "--dataset", "digits", "--seeds", "2"]
    arguments += ["--set", "train.epochs=20", "--include", str(patch)]
    subprocess.run([*arguments, "--workers", "1"], cwd=here, check=True, capture_output=True, timeout=120)
    assert len(marks.read_text()) == 4 * 20
    marks.unlink()
    hold.touch()
    on_ray = [*arguments, "--engine", "ray", "--address", address]
    driver = subprocess.Popen(on_ray, cwd=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def at_work():
        takers = [json.loads(path.read_text()) for path in there.glob("results/**/checkpoints/*.json")]
        return sum(taker["host"] is not None for taker in takers)

    wait_for(lambda: at_work() == 2 and marks.exists() and len(marks.read_text()) == 2)  # one on each node
    second.kill()
    hold.unlink()
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, output
    assert len(marks.read_text()) == 4 * 20 + 1  # the epoch that was killed
    assert contents(there) == contents(here)
    assert len(contents(there)) == 1 + 4 * 4
    assert not list(there.glob("results/**/checkpoints/*.json"))


def test_planned_looks_are_taken_there_as_here(cluster, tmp_path):
    (tmp_path / "looks.toml").write_text(LOOKS.replace("[4, 8, 12]", "[4, 8]"))
    here, there = tmp_path / "here", tmp_path / "there"
    arguments = [*RUN, str(tmp_path / "looks.toml")]
    on_ray = ["--engine", "ray", "--address", cluster[0]]
    for folder, where in ((here, ["--workers", "1"]), (there, on_ray)):
        folder.mkdir()
        subprocess.run([*arguments, *where], cwd=folder, check=True, capture_output=True, timeout=200)
    assert seeds_of(there) == {"none": 4, "some": 8, "more": 8}
    assert results_of(there) == results_of(here)
    assert summary_of(there) == summary_of(here)


# -------------------------------------------------------------------------- a Ray whose words are made up


def engine_on(ray, nodes, results, *options):
    """An engine on nodes of so many processors and GPUs."""
    resources = [{"CPU": float(cpus), "GPU": float(gpus)} for cpus, gpus in nodes]
    total = {key: sum(each[key] for each in resources) for key in ("CPU", "GPU")}
    ray.exceptions = pytest.importorskip("ray").exceptions
    ray.nodes.return_value = [{"Alive": True, "Resources": each} for each in resources]
    ray.nodes.return_value += [{"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}]
    ray.cluster_resources.return_value = total
    return RayEngine(ray, Workplace(results, "cpu"), None, read_options("ray", options))


@pytest.mark.parametrize(
    ("nodes", "options", "asked"),
    [
        ([(2, 0)], ["cpus=2"], None),
        ([(2, 0), (2, 0)], ["cpus=3"], "asks for 3 processors: "),
        ([(2, 0)], ["gpus=1"], "asks for 1 processor and a GPU: "),
        ([(1, 1), (4, 0)], ["cpus=2", "gpus=1"], "asks for 2 processors and a GPU: "),
        ([(4, 1)], ["cpus=2", "gpus=1", "per_gpu=4"], None),
        ([], [], "asks for 1 processor: "),
    ],
)
def test_what_no_node_has_room_for_is_said_at_the_start(nodes, options, asked, tmp_path):
    notice = engine_on(MagicMock(), nodes, tmp_path, *options).notice
    assert (notice == "") if asked is None else (asked in notice)


@pytest.fixture
def job(mini):
    return plan_jobs(make_plan(load(str(mini)), "smoke", Data(("digits",)), None, {}).runs())[0]


def test_a_run_that_does_not_come_back_twice_is_given_up(job, tmp_path):
    ray = MagicMock()
    ray.get.return_value = {}
    ray.wait.side_effect = lambda refs, num_returns=1, timeout=None, fetch_local=True: (refs[:1], refs[1:])
    drive([job], engine_on(ray, [(2, 0)], tmp_path), lambda event: None)
    [run] = job.runs
    reason = RunFolder(tmp_path, run.id).result()["reason"]
    assert reason == f"given up after two tries (nothing has come back of run {run.id})"


@pytest.mark.parametrize("how", ["RaySystemError", "ConnectionError", "RpcError"])
def test_a_cluster_that_is_gone_is_a_sentence_and_lets_go_of_the_jobs(how, job, tmp_path):
    ray = MagicMock()
    engine = engine_on(ray, [(2, 0)], tmp_path)
    gone = {
        "RaySystemError": ray.exceptions.RaySystemError("GCS is gone"),
        "ConnectionError": ConnectionError("Client is shutting down."),
        "RpcError": pytest.importorskip("grpc").RpcError("unavailable"),
    }[how]
    ray.wait.side_effect = ray.cancel.side_effect = gone
    with pytest.raises(LabError, match="the Ray cluster cannot be reached any more"), engine:
        drive([job], engine, lambda event: None)
    assert engine.place.is_free(job)


def test_the_folders_of_killed_tasks_are_swept_away(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        (tmp_path / f"{node.FOLDERS}{pid}-x").mkdir()
    node.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f"{node.FOLDERS}{os.getpid()}-x"]
