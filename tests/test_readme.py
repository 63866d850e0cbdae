import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app

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


def test_the_table_of_its_first_screen_is_that_of_the_published_report(text):
    report = (README.parent / "figures" / "linear_vs_relu_laptop" / "report.md").read_text()
    section = report.partition("## Images: cifar10")[2].partition("\n## ")[0]
    head, _, *rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    columns = ("variant", "held-out accuracy", "95 % interval", "difference, points", "verdict")
    variant, mean, interval, difference, verdict = (head.index(name) for name in columns)
    published = {
        row[variant]: [
            f"{row[mean].removesuffix(' %')} {row[interval]}",
            row[difference].replace("reference", ""),
            row[verdict].replace("*", "").replace("-", ""),
        ]
        for row in rows
    }
    screen = text.partition("\n## ")[0]
    shown = [line[1:-1].split("|") for line in screen.splitlines() if line.startswith("|")][2:]
    assert {row[0].strip(): [cell.strip(" *") for cell in row[1:]] for row in shown} == published


def options_in(text):
    return set(re.findall(r"(--[a-z][a-z-]+)", text))


def test_every_option_in_its_sentences_is_one_of_run_ablation(text):
    prose = re.sub(r"^(    |```sh\n).*", "", text, flags=re.MULTILINE)
    known = CliRunner().invoke(app, ["run", "--help"]).output
    assert options_in(prose) - options_in(known) == set()
