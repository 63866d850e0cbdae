"""`make-figures` and `verify-figures` as a user types them, on what `bench` and `collapse` leave."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.errors import LabError

FIGURES = Path(__file__).parents[3] / "figures"


@pytest.fixture
def figures(tmp_path):
    shutil.copytree(FIGURES / "memory_split", tmp_path / "figures" / "memory_split")
    return tmp_path / "figures"


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


pytestmark = pytest.mark.skipif(not FIGURES.exists(), reason="the checkout has no figures")


def test_a_figure_is_drawn_again(figures):
    (figures / "memory_split" / "split.svg").unlink()
    done = invoke("make-figures", "--figures", figures)
    assert done.exit_code == 0
    assert (figures / "memory_split" / "split.svg").exists()
    assert "split" in done.output


def test_a_stale_figure_is_named_and_the_exit_code_says_so(figures):
    (figures / "memory_split" / "split.svg").unlink()
    done = invoke("make-figures", "--figures", figures, "--check")
    assert done.exit_code == 1
    assert "split.svg: is missing" in done.output.replace("\n", " ").replace("  ", " ")
    assert not (figures / "memory_split" / "split.svg").exists()


def test_figures_that_match_are_said_to_match(figures):
    done = invoke("make-figures", "memory_split", "--figures", figures, "--check")
    assert (done.exit_code, done.output.strip()) == (0, "all figures match their data")


def test_what_cannot_be_computed_again_is_said_not_to_be_checked(figures):
    done = invoke("verify-figures", "memory_split", "--figures", figures)
    assert done.exit_code == 0
    assert "not checked" in done.output
    assert "split.json" in done.output.replace("\n", "")


def test_a_name_that_is_not_there_gets_the_nearest(figures):
    done = invoke("make-figures", "memory_spilt", "--figures", figures)
    assert isinstance(done.exception, LabError)
    assert "memory_split" in str(done.exception)


def test_a_folder_without_results_is_refused(tmp_path):
    done = invoke("verify-figures", "--figures", tmp_path)
    assert isinstance(done.exception, LabError)
    assert "holds no results" in str(done.exception)


def test_a_folder_of_data_is_drawn_by_itself(figures):
    for arguments in ([], ["."]):
        done = invoke("make-figures", *arguments, "--figures", figures / "memory_split", "--check")
        assert "CLAIMS.md" in done.output if not arguments else done.exit_code == 0


def test_what_cannot_be_written_is_said_in_a_sentence(figures, digits_results):
    (figures / "taken").write_text("a file")
    done = invoke("publish", digits_results, "--to", figures / "taken" / "results")
    assert isinstance(done.exception, LabError)
    assert "cannot be written to" in str(done.exception)


@pytest.fixture
def without_utf8():
    """The environment of a process whose locale knows ASCII only, and that warns of files in its encoding."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}
    return {**os.environ, **plain, "PYTHONWARNDEFAULTENCODING": "1"}


@pytest.mark.parametrize("name", ["depthwise_separable"])
def test_figures_match_their_data_whatever_the_locale(tmp_path, without_utf8, name):
    shutil.copytree(FIGURES / name, tmp_path / "figures" / name)
    program = "from bottleneck_lab.cli import make_figures_main; make_figures_main()"
    done = subprocess.run(
        [sys.executable, "-c", program, name, "--check", "--figures", str(tmp_path / "figures")],
        env=without_utf8,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "all figures match their data"), done.stderr
    warned = [line for line in done.stderr.splitlines() if "EncodingWarning" in line]
    assert not [line for line in warned if "bottleneck_lab" in line]


def damage(runs):
    """Pack runs by LZMA, which `publish` does not, and spoil them."""
    with zipfile.ZipFile(runs) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(runs, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        places = [entry.header_offset + 60 + len(entry.filename) for entry in archive.infolist()]
    spoilt = bytearray(runs.read_bytes())
    for place in places:
        spoilt[place] ^= 0xFF
    runs.write_bytes(spoilt)


@pytest.mark.parametrize("command", [("verify-figures",), ("make-figures", "--check")])
def test_one_folder_that_is_damaged_is_named_and_the_others_are_looked_through(figures, command):
    shutil.copytree(FIGURES / "residual_placement", figures / "residual_placement")
    damage(figures / "residual_placement" / "runs.zip")
    (figures / "memory_split" / "split.svg").unlink()
    done = invoke(*command, "--figures", figures)
    said = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "runs.zip: is packed in another way than by `publish`; publish the results again" in said
    assert ("split.svg: is missing" in said) == (command[0] == "make-figures")
