"""Kills at twenty random moments, of the whole process group and of single workers: the end is the same bits.

An ablation on spirals and digits is trained once undisturbed. Then it is started again and again in another
folder, by two workers; at a random moment either the command and all its processes are killed (SIGKILL to the
group), or one worker is, and the command goes on. A checkpoint is kept after every epoch, so that there is
something to go on from. At the end every file of the runs that does not tell the time, and the summary, are
compared byte by byte, and no half-written file may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "inputs"))

from subjects import SMALL  # noqa: E402

COMMAND = """
import bottleneck_lab.training.checkpoint as checkpoint
checkpoint.SECONDS_BETWEEN = 0
from bottleneck_lab.cli import run_ablation
if __name__ == "__main__":
    run_ablation()
"""
COMPARED = ("config.json", "correct.npy", "predictions.npy", "weights.pt")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40, help="of images; fifty times as many of points")
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        whole, killed = Path(name, "whole"), Path(name, "killed")
        seconds = _end(_start(whole, chosen.epochs))
        kills = {"group": 0, "worker": 0}
        while sum(kills.values()) < chosen.kills:
            process = _start(killed, chosen.epochs)
            if not _wait(process, chance.uniform(0.3, 0.9) * seconds / 2):
                for path in killed.glob("results/*/*/runs/*/result.json"):
                    path.unlink()  # all was done before the moment came: once more
                continue
            workers = _workers(process.pid)
            if workers and chance.random() < 0.5:
                os.kill(chance.choice(workers), signal.SIGKILL)
                kills["worker"] += 1
                _wait(process, chance.uniform(0, 0.2) * seconds)
            else:
                kills["group"] += 1
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _end(_start(killed, chosen.epochs))
        different = _different(whole, killed)
        left = [str(path) for path in killed.rglob("*.part")]
    found = f"different: {different or 'none'}; half-written: {left or 'none'}"
    print(f"killed: {kills}; undisturbed {seconds:.0f} s; {found}")
    sys.exit(bool(different or left))


def _start(folder: Path, epochs: int) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    (folder / "command.py").write_text(COMMAND)
    (folder / "small.toml").write_text(SMALL)
    lengths = (f"--set=points.train.epochs={50 * epochs}", f"--set=images.train.epochs={epochs}")
    words = [sys.executable, "command.py", "small.toml", "--tier=smoke", "--workers=2", *lengths]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> float:
    begin = time.monotonic()
    if process.wait() != 0:
        sys.exit(f"the command ended with exit code {process.returncode}")
    return time.monotonic() - begin


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process still runs after so many seconds."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _workers(parent: int) -> list[int]:
    """The processes that a command has started to train, by what they were started with (of Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            above = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if above == parent and any(b"spawn_main" in word for word in words):
            found.append(int(path.name))
    return found


def _different(one: Path, other: Path) -> list[str]:
    paths = [path for name in COMPARED for path in one.glob(f"results/*/*/runs/*/{name}")]
    paths += one.glob("results/*/*/summary.json")
    return [
        str(path.relative_to(one))
        for path in paths
        if not (other / path.relative_to(one)).exists()
        or (other / path.relative_to(one)).read_bytes() != path.read_bytes()
    ]


if __name__ == "__main__":
    main()
