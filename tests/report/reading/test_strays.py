"""Damaged and foreign files in a results folder: named and left out, never fatal, never counted."""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

FILES = ("result.json", "environment.json", "metrics.jsonl", "correct.npy")


def records(run):
    return [{"epoch": epoch, "accuracy": 0.5, "measures": {"lost_int8": 0.1}} for epoch in (1, 2)]


@pytest.fixture
def folder(leave_runs):
    """The results of a small ablation, as real runs leave them."""
    results = leave_runs(
        result=lambda run: {"variant": run.variant, "dataset": "digits", "seed": run.seed},
        records=records,
        correct=lambda run: np.arange(100) < 60 + run.seed,
    )
    plan = json.loads((results / "plan.json").read_text())
    for variant in plan["variants"]:
        for seed, run in variant["runs"].items():
            config = {**variant["settings"], "seed": int(seed)}
            (results / "runs" / run / "config.json").write_text(json.dumps(config))
            environment = {"cpu": "a cpu", "wall_seconds": 2.0, "cpu_seconds": 1.0}
            (results / "runs" / run / "environment.json").write_text(json.dumps(environment))
    return results


def first_run(folder):
    variant = json.loads((folder / "plan.json").read_text())["variants"][0]
    return variant, folder / "runs" / variant["runs"]["0"]


def strays(folder):
    return {stray.file: stray.why for stray in summarise(collect(folder)).strays}


def test_a_sound_folder_has_none(folder):
    summary = summarise(collect(folder))
    assert (summary.strays, summary.other_plans) == ([], 0)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("result.json", b'{"status": "do', "is not JSON"),
        ("result.json", b"[1]", "is no JSON object"),
        ("result.json", b'{"accuracy": 0.5}', "has no status"),
        ("result.json", b'{"status": "done", "accuracy": 1.5}', "has no accuracy from 0 to 1"),
        ("result.json", b'{"status": "done", "accuracy": 1, "seed": 7}', "has another run's variant"),
        ("result.json", b"\xff\xfe\x00", "is not text"),
        ("result.json", b"[" * 100_000, "is not JSON"),
        ("environment.json", b'{"commit": "\\ud800"}', "is not JSON"),
        ("metrics.jsonl", b'{"epoch": 1, "accuracy": 0.5}\n{"epo', "is not JSON"),
        ("metrics.jsonl", b'{"epoch": 1}\n{"epoch": 1}\n3\n', "2 of 3 lines are no records"),
        ("correct.npy", b"\x93NUMPY", "is no vector of true and false"),
        ("correct.npy", b"", "is no vector of true and false"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(folder, name, content, why):
    _, run = first_run(folder)
    (run / name).write_bytes(content)
    found = strays(folder)
    assert list(found) == [f"runs/{run.name}/{name}"]
    assert found[f"runs/{run.name}/{name}"].startswith(why)


def test_answers_that_contradict_the_accuracy_are_named(folder):
    _, run = first_run(folder)
    np.save(run / "correct.npy", np.arange(100) < 10)
    assert strays(folder) == {f"runs/{run.name}/correct.npy": "does not agree with the accuracy of the run"}


def test_what_does_not_belong_there_is_named_and_an_earlier_plan_is_counted(folder):
    variant, _ = first_run(folder)
    (folder / "runs" / "notes.txt").write_text("to do")
    (folder / "runs" / "empty").mkdir()
    for name, of in (("0123", variant["name"]), ("4567", "width x2")):
        (folder / "runs" / name).mkdir()
        config = {**variant["settings"], "variant": of, "seed": 99}
        (folder / "runs" / name / "config.json").write_text(json.dumps(config))
    assert strays(folder) == {
        "runs/notes.txt": "is not the folder of a run",
        "runs/empty": "is not the folder of a run: it has no settings in config.json",
        "runs/4567": "is a run of another ablation (width x2 on digits)",
    }
    path, summary = write_report(folder)
    assert summary.other_plans == 1
    assert "1 run of other plans" in path.read_text()
    assert "- `runs/notes.txt`: is not the folder of a run" in path.read_text()


def test_status_names_them_briefly(folder):
    for number in range(7):
        (folder / "runs" / f"stray {number}").write_text("")
    (folder.parent / "x" / "y").mkdir(parents=True)
    shutil.copytree(folder, folder.parent / "x" / "y" / "smoke")
    done = CliRunner().invoke(app, ["status", "--out", str(folder.parent / "x")], catch_exceptions=False)
    assert done.output.count("left out: runs/stray") == 5
    assert "and 2 more" in done.output


def changed(content):
    """Ways in which a disk, or a person, may damage a file."""
    cut = st.integers(0, len(content)).map(lambda at: content[:at])
    flipped = st.tuples(st.integers(0, max(len(content) - 1, 0)), st.binary(min_size=1, max_size=4)).map(
        lambda how: content[: how[0]] + how[1] + content[how[0] + len(how[1]) :]
    )
    value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
    keys = st.sampled_from(["status", "accuracy", "epochs", "measures", "wall_seconds", "checksums", "epoch"])
    other = st.dictionaries(keys, value, max_size=4).map(lambda found: json.dumps(found).encode())
    return (
        cut | flipped | st.binary(max_size=60) | other | value.map(lambda found: json.dumps(found).encode())
    )


def independent(summary, variant):
    """The numbers that do not rest on a variant's runs."""
    rows = [row for row in summary.variants if row.name != variant]
    estimates = [
        {
            key: getattr(claim, key)
            for key in ("id", "estimate", "ci_low", "ci_high", "examples_low", "n_seeds")
        }
        for claim in summary.claims
        if variant not in claim.contrast
    ]
    return json.dumps([[asdict(row) for row in rows], estimates])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_is_fatal_or_reaches_another_variants_numbers(folder, data):
    before = summarise(collect(folder))
    variant, run = first_run(folder)
    name = data.draw(st.sampled_from(FILES))
    content = data.draw(changed((run / name).read_bytes()))
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        (copy / "runs" / run.name / name).write_bytes(content)
        results = collect(copy)
        after = summarise(results)
        json.dumps(after.to_json(), allow_nan=False).encode()
        assert independent(after, variant["name"]) == independent(before, variant["name"])
        assert {stray.file for stray in results.strays} <= {
            f"runs/{run.name}/{name}",
            f"runs/{run.name}/correct.npy",
        }
