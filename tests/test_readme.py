import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.records.results.summary import read_summary
from bottleneck_lab.report.findings.judged import with_intervals_as_judged

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def text():
    return README.read_text()


def test_what_it_adds_in_under_30_lines_runs_by_the_command_it_shows(text, tmp_path):
    section = text.partition("## Add your own")[2].partition("\n## ")[0]
    blocks = re.findall(r"`(mine\.\w+)`:\n\n```\w+\n(.*?)```", section, re.DOTALL)
    assert [name for name, _ in blocks] == ["mine.py", "mine.toml"]
    assert sum(content.count("\n") for _, content in blocks) < 30
    for name, content in blocks:
        (tmp_path / name).write_text(content)
    program, *arguments = shlex.split(re.search(r"```sh\n(.*?)\n```", section).group(1))
    assert program == "run-ablation"
    command = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rings: the one claim held." in done.stdout
    summary = json.loads((tmp_path / "results" / "mine" / "quick" / "summary.json").read_text())
    assert summary["datasets"] == ["rings"]
    assert [variant["name"] for variant in summary["variants"]] == ["relu", "silu", "mish"]
    assert min(variant["mean"] for variant in summary["variants"]) > 0.5  # of two classes


def test_every_picture_and_file_it_names_is_there(text):
    pictures = re.findall(r'<img src="([^"]+)"', text)
    files = re.findall(r"`((?:bottleneck_lab|experiments|benchmarks)/[\w./]+)`", text)
    assert pictures
    assert [name for name in [*pictures, *files] if not (README.parent / name).exists()] == []


LONG, LAPTOP, WIDTH = "linear_vs_relu_long_laptop", "linear_vs_relu_laptop", "linear_vs_relu_by_width_laptop"
SHOWN = {  # rows of the first screen: record, what follows the projection's name in its variants, claim
    "5,000 small images, 96 epochs, each at its own rate": (LONG, "96 epochs", "long"),
    "40,000 images, 3 epochs": (LAPTOP, "shortcut", "images_shortcut"),
    "40,000 images, no shortcuts": (LAPTOP, "no shortcut", "images_no_shortcut"),
    "40,000 images, half the width": (WIDTH, "width x0.5", "narrow"),
    "four times the width (claim: it costs no more than a point)": (WIDTH, "width x4", "wide"),
}


def published(record, level, claim):
    """Accuracies of linear and ReLU6 in percent, difference with its interval as judged, and verdict."""
    summary = read_summary(README.parent / "figures" / record)
    means = {v.name: 100 * v.mean for v in summary.on("cifar10") if v.mean is not None}
    judged = with_intervals_as_judged(summary.claims)
    [found] = [each for each in judged if (each.id, each.dataset) == (claim, "cifar10")]
    points, low, high = (f"{100 * value:.1f}" for value in (found.estimate, found.ci_low, found.ci_high))
    accuracies = [f"{means[f'{arm}, {level}']:.1f}" for arm in ("linear", "relu6")]
    return [*accuracies, f"{points} [{low}, {high}]", found.verdict]


def test_the_table_of_its_first_screen_is_what_was_published(text):
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")][2:]
    shown = {
        name: cells
        for name, *cells in ([cell.strip(" *") for cell in line[1:-1].split("|")] for line in lines)
    }
    assert shown == {name: published(*record) for name, record in SHOWN.items()}


def options_in(text):
    return set(re.findall(r"(--[a-z][a-z-]+)", text))


def test_every_option_in_its_sentences_is_one_of_run_ablation(text):
    prose = re.sub(r"^(    |```sh\n).*", "", text, flags=re.MULTILINE)
    known = CliRunner().invoke(app, ["run", "--help"]).output
    assert options_in(prose) - options_in(known) == set()
