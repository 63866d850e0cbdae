"""Whatever becomes of a run's files after it has ended is named: cheaply by a report, wholly by `verify`."""

import json
import os
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.config import RunSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.trained import open_run
from bottleneck_lab.records import files
from bottleneck_lab.records.checksums import OF_A_RUN
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.records.packed import pack
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report


@pytest.fixture
def results(digits_results, tmp_path):
    return shutil.copytree(digits_results, tmp_path / "results")


@pytest.fixture
def run(results):
    return min((results / "runs").iterdir())


def squeezed(text):
    """Text without white space, since long paths are folded."""
    return "".join(text.split())


def verify(*folders):
    done = CliRunner().invoke(app, ["verify", *map(str, folders)])
    return done.exit_code, squeezed(done.output)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def put_another_in_its_place(path):
    other = max(path.parent.parent.iterdir()) / path.name
    shutil.copy(other, path)


def replace_by_a_loop(path):
    path.unlink()
    path.symlink_to(path)


DAMAGES = [cut, flip, os.remove, put_another_in_its_place, replace_by_a_loop]


@pytest.mark.parametrize("name", OF_A_RUN)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_file_that_is_not_what_its_run_left_is_named(results, run, name, damage):
    assert collect(results).strays == ()
    before = (run / name).read_bytes()
    damage(run / name)
    if damage is put_another_in_its_place and (run / name).read_bytes() == before:
        return  # both runs are right about the same images, say
    (stray,) = collect(results).strays
    assert stray.file == f"runs/{run.name}/{name}"
    code, said = verify(results)
    assert code == 1
    assert name in said


def test_a_bit_that_has_changed_while_the_time_has_not_is_found_by_verify(results, run):
    weights = run / "weights.pt"
    times = weights.stat()
    flip(weights)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert collect(results).strays == ()
    code, said = verify(results.parent)  # a folder above
    assert code == 1
    assert squeezed("weights.pt: is not what the run left: its checksum differs") in said
    with pytest.raises(LabError, match="its checksum differs"):
        open_run(run, None, "cpu").network("trained")


def test_epochs_and_answers_that_were_changed_count_nowhere(results, run):
    whole = collect(results)
    (of,) = [each for each in whole.runs if each.id == run.name]
    assert whole.correct(of) is not None
    records = files.read_json_lines(run / "metrics.jsonl")
    files.write_json_lines(run / "metrics.jsonl", [{**record, "accuracy": 1.0} for record in records])
    answers = np.load(run / "correct.npy")
    files.write_array(run / "correct.npy", answers[::-1])
    again = collect(results)
    assert again.correct(of) is None
    assert not (again.curves(of.variant, of.dataset)["accuracy"][1] == 1.0).any()


@pytest.mark.parametrize(
    ("key", "value"), [("loss", 0.25), ("accuracy", 0.5), ("measures", {"below_zero": 0.5}), ("epochs", 9)]
)
def test_a_result_that_says_something_else_than_its_run_left_counts_nowhere(results, run, key, value):
    result = files.read_json(run / "result.json")
    files.write_json(run / "result.json", {**result, key: value})
    (damaged,) = collect(results).troubled()
    assert (damaged.id, damaged.status, damaged.accuracy) == (run.name, "damaged", None)
    code, said = verify(results)
    assert code == 1
    assert squeezed("result.json: has other values than the run has left") in said


def test_what_is_whole_is_said_to_be_so(results):
    code, said = verify(results)
    assert code == 0
    assert squeezed("4 runs") in said
    assert squeezed("every file is what its run has left") in said


def test_runs_from_before_there_were_checksums_are_read_as_ever_and_counted(results):
    for path in results.glob("runs/*/result.json"):
        files.write_json(path, {key: value for key, value in files.read_json(path).items() if key != "files"})
    assert collect(results).strays == ()
    assert len(write_report(results)[1].strays) == 0
    code, said = verify(results)
    assert code == 0
    assert squeezed("4 of them from before files had checksums") in said


def test_packed_runs_are_as_they_were_before_there_were_checksums(results):
    names = [path.name for path in (results / "runs").iterdir()]
    packed = pack(results, names)
    for path in results.glob("runs/*/result.json"):
        files.write_json(path, {key: value for key, value in files.read_json(path).items() if key != "files"})
    assert pack(results, names) == packed


def test_a_run_that_comes_from_another_machine_has_the_checksums_of_what_is_written_here(
    results, run, tmp_path
):
    here = tmp_path / "here"
    here.mkdir()
    settings = RunSettings.model_validate_json((run / "config.json").read_bytes())
    contents = {path.name: path.read_bytes() for path in run.iterdir()}
    environment = {**json.loads(contents["environment.json"]), "included": {"/there/mine.py": "5dd7"}}
    contents["environment.json"] = json.dumps(environment).encode()
    shutil.copy(results / "plan.json", here)
    RunFolder(here, run.name).receive(settings, contents)
    assert verify(here)[0] == 0


def test_published_numbers_and_figures_are_verified_together(results, tmp_path):
    published = tmp_path / "figures" / "tiny"
    assert CliRunner().invoke(app, ["publish", str(results), "--to", str(published)]).exit_code == 0
    assert verify(tmp_path / "figures")[0] == verify(published)[0] == 0
    for name, find, replace in (
        ("summary.json", '"n_seeds": 2', '"n_seeds": 9'),
        ("report.md", "Images", "Lies"),
    ):
        before = (published / name).read_text()
        assert find in before
        (published / name).write_text(before.replace(find, replace))
        code, said = verify(tmp_path / "figures")
        assert code == 1
        assert name in said
        (published / name).write_text(before)


def test_a_folder_without_results_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert isinstance(done.exception, LabError)
    assert "holds no results" in str(done.exception)
