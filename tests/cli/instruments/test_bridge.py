from __future__ import annotations

import csv
import json
import shutil
import statistics
import subprocess
import sys

import pytest
import torch
import typer
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from bottleneck_lab.cli.instruments.bridge import bridge
from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.bridge.measure import build_bridge
from bottleneck_lab.instruments.trained import open_run
from bottleneck_lab.published.publish import draw, stale_figures
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.runs.plan import Data, make_plan

app = typer.Typer()
app.command()(bridge)
CPU = torch.device("cpu")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("out") / "bridge"


@pytest.fixture(scope="module")
def shown(digits_results, out):
    result = run(digits_results, "--json", "--out", out)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_there_is_a_row_for_each_variant_state_and_block(shown):
    found = [(row["variant"], row["state"], row["block"]) for row in shown["rows"]]
    assert found == [
        (variant, state, block)
        for variant in ("linear", "relu6")
        for state in ("initial", "trained")
        for block in (0, 1, 2)
    ]
    assert {row["seeds"] for row in shown["rows"]} == {2}
    assert [row["width"] for row in shown["rows"][:3]] == [4, 8, 8]
    assert [row["shortcut"] for row in shown["rows"][:3]] == [False, False, True]


def test_a_linear_bottleneck_loses_nothing(shown):
    for row in shown["rows"]:
        if row["variant"] == "linear":
            assert (row["lost"], row["clipped_low"], row["clipped_high"]) == (0, 0, 0)
            assert row["rank_before"] == row["rank_after"]
            assert row["affine_error"] < 1e-5
            assert row["probe_lost"] is None


def test_before_training_relu6_clips_half_of_the_channels(shown):
    for row in shown["rows"]:
        if (row["variant"], row["state"]) == ("relu6", "initial"):
            assert row["clipped_low"] == pytest.approx(0.5, abs=0.1)
            assert row["clipped_high"] < 0.001
            assert (row["norm_bias"], row["norm_scale"]) == (0, 1)
            assert row["lost"] > 1 - 2.0 ** -row["width"] - 0.1


def test_the_course_of_training_ends_where_the_trained_blocks_are(shown):
    """What runs measure of themselves and what the bridge measures are counted by different code."""
    for variant in ("linear", "relu6"):
        course = [moment for moment in shown["course"] if moment["variant"] == variant]
        assert [moment["epoch"] for moment in course] == [1, 2, 3]
        assert all(0.2 < moment["below_zero"] < 0.8 for moment in course)
    trained = [row for row in shown["rows"] if (row["variant"], row["state"]) == ("relu6", "trained")]
    assert course[-1]["below_zero"] == pytest.approx(statistics.mean(row["clipped_low"] for row in trained))
    assert course[-1]["above_six"] == pytest.approx(statistics.mean(row["clipped_high"] for row in trained))


def test_the_accuracy_is_that_of_the_runs_and_their_difference_is_compared(shown, digits_results):
    runs = collect(digits_results).runs
    accuracies = {name: [r.accuracy for r in runs if r.variant == name] for name in ("linear", "relu6")}
    for row in shown["rows"]:
        assert row["accuracy"] == pytest.approx(sum(accuracies[row["variant"]]) / 2)
    (compared,) = shown["comparisons"]
    lost = [a - b for a, b in zip(accuracies["linear"], accuracies["relu6"], strict=True)]
    assert compared["accuracy_lost"] == pytest.approx(sum(lost) / 2)


def test_the_probe_is_a_logistic_regression_on_the_averaged_output(out, digits_results):
    runs = json.loads((out / "bridge.json").read_text())["runs"]
    first = next(
        r for r in runs if (r["variant"], r["seed"], r["state"], r["block"]) == ("relu6", 1, "trained", 2)
    )
    (run_id,) = [r.id for r in collect(digits_results).runs if (r.variant, r.seed) == ("relu6", 1)]
    opened = open_run(digits_results / "runs" / run_id, None, CPU)
    kept, network = {}, opened.network("trained")
    network.blocks[2].register_forward_hook(lambda module, inputs, output: kept.update(output=output))
    features, labels = [], []
    with torch.no_grad():
        for images in (opened.data.train, opened.data.held_out):
            network(opened.data.normalised(images.pixels))
            features.append(kept["output"].mean((2, 3)).double())
            labels.append(images.labels)
    mean, std = features[0].mean(0), features[0].std(0, correction=0)
    train, held_out = (((of - mean) / std).numpy() for of in features)
    probe = LogisticRegression(max_iter=2000).fit(train, labels[0])
    assert first["measures"]["probe"] == pytest.approx(probe.score(held_out, labels[1]), abs=0.011)


def test_out_holds_the_table_the_figure_and_every_seed(shown, out):
    assert sorted(path.name for path in out.iterdir()) == [
        "bridge-digits.png", "bridge-digits.svg", "bridge.csv", "bridge.json"
    ]  # fmt: skip
    with (out / "bridge.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [row["block"] for row in table] == [str(row["block"]) for row in shown["rows"]]
    assert [float(row["probe"]) for row in table] == [row["probe"] for row in shown["rows"]]
    contents = json.loads((out / "bridge.json").read_text())
    assert (contents["rows"], contents["comparisons"]) == (shown["rows"], shown["comparisons"])
    assert len(contents["runs"]) == 2 * 2 * 2 * 3


def test_its_figure_is_drawn_again_from_what_it_has_left(shown, out):
    figure = (out / "bridge-digits.svg").read_bytes()
    (out / "bridge-digits.svg").unlink()
    assert stale_figures(out) == [f"{out / 'bridge-digits.svg'}: is missing"]
    assert draw(out) == ["bridge-digits"]
    assert (out / "bridge-digits.svg").read_bytes() == figure
    assert stale_figures(out) == []


def test_the_tables_fit_80_columns(digits_results, tmp_path):
    lines = run(digits_results, "--images", 40, "--out", tmp_path).stdout.splitlines()
    table = lines[: next(k for k, line in enumerate(lines) if line.startswith("table and figure"))]
    assert max(map(len, table)) <= 80
    assert not any("…" in line for line in table)
    words = " ".join(" ".join(table).split())
    assert "digits: relu6:" in words
    assert "(mean of 2 seeds)" in words
    assert "below 0 and above 6 after each epoch" in words


def test_the_same_runs_give_the_same_bridge(digits_results):
    told = []
    first = build_bridge(digits_results, None, CPU, 40, lambda done, of: told.append((done, of)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert build_bridge(digits_results, None, CPU, 40).blocks == first.blocks


def test_unless_out_is_given_the_files_lie_beside_the_report(digits_results, tmp_path):
    copy = shutil.copytree(digits_results, tmp_path / "copy")
    assert run(copy, "--images", 20).exit_code == 0
    assert (copy / "bridge.csv").exists()
    assert (copy / "bridge-digits.svg").exists()


def refusal(*arguments):
    error = run(*arguments).exception
    assert isinstance(error, LabError)
    return str(error)


def test_what_is_no_results_folder_is_refused(digits_results, tmp_path):
    assert "holds no plan.json; give the folder of one tier" in refusal(tmp_path)
    assert "holds no plan.json" in refusal(digits_results / "runs")
    assert "File exists" in refusal(digits_results, "--out", __file__)


def test_without_finished_runs_on_images_there_is_no_bridge(mini, tmp_path):
    make_plan(load(str(mini)), "smoke", Data(("spiral", "digits")), None, {}).write(tmp_path)
    assert "holds no finished run on images" in refusal(tmp_path)


def test_unfinished_runs_are_left_out(digits_results, tmp_path):
    copy = shutil.copytree(digits_results, tmp_path / "copy")
    left = next(r for r in collect(copy).runs if (r.variant, r.seed) == ("linear", 1))
    (copy / "runs" / left.id / "result.json").unlink()
    found = json.loads(run(copy, "--json", "--images", 20).stdout)
    assert {row["variant"]: row["seeds"] for row in found["rows"]} == {"linear": 1, "relu6": 2}
    (compared,) = found["comparisons"]
    assert (compared["seeds"], compared["ci_low"]) == (1, None)


def test_a_run_whose_images_are_gone_is_named(digits_results, tmp_path):
    copy = shutil.copytree(digits_results, tmp_path / "copy")
    config = copy / "runs" / collect(copy).runs[0].id / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "data": {**content["data"], "dataset": "cifar10"}}))
    assert "CIFAR-10, whose images this run goes with, is not at hand" in refusal(copy, "--images", 20)


def test_help_loads_neither_torch_nor_matplotlib():
    program = (
        "import sys, bottleneck_lab.cli.instruments.bridge; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'scipy', 'matplotlib', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
