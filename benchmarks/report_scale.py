"""Time and memory of a report and of `status`, against the number of runs in the results folder.

The folders are made up, but have everything that a real run leaves besides weights: its settings, a record of
losses, accuracy and two measures for every epoch, its environment, its result, and for each of 2,000 held-out
examples the prediction and whether it is right. The runs are those of 10 variants, with as many seeds as it
takes; accuracies rise as in training, and differ between variants and seeds.

Every measurement is a process of its own that imports, reads the folder and writes the whole report: tables,
verdicts with their bootstrap over examples, curves, page. Seconds are wall time from before the imports to
the end, and in brackets are the smallest and the largest of the rounds; the memory is the most that the
process ever held (resident, `getrusage`), of which importing takes most of the first 150 MB. Cost is linear
if the seconds for a run, those of an empty folder taken off, stay the same from row to row.

`--many` adds 100,000 runs of 5 epochs, which are 600,000 small files: some GB of disk, and minutes to make.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

CLAIMED_SECONDS, CLAIMED_MEGABYTES = 5.0, 500.0  # for 1,000 runs of 200 epochs
CLAIMED_SECONDS_OF_MANY = 60.0  # for 100,000 runs of few epochs
RUNS = (0, 250, 500, 1000, 2000)
EPOCHS = 200
MANY, FEW_EPOCHS = 100_000, 5
EXAMPLES = 2000
VARIANTS = 10

ABLATION = """
question = "How long does a report of many runs take?"
source = "nowhere"
reported = "nothing"
against = "a long time"

[parts.images]
title = "Images"
measures = ["below_zero", "above_six"]
model.network = "mobilenet_v2_small"
train = { batch_size = 64, learning_rate = 0.1, measure_every = 1 }
datasets.cifar10.data = { train_images = 4000, held_out_images = 2000 }
datasets.cifar10.tiers.paper = { seeds = 3, train.epochs = 200 }

[parts.images.axes.projection]
linear = { model.projection_activation = "linear" }
relu6 = { model.projection_activation = "relu6" }

[parts.images.axes.expansion]
"t=1" = { model.expansion = 1 }
"t=2" = { model.expansion = 2 }
"t=4" = { model.expansion = 4 }
"t=6" = { model.expansion = 6 }
"t=8" = { model.expansion = 8 }
"""

CLAIM = """
[[parts.images.claims]]
id = "t{t}"
statement = "At an expansion of {t}, ReLU6 loses accuracy."
source = "nowhere"
contrast = {{ "linear, t={t}" = 1, "relu6, t={t}" = -1 }}
margin = 0.01
"""

WRITE_REPORT = """
import json, resource, sys, time
begin = time.perf_counter()
from pathlib import Path
from bottleneck_lab.report.write import write_report
_, summary = write_report(Path(sys.argv[1]))
seconds = time.perf_counter() - begin
assert "torch" not in sys.modules
assert summary["runs"].get("done", 0) == int(sys.argv[2]), summary["runs"]
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
print(json.dumps([seconds, megabytes]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="reports of each folder (default: %(default)s)")
    parser.add_argument("--runs", type=int, nargs="+", default=RUNS, help="runs of each folder")
    parser.add_argument(
        "--many", action="store_true", help=f"also {MANY:,} runs of {FEW_EPOCHS} epochs, once"
    )
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folders = {runs: made(Path(scratch), runs, EPOCHS) for runs in arguments.runs}
        print(f"made {', '.join(f'{runs:,}' for runs in folders)} runs of {EPOCHS} epochs", flush=True)
        found: dict[int, list[tuple[float, float]]] = {runs: [] for runs in folders}
        for number in range(arguments.rounds):
            for runs, folder in folders.items():
                found[runs].append(measure(folder, runs))
            print(f"round {number + 1} of {arguments.rounds} done", flush=True)
        empty = statistics.median(seconds for seconds, _ in found.get(0, [(0.0, 0.0)]))
        print(f"\n{'runs':>8}  {'seconds':<22}{'MB':<18}ms a run, above an empty folder")
        for runs, measured in found.items():
            print_row(runs, measured, empty)
        print(f"claimed for 1,000 runs: under {CLAIMED_SECONDS:g} s and {CLAIMED_MEGABYTES:g} MB")
        if arguments.many:
            print(f"\n{MANY:,} runs of {FEW_EPOCHS} epochs:", flush=True)
            folder = made(Path(scratch), MANY, FEW_EPOCHS)
            print_row(MANY, [measure(folder, MANY)], empty)
            print(f"claimed: under {CLAIMED_SECONDS_OF_MANY:g} s")


def print_row(runs: int, measured: Sequence[tuple[float, float]], empty: float) -> None:
    seconds, megabytes = zip(*measured, strict=True)
    each = f"{1000 * (statistics.median(seconds) - empty) / runs:.2f}" if runs else ""
    print(f"{runs:>8,}  {spread(seconds, '.2f'):<22}{spread(megabytes, '.0f'):<18}{each}", flush=True)


def measure(folder: Path, runs: int) -> tuple[float, float]:
    """Wall seconds of a report, and the most megabytes that its process held."""
    command = [sys.executable, "-c", WRITE_REPORT, str(folder), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def made(scratch: Path, runs: int, epochs: int) -> Path:
    """The folder that `make_folder` makes, in another process.

    It loads torch, and a process that grew so large would lend its size to the measured ones it starts.
    """
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=make_folder, args=(scratch, runs, epochs))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit("the results could not be made up; is the disk full?")
    return scratch / f"{runs}x{epochs}"


def make_folder(scratch: Path, runs: int, epochs: int) -> None:
    """A results folder of so many finished runs; none is a plan of 3 seeds of which nothing is done."""
    from bottleneck_lab.config import load
    from bottleneck_lab.runs.plan import Data, make_plan

    (scratch / "scale.toml").write_text(ABLATION + "".join(CLAIM.format(t=t) for t in (1, 2, 4, 6, 8)))
    ablation = load(str(scratch / "scale.toml"))
    seeds = range(max(3, runs // VARIANTS))
    plan = make_plan(ablation, "paper", Data(("cifar10",)), seeds, {"train": {"epochs": epochs}})
    results = scratch / f"{runs}x{epochs}"
    plan.write(results)
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 10, EXAMPLES, dtype=np.uint8)
    for place, run in enumerate(plan.runs() if runs else []):
        leave(results / "runs" / run.id, run, place // len(seeds), truth, generator)


def leave(folder: Path, run, variant: int, truth: np.ndarray, generator: np.random.Generator) -> None:
    """Everything that a run leaves but its weights."""
    folder.mkdir(parents=True)
    epochs = run.train.epochs
    correct = generator.random(EXAMPLES) < 0.6 + 0.02 * variant
    accuracy = float(correct.mean())
    rise = accuracy * (1 - 0.7 * np.exp(-np.arange(1, epochs + 1) / (epochs / 5)))
    numbers = np.round(rise + generator.normal(0, 0.003, epochs), 4).clip(0, 1)
    numbers[-1] = accuracy
    noise = generator.random((epochs, 4))
    records = [
        {
            "epoch": epoch + 1,
            "learning_rate": 0.1 * (1 - epoch / epochs),
            "train_loss": 2.3 - float(numbers[epoch]) + float(noise[epoch, 0]) / 100,
            "loss": 2.4 - float(numbers[epoch]) + float(noise[epoch, 1]) / 100,
            "accuracy": float(numbers[epoch]),
            "measures": {"below_zero": float(noise[epoch, 2]), "above_six": float(noise[epoch, 3]) / 100},
            "train_seconds": 18.203,
            "seconds": 20.515,
            "cpu_seconds": 20.247,
        }
        for epoch in range(epochs)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "config.json").write_text(run.model_dump_json(indent=2))
    environment = {
        "bottleneck_lab": "0.1.0",
        "commit": "0" * 40,
        "python": "3.11.7",
        "torch": "2.13.0+cpu",
        "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
        "host": "somewhere",
        "cpu": "a processor",
        "device": "cpu",
        "threads": 1,
        "included": {},
        "trained_together": 1,
        "checksums": {f"data_batch_{k}.bin": "0" * 32 for k in range(1, 6)},
        "wall_seconds": 20.515 * epochs,
        "cpu_seconds": 20.247 * epochs,
    }
    (folder / "environment.json").write_text(json.dumps(environment, indent=2))
    predictions = np.where(correct, truth, (truth + 1) % 10).astype(np.uint8)
    np.save(folder / "predictions.npy", predictions)
    np.save(folder / "correct.npy", correct)
    result = {
        "variant": run.variant,
        "dataset": run.dataset,
        "seed": run.seed,
        "status": "done",
        "epochs": epochs,
        "accuracy": accuracy,
        "loss": records[-1]["loss"],
        "train_loss": records[-1]["train_loss"],
        "measures": records[-1]["measures"],
        "test_accuracy": None,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=2))


def spread(values: Sequence[float], form: str) -> str:
    """Median, and in brackets the smallest and the largest value; one value stands alone."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


if __name__ == "__main__":
    main()
