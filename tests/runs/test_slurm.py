"""A real Slurm on this machine: what is requeued and started again there ends as it does without."""

import contextlib
import getpass
import json
import os
import pickle
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from looks import LOOKS, results_of, seeds_of, summary_of

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs.engines import read_options, start
from bottleneck_lab.runs.engines.protocol import WorkerDiedError
from bottleneck_lab.runs.engines.slurm import engine as slurm_module
from bottleneck_lab.runs.engines.slurm import queue as slurm_queue
from bottleneck_lab.runs.execute import drive
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace

pytest.importorskip("submitit", reason="submitit is not installed")
MISSING = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]

# In the worker, too: a checkpoint after every epoch, so that there is something to go on from, and a mark for
# each; from its fifth on a worker waits while there is a file `hold`: what is killed then is in the middle.
PATCH = """
import os, pathlib, time
import bottleneck_lab.training.checkpoint as c, bottleneck_lab.training.images as i
c.SECONDS_BETWEEN = 0
train_epoch = i.train_epoch
def marked(*arguments):
    marks = pathlib.Path("epochs", str(os.getpid()))
    marks.parent.mkdir(exist_ok=True)
    with marks.open("a") as file:
        file.write(".")
    while marks.stat().st_size >= 5 and os.path.exists("hold"):
        time.sleep(0.05)
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
JobRequeue=0
KillWait=1
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def wait_for(condition, seconds=150):
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


def epochs(folder):
    """How many each worker has begun."""
    return [path.stat().st_size for path in folder.glob("epochs/*")]


def running(folder):
    """Slurm's number and the two processes of each job that is at work: submitit's, and the worker."""
    for path in folder.glob("epochs/*"):
        process = Path("/proc", path.name)
        said = dict(pair.split("=", 1) for pair in (process / "environ").read_text().split("\0") if pair)
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        yield f"{said['SLURM_ARRAY_JOB_ID']}_{said['SLURM_ARRAY_TASK_ID']}", (int(path.name), parent)


@pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed here: no {', '.join(MISSING)}")
@pytest.mark.usefixtures("slurm")
def test_requeued_and_with_a_driver_that_is_killed_it_ends_as_on_this_machine(mini, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (tmp_path / "patch.py").write_text(PATCH)
    arguments = [*RUN, str(mini), "--tier", "smoke", "--dataset", "digits", "--seeds", "1"]
    arguments += ["--set", "train.epochs=40", "--include", str(tmp_path / "patch.py")]
    subprocess.run([*arguments, "--workers", "1"], cwd=here, check=True, capture_output=True, timeout=120)
    assert sum(epochs(here)) == 2 * 40

    (there / "hold").touch()
    on_slurm = [*arguments, "--engine", "slurm", "--engine-option", "memory=500M"]
    driver = subprocess.Popen(on_slurm, cwd=there, stdout=subprocess.DEVNULL)
    wait_for(lambda: epochs(there) == [5, 5])  # one on each processor
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    driver = subprocess.Popen(
        on_slurm, cwd=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    (killed, _), (warned, warned_processes) = running(there)
    asked("scontrol", "requeue", killed)
    for process in warned_processes:  # as Slurm does before a preemption: submitit queues it again itself
        os.kill(process, signal.SIGUSR2)
    left = set()

    def have_left():
        left.update(asked("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i").split())
        return left >= {killed, warned}

    wait_for(have_left)
    (there / "hold").unlink()
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, output
    assert contents(there) == contents(here)
    assert len(contents(there)) == 1 + 4 * 2
    assert sum(epochs(there)) == sum(epochs(here)) + 2  # only what was interrupted was done twice
    [results] = there.glob("results/mini/smoke")
    assert not list(results.glob("checkpoints/*.json"))
    assert not (results / "queue").exists()
    assert not (results / "slurm").exists()
    made = {json.loads(path.read_text())["host"] for path in results.glob("runs/*/environment.json")}
    assert made == {socket.gethostname()}


@pytest.mark.skipif(bool(MISSING), reason=f"Slurm is not installed here: no {', '.join(MISSING)}")
@pytest.mark.usefixtures("slurm")
def test_what_a_look_calls_for_is_submitted_when_its_verdicts_are_there(tmp_path):
    (tmp_path / "looks.toml").write_text(LOOKS.replace("[4, 8, 12]", "[4, 8]"))
    here, there = tmp_path / "here", tmp_path / "there"
    arguments = [*RUN, str(tmp_path / "looks.toml")]
    on_slurm = ["--engine", "slurm", "--engine-option", "memory=500M"]
    for folder, where in ((here, ["--workers", "1"]), (there, on_slurm)):
        folder.mkdir()
        subprocess.run([*arguments, *where], cwd=folder, check=True, capture_output=True, timeout=200)
    assert seeds_of(there) == {"none": 4, "some": 8, "more": 8}
    assert results_of(there) == results_of(here)
    assert summary_of(there) == summary_of(here)
    assert not (there / "results/looks/quick/slurm").exists()


# ------------------------------------------------------------------------ a Slurm whose words are made up


@pytest.fixture
def said(tmp_path, monkeypatch):
    """A folder where `squeue` is what Slurm's says, and `scancel` what it was told; job 7 is submitted."""
    folder = tmp_path / "said"
    folder.mkdir()
    (folder / "squeue").touch()
    scripts = {
        "sbatch": f'cat "$1" > {folder}/sbatch; echo Submitted batch job 7',
        "squeue": f"cat {folder}/squeue",
        "scancel": f'echo "$@" >> {folder}/scancel',
        "scontrol": "echo JobId=7 JobState=OUT_OF_MEMORY",
        "srun": "exit 1",
    }
    for name, script in scripts.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(slurm_module, "GRACE_SECONDS", 0.0)
    return folder


@pytest.fixture
def jobs(mini):
    return plan_jobs(make_plan(load(str(mini)), "smoke", Data(("digits",)), None, {}).runs())


def engine_on(results, *options):
    return start("slurm", Workplace(results, "cpu"), None, read_options("slurm", options))


def ignore(event):
    pass


def leave_result(results, *content):
    (results / "slurm" / "7_0_result.pkl").write_bytes(pickle.dumps(content))


def test_a_job_that_raises_outside_of_training_is_worth_another_try(said, jobs, tmp_path):
    with engine_on(tmp_path) as engine:
        task = engine.submit(jobs[0])
        (said / "squeue").write_text("7|RUNNING\n")
        assert engine.wait([task], ignore) == []
        (said / "squeue").write_text("")
        leave_result(tmp_path, "error", "Traceback (most recent call last):\nImportError: no torch there\n")
        assert engine.wait([task], ignore) == [task]
        with pytest.raises(WorkerDiedError, match="Slurm job 7: ImportError: no torch there") as died:
            task.result()
        assert "Traceback" in died.value.log
    assert not (tmp_path / "slurm").exists()
    assert not (tmp_path / "queue").exists()


def test_a_refusal_at_first_is_final_and_later_is_waited_out(said, jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_module, "RETRY_SECONDS", 0.0)
    sbatch = tmp_path / "bin" / "sbatch"
    takes, refuses = sbatch.read_text(), "#!/bin/sh\necho 'sbatch: error: no such partition' >&2; exit 1\n"
    sbatch.write_text(refuses)
    with pytest.raises(LabError, match="Slurm does not take these jobs"), engine_on(tmp_path) as engine:
        engine.wait([engine.submit(jobs[0])], ignore)
    assert not (tmp_path / "slurm").exists()
    sbatch.write_text(takes)
    (said / "squeue").write_text("7|RUNNING\n")
    with engine_on(tmp_path) as engine:
        first = engine.submit(jobs[0])
        assert engine.wait([first], ignore) == []
        sbatch.write_text(refuses)
        second = engine.submit(jobs[1])
        for _ in range(3):
            assert engine.wait([first, second], ignore) == []
        assert second.number is None
        assert not [path for path in (tmp_path / "slurm").glob("*.pkl") if "_" not in path.name]
        assert not (said / "scancel").exists()
        sbatch.write_text(takes)
        assert engine.wait([first, second], ignore) == []
        assert second.number == "7"


def test_what_slurm_has_and_cannot_be_noted_is_cancelled(said, jobs, tmp_path, monkeypatch):
    def write(note, results):
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr(slurm_queue.Queued, "write", write)
    with pytest.raises(OSError, match="quota"), engine_on(tmp_path) as engine:
        engine.wait([engine.submit(job) for job in jobs[:3]], ignore)
    assert (said / "scancel").read_text() == "7_0 7_1 7_2\n"


def test_a_slurm_that_does_not_answer_keeps_its_jobs_and_a_command_that_is_started_again_finds_them(
    said, jobs, tmp_path, monkeypatch
):
    (said / "squeue").write_text("7|RUNNING\n")
    monkeypatch.setattr(slurm_module, "PATIENCE_SECONDS", 0.0)
    answers = (tmp_path / "bin" / "squeue").read_text()

    def falls_silent(event):
        (tmp_path / "bin" / "squeue").write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(LabError, match="its jobs are left to it"), engine_on(tmp_path) as engine:
        drive(jobs[:1], engine, falls_silent)
    assert not (said / "scancel").exists()
    (tmp_path / "bin" / "squeue").write_text(answers)
    engine = engine_on(tmp_path)
    assert engine.submit(jobs[0]).number == "7"
    engine.shutdown(now=False)


def test_what_slurm_does_not_cancel_stays_noted(said, jobs, tmp_path):
    (said / "squeue").write_text("7|RUNNING\n")
    (tmp_path / "bin" / "scancel").write_text("#!/bin/sh\nexit 1\n")
    engine = engine_on(tmp_path)
    engine.wait([engine.submit(jobs[0])], ignore)
    engine.shutdown(now=True)
    assert [note.number for note in slurm_queue.read_all(tmp_path)] == ["7"]


def test_a_command_that_begins_takes_nothing_from_one_that_has_not_looked_yet(said, jobs, tmp_path):
    first = engine_on(tmp_path)
    task = first.submit(jobs[0])
    first.wait([task], ignore)  # job 7 has left Slurm already
    leave_result(tmp_path, "success", "cannot do that")
    engine_on(tmp_path).shutdown(now=False)
    assert first.wait([task], ignore) == [task]
    with pytest.raises(LabError, match="Slurm job 7: cannot do that"):
        task.result()
    first.shutdown(now=False)


def test_two_commands_that_want_the_same_job_submit_it_once(said, jobs, tmp_path):
    first, second = engine_on(tmp_path), engine_on(tmp_path)
    tasks = [engine.submit(jobs[0]) for engine in (first, second)]
    (said / "squeue").write_text("7|RUNNING\n")
    first.wait(tasks[:1], ignore)
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho Submitted batch job 8\n")
    second.wait(tasks[1:], ignore)
    assert [task.number for task in tasks] == ["7", "7"]
    assert [task.is_ours for task in tasks] == [True, False]
    for engine in (second, first):
        engine.shutdown(now=False)


def test_a_result_that_cannot_be_read_is_worth_another_try(said, jobs, tmp_path):
    engine = engine_on(tmp_path)
    task = engine.submit(jobs[0])
    engine.wait([task], ignore)
    (tmp_path / "slurm" / "7_0_result.pkl").write_bytes(b"")
    with pytest.raises(WorkerDiedError, match="Slurm job 7: what it said cannot be read"):
        task.result()
    engine.shutdown(now=False)


def test_what_the_user_hides_from_squeue_is_not_gone(said, jobs, tmp_path, monkeypatch):
    (tmp_path / "bin" / "squeue").write_text('#!/bin/sh\necho "7|${SQUEUE_STATES:-PENDING}"\n')
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    assert slurm_queue.states() == {"7": "PENDING"}


def test_a_job_that_leaves_nothing_has_died_of_what_slurm_says_with_the_end_of_its_log(said, jobs, tmp_path):
    with engine_on(tmp_path) as engine:
        task = engine.submit(jobs[0])
        engine.wait([task], ignore)
        (tmp_path / "slurm" / "7_0_log.err").write_text("slurmstepd: error: killed\n")
        time.sleep(0.01)
        assert engine.wait([task], ignore) == [task]
        with pytest.raises(WorkerDiedError, match="Slurm job 7: OUT_OF_MEMORY") as died:
            task.result()
        assert died.value.log == "slurmstepd: error: killed"


def test_runs_that_share_a_gpu_are_one_job(said, jobs, tmp_path):
    engine = engine_on(tmp_path, "per_gpu=2")
    tasks = [engine.submit(job) for job in jobs[:2]]
    (said / "squeue").write_text("7|RUNNING\n")
    assert engine.wait(tasks, ignore) == []
    assert {note.number for note in slurm_queue.read_all(tmp_path)} == {"7"}
    assert "--cpus-per-task=2" in (said / "sbatch").read_text().partition("srun")[2]
    engine.shutdown(now=True)


def test_ctrl_c_cancels_what_was_submitted_once(said, jobs, tmp_path):
    (said / "squeue").write_text("7|RUNNING\n")

    def interrupt(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), engine_on(tmp_path, "per_gpu=6") as engine:
        drive(jobs, engine, interrupt)
    assert (said / "scancel").read_text() == "7\n"
    assert list(slurm_queue.read_all(tmp_path)) == []


def test_ctrl_c_leaves_alone_what_another_command_has_submitted_and_waits_for(said, jobs, tmp_path):
    first = engine_on(tmp_path)
    first.wait([first.submit(jobs[0])], ignore)
    (said / "squeue").write_text("7|RUNNING\n")
    second = engine_on(tmp_path)
    second.wait([second.submit(jobs[0])], ignore)
    second.shutdown(now=True)
    assert not (said / "scancel").exists()
    assert [note.number for note in slurm_queue.read_all(tmp_path)] == ["7"]
    first.shutdown(now=True)
    assert (said / "scancel").read_text() == "7\n"
    assert not (tmp_path / "queue").exists()


def test_what_a_killed_command_has_submitted_belongs_to_the_one_that_finds_it(said, jobs, tmp_path):
    slurm_queue.Queued(jobs[0].id, jobs[0].run_ids, "7", "killed").write(tmp_path)
    (said / "squeue").write_text("7|RUNNING\n")
    engine = engine_on(tmp_path)
    engine.submit(jobs[0])
    [note] = slurm_queue.read_all(tmp_path)
    assert slurm_queue.is_waited_for(tmp_path, note)
    engine.shutdown(now=True)
    assert (said / "scancel").read_text() == "7\n"


@pytest.fixture
def hears_ctrl_c():
    """In the background, too, where SIGINT is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_while_slurm_takes_a_job_is_heard_when_it_is_noted(said, jobs, tmp_path):
    sbatch = tmp_path / "bin" / "sbatch"
    typed = "import os\nfor each in (os.getppid(), os.getpid()): os.kill(each, 2)\n"
    sbatch.write_text(f"#!{sys.executable}\n{typed}print('Submitted batch job 7')\n")
    with pytest.raises(KeyboardInterrupt), engine_on(tmp_path) as engine:
        engine.wait([engine.submit(jobs[0])], ignore)
    assert (said / "scancel").read_text() == "7\n"
    assert list(slurm_queue.read_all(tmp_path)) == []


def test_what_a_killed_command_has_left_is_cleared_away_also_where_nothing_is_left_to_train(
    said, mini, tmp_path
):
    arguments = [*RUN, str(mini), "--tier", "smoke", "--dataset", "digits", "--seeds", "1"]
    arguments += ["--set", "train.epochs=1"]
    subprocess.run([*arguments, "--workers", "1"], cwd=tmp_path, check=True, capture_output=True, timeout=240)
    [results] = tmp_path.glob("results/mini/smoke")
    for number, path in enumerate(results.glob("runs/*")):
        slurm_queue.Queued(path.name, (path.name,), f"7_{number}", "killed").write(results)
    (results / "slurm").mkdir()
    (results / "slurm" / "7_0_0_result.pkl").touch()
    (results / "queue" / "killed.lock").touch()
    subprocess.run(
        [*arguments, "--engine", "slurm"], cwd=tmp_path, check=True, capture_output=True, timeout=240
    )
    assert not (results / "queue").exists()
    assert not (results / "slurm").exists()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90:30", 91), ("4:00:00", 240), ("2-0", 2880), ("1-12:30", 2190), ("0:10", 1)],
)
def test_times_are_read_as_slurm_writes_them(text, minutes):
    assert slurm_module._minutes(text) == minutes
