"""A real Slurm on this machine: what is requeued and started again there ends as it does without."""

import contextlib
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("submitit", reason="submitit is not installed")
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed here: no {', '.join(MISSING)}")

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]

# In the worker, too: a checkpoint after every epoch, so that there is something to go on from, and a mark.
PATCH = """
import bottleneck_lab.training.checkpoint as c, bottleneck_lab.training.images as i
c.SECONDS_BETWEEN = 0
train_epoch = i.train_epoch
def marked(*arguments):
    with open("epochs", "a") as marks:
        marks.write(".")
    return train_epoch(*arguments)
i.train_epoch = marked
"""

CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
JobRequeue=1
KillWait=1
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def asked(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """Its daemons in the foreground, with ports and a key of their own."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "key").write_bytes(secrets.token_bytes(1024))
    (folder / "key").chmod(0o600)
    with contextlib.ExitStack() as free:
        sockets = [free.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [each.getsockname()[1] for each in sockets]
    host = socket.gethostname().partition(".")[0]
    conf = CONF.format(host=host, user=getpass.getuser(), folder=folder, ports=ports)
    (folder / "slurm.conf").write_text(conf)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    kept = {key: folder / key.partition("-")[0] for key in ("key-file", "pid-file", "log-file", "seed-file")}
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge"]
    munged += [f"--{key}={path}" for key, path in kept.items()]
    log = (folder / "daemons.log").open("wb")
    begun = [subprocess.Popen(munged, stdout=log, stderr=log)]
    try:
        wait_for((folder / "munge").exists, 10)
        begun += [subprocess.Popen([name, "-D"], stdout=log, stderr=log) for name in ("slurmctld", "slurmd")]
        wait_for(lambda: "idle" in asked("sinfo", "--noheader", "--format=%T"), 30)
        yield
    finally:
        asked("scancel", "--me", "--full", "--signal=KILL")
        asked("scancel", "--me")
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not asked("squeue", "--noheader"), 10)
        for daemon in reversed(begun):
            daemon.terminate()
        for daemon in begun:
            daemon.wait(10)
        log.close()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("summary.json", "result.json", "predictions.npy", "correct.npy", "weights.pt")
        for path in folder.glob(f"results/**/{name}")
    }


def epochs(folder):
    marks = folder / "epochs"
    return len(marks.read_text()) if marks.exists() else 0


@pytest.mark.usefixtures("slurm")
def test_requeued_and_with_a_driver_that_is_killed_it_ends_as_on_this_machine(mini, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (tmp_path / "patch.py").write_text(PATCH)
    arguments = [*RUN, str(mini), "--tier", "smoke", "--dataset", "digits", "--seeds", "2"]
    arguments += ["--set", "train.epochs=40", "--include", str(tmp_path / "patch.py")]
    subprocess.run([*arguments, "--workers", "1"], cwd=here, check=True, capture_output=True, timeout=120)
    assert epochs(here) == 4 * 40

    on_slurm = [*arguments, "--engine", "slurm", "--engine-option", "memory=500M"]
    driver = subprocess.Popen(on_slurm, cwd=there, stdout=subprocess.DEVNULL)
    wait_for(lambda: epochs(there) > 10)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    driver = subprocess.Popen(
        on_slurm, cwd=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running = asked("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i").split()
    assert running
    asked("scontrol", "requeue", running[0])
    output, _ = driver.communicate(timeout=150)
    assert driver.returncode == 0, output
    assert contents(there) == contents(here)
    assert len(contents(there)) == 1 + 4 * 4
    assert (
        epochs(here) <= epochs(there) <= epochs(here) + 2
    )  # it went on, and what was killed began no epoch more
    [results] = there.glob("results/mini/smoke")
    assert not list(results.glob("checkpoints/*.json"))
    assert not (results / "queue").exists()
    assert not (results / "slurm").exists()
    made = {json.loads(path.read_text())["host"] for path in results.glob("runs/*/environment.json")}
    assert made == {socket.gethostname()}
