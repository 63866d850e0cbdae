"""What the engines cost at scale: runs that only sleep through Ray, and many finished runs that are resumed.

Ray: a cluster of its own on this machine, with 4 logical processors. Each run sleeps 0.1 s in place of its
training (a file that `--include` would name puts that there, in the workers) and leaves what a run leaves:
settings, records, predictions, weights. Overhead is the wall time above that of sleeping, a run, with the
start of the workers and without; in brackets the processor time of the driving process, and of all with the
cluster. The driver's memory (resident) is taken at each fifth of the runs.

Resumed: `run-ablation` on a made-up folder of finished runs, as `report_scale.py` makes them. The seconds are
those from the start of the process to the line that says for how long it has trained; what follows is the
report. Cost is linear if the milliseconds for a run stay the same from row to row.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RUNS, SLEEP, PROCESSORS = 2000, 0.1, 4
CLAIMED_MILLISECONDS = 20.0  # of overhead a run
FOLDERS = (1_000, 10_000, 100_000)
CLAIMED_SECONDS = 20.0  # for the last of them
VARIANTS = 10
EXAMPLES = 100

ABLATION = """
question = "What do many runs cost?"
source = "nowhere"
reported = "nothing"
against = "much"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
model.head_width = 16
model.stages = [{ c = 4, n = 2, s = 2 }]
train = { batch_size = 32, learning_rate = 0.1 }
axes.projection.linear = { model.projection_activation = "linear" }
axes.projection.relu6 = { model.projection_activation = "relu6" }
datasets.digits.data = { crop_padding = 1, flip = false, train_images = 128, held_out_images = 100 }
datasets.digits.tiers.quick = { seeds = 3, train.epochs = 5 }

[parts.images.axes.expansion]
"t=1" = { model.expansion = 1 }
"t=2" = { model.expansion = 2 }
"t=3" = { model.expansion = 3 }
"t=4" = { model.expansion = 4 }
"t=6" = { model.expansion = 6 }
"""

SLEEPING = f"""
import time
import numpy as np
import torch
from bottleneck_lab.runs import work
from bottleneck_lab.training.outcome import Outcome

def train(runs, *, folder, device, checkpoint, progress):
    time.sleep({SLEEP})
    epochs = runs[0].train.epochs
    record = dict(epoch=epochs, learning_rate=0.1, train_loss=1.0, loss=1.0, accuracy=1.0, measures={{}},
                  train_seconds=0.1, seconds=0.1, cpu_seconds=0.1)
    progress(0, [record])
    answers = np.zeros({EXAMPLES}, np.uint8)
    weights = {{"weight": torch.zeros(5000)}}
    return [Outcome("done", [record], answers, answers == 0, None, weights)]

work.train = train
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="through Ray (default: %(default)s)")
    parser.add_argument("--folders", type=int, nargs="*", default=FOLDERS, help="finished runs to resume")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale", ignore_cleanup_errors=True) as scratch:
        if arguments.folders:
            print(f"{'finished runs':>13}  seconds to resume (processor)  ms a run", flush=True)
        for runs in arguments.folders:
            resume(Path(scratch), runs)
        if arguments.runs:
            through_ray(Path(scratch), arguments.runs)


def plan_of(folder: Path, runs: int):
    from bottleneck_lab.config import load
    from bottleneck_lab.runs.plan import Data, make_plan

    (folder / "scale.toml").write_text(ABLATION)
    seeds = range(max(1, runs // VARIANTS))
    return make_plan(load(str(folder / "scale.toml")), "quick", Data(("digits",)), seeds, {})


def through_ray(scratch: Path, runs: int) -> None:
    """Sleep in so many runs, and print what each costs."""
    from bottleneck_lab.runs import engines
    from bottleneck_lab.runs.execute import drive
    from bottleneck_lab.runs.jobs import plan_jobs
    from bottleneck_lab.runs.work import Workplace

    plan = plan_of(scratch, runs)
    jobs = plan_jobs(plan.runs())
    (scratch / "sleeping.py").write_text(SLEEPING)
    place = Workplace(scratch / "results" / "scale" / "quick", "cpu", {}, (scratch / "sleeping.py",))
    done, sizes, moments = 0, [], []

    def cluster_seconds():
        processes = (path.name for path in Path("/proc").iterdir() if path.name.isdigit())
        return sum(processor_seconds(pid) for pid in processes if session_of(pid) == session)

    def listen(event):
        nonlocal done
        if event.share == 1.0 and event.record is None:
            done += 1
            if done % (len(jobs) // 5) == 0:
                sizes.append(resident_megabytes())
                moments.append((done, time.perf_counter(), time.process_time() + cluster_seconds()))

    os.environ["RAY_AUTH_MODE"] = "disabled"
    with cluster(scratch) as (address, session):
        options = engines.read_options("ray", [], address=address)
        begin, cpu = time.perf_counter(), time.process_time()
        with engines.start("ray", place, None, options) as engine:
            drive(jobs, engine, listen)
            seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    left = sum(1 for _ in place.results.glob("runs/*/result.json"))
    assert left == len(jobs), left
    each = 1000 * (seconds - len(jobs) * SLEEP / PROCESSORS) / len(jobs)
    print(f"\n{len(jobs):,} runs that sleep {SLEEP} s, {PROCESSORS} at a time, through Ray: {seconds:.1f} s")
    print(f"overhead {each:.1f} ms a run (driver's processor time {1000 * cpu / len(jobs):.1f} ms)")
    (first, begin, cpu), (last, end, cpu_end) = moments[0], moments[-1]
    each = 1000 * ((end - begin) / (last - first) - SLEEP / PROCESSORS)
    cpu = 1000 * (cpu_end - cpu) / (last - first)
    print(
        f"after the first fifth, with the workers started: {each:.1f} ms (processor time of all {cpu:.1f} ms)"
    )
    print(f"claimed: at most {CLAIMED_MILLISECONDS:g} ms")
    print(f"resident memory of the driver by fifths: {', '.join(f'{size:.0f}' for size in sizes)} MB")


@contextlib.contextmanager
def cluster(scratch: Path):
    """The address and the session of the processes of a Ray of its own, which is gone afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
    options = [f"--port={port}", f"--num-cpus={PROCESSORS}", "--num-gpus=0", "--include-dashboard=false"]
    command = [
        sys.executable,
        "-c",
        start,
        "start",
        "--head",
        "--block",
        *options,
        f"--temp-dir={scratch}/ray",
    ]
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    process = subprocess.Popen(
        command,
        env=quiet,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        for line in process.stdout:
            if "runtime started" in line:
                break
        yield f"127.0.0.1:{port}", process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def resume(scratch: Path, runs: int) -> None:
    """Resume a made-up folder of so many finished runs, and print how long it took."""
    folder = scratch / str(runs)
    folder.mkdir()
    make_folder(folder, runs)
    command = "from bottleneck_lab.cli import run_ablation; run_ablation()"
    arguments = ["scale.toml", "--tier", "quick", "--dataset", "digits", "--seeds", str(runs // VARIANTS)]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", command, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("trained for"):
            break
    seconds, cpu = time.perf_counter() - begin, processor_seconds(process.pid)
    process.kill()
    process.wait()
    print(f"{runs:>13,}  {seconds:.1f} ({cpu:.1f})  {1000 * seconds / runs:.2f}", flush=True)


def stat(pid: int | str) -> list[str]:
    """The fields of a process after its name; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def session_of(pid: int | str) -> int | None:
    return int(fields[3]) if (fields := stat(pid)) else None


def processor_seconds(pid: int | str) -> float:
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def make_folder(folder: Path, runs: int) -> None:
    from report_scale import leave

    generator = np.random.default_rng(0)
    truth = generator.integers(0, 10, 2000, dtype=np.uint8)
    for number, run in enumerate(plan_of(folder, runs).runs()):
        leave(
            folder / "results" / "scale" / "quick" / "runs" / run.id, run, number % VARIANTS, truth, generator
        )


if __name__ == "__main__":
    main()
