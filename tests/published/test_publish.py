"""Published results are made again from their records, and what no longer fits them is named."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bottleneck_lab.errors import LabError
from bottleneck_lab.published.artefacts import is_published
from bottleneck_lab.published.publish import (
    draw,
    false_numbers,
    publish,
    same_drawing,
    stale_figures,
)
from bottleneck_lab.records import files
from bottleneck_lab.records.packed import pack, runs_of
from bottleneck_lab.report.findings.comparison import compare
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

FIGURES = Path(__file__).parents[2] / "figures"
PUBLISHED = sorted(folder for folder in FIGURES.iterdir() if is_published(folder))


@pytest.fixture
def results(leave_runs):
    return leave_runs(
        result=lambda run: {"measures": {"below_zero": 0.5, "lost_int8": 0.01}},
        records=lambda run: [{"epoch": epoch, "accuracy": 0.3 * epoch} for epoch in (1, 2)],
        correct=lambda run: np.arange(20) < 10 + run.seed,
    )


@pytest.fixture
def folder(results, tmp_path):
    publish(results, tmp_path / "published")
    return tmp_path / "published"


@pytest.mark.skipif(not PUBLISHED, reason="the checkout has no figures")
@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_every_published_number_is_borne_out_by_its_records(folder):
    assert false_numbers(folder) == []


@pytest.mark.skipif(not PUBLISHED, reason="the checkout has no figures")
@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_every_published_figure_matches_its_data(folder):
    assert stale_figures(folder) == []


@pytest.mark.skipif(not PUBLISHED, reason="the checkout has no figures")
def test_published_results_are_small_enough_to_clone():
    assert sum(path.stat().st_size for path in FIGURES.rglob("*") if path.is_file()) < 38e6


def test_what_is_published_bears_out_its_own_numbers(folder):
    assert false_numbers(folder) == []
    assert stale_figures(folder) == []


def test_a_number_that_was_changed_is_named_with_both_values(folder):
    summary = files.read_json(folder / "summary.json")
    true = summary["variants"][0]["mean"]
    summary["variants"][0]["mean"] = 0.9
    files.write_json(folder / "summary.json", summary)
    (problem,) = false_numbers(folder)
    assert f"variants[0].mean is 0.9; its records say {true!r}" in problem


def test_a_verdict_that_was_changed_is_named(folder):
    summary = files.read_json(folder / "summary.json")
    summary["claims"][0]["verdict"] = "supported, of course"
    files.write_json(folder / "summary.json", summary)
    assert any("claims[0].verdict" in problem for problem in false_numbers(folder))


def test_a_row_that_was_changed_is_noticed(folder):
    table = folder / "results.csv"
    table.write_text(table.read_text().replace(",done,", ",failed,", 1))
    assert false_numbers(folder) == [f"{table}: is not what its records say"]


def test_a_summary_that_is_gone_is_noticed(folder):
    (folder / "summary.json").unlink()
    assert any("summary.json" in problem for problem in false_numbers(folder))


def test_a_figure_that_is_gone_or_shows_something_else_is_named(folder):
    first, second, *_ = sorted(folder.glob("*.svg"))
    first.unlink()
    second.write_text(second.read_text().replace("accuracy", "precision"))
    problems = stale_figures(folder)
    assert f"{first}: is missing" in problems
    assert f"{second}: no longer matches its data" in problems


def test_a_figure_without_data_is_named(folder):
    (folder / "curves-mnist.png").write_bytes(b"")
    assert stale_figures(folder) == [f"{folder / 'curves-mnist.png'}: is drawn from no data that is here"]


def test_the_same_data_give_the_same_bytes(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    draw(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_picture_of_another_drawing_is_named(folder):
    first, second, *_ = sorted(folder.glob("*.png"))
    first.write_bytes(second.read_bytes())
    assert stale_figures(folder) == [f"{first}: is not the picture of the SVG beside it"]


def test_pictures_that_are_gone_or_damaged_are_drawn_again(folder):
    before = {path: path.read_bytes() for path in folder.glob("*.png")}
    first, second, *_ = sorted(before)
    first.unlink()
    second.write_bytes(before[second][:-30])
    draw(folder)
    assert {path: path.read_bytes() for path in folder.glob("*.png")} == before


def test_runs_that_are_not_finished_are_not_published(leave_runs, tmp_path):
    results = leave_runs(result=lambda run: {"status": "failed"} if run.seed == 1 else {})
    with pytest.raises(LabError, match="are not finished; run it to its end"):
        publish(results, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_unfinished_results_are_published_as_such_where_that_is_asked_for(leave_runs, tmp_path):
    results = leave_runs(result=lambda run: {"status": "failed"} if run.seed == 1 else {})
    folder = tmp_path / "published"
    publish(results, folder, unfinished=True)
    assert {run.seed for run in collect(folder).runs if run.status == "not started"} == {1}
    assert not any(variant["complete"] for variant in files.read_json(folder / "summary.json")["variants"])
    assert "## What is missing" in (folder / "report.md").read_text()
    assert false_numbers(folder) == stale_figures(folder) == []


def test_the_report_of_published_results_has_their_tables_and_their_figures_alone(results, folder):
    page, _ = write_report(results)
    for name in ("report.md", "report.tex"):
        text = (folder / name).read_text()
        shown = re.findall(r"\b(?:\w+-(?:spiral|digits)|collapse-\w+)(?=\.(?:svg|png)\b)", text)
        assert set(shown) == {path.stem for path in folder.glob("*.svg")}
    tables = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert tables
    assert [
        line for line in (folder / "report.md").read_text().splitlines() if line.startswith("|")
    ] == tables


def test_a_report_that_was_changed_is_named_and_made_again(folder):
    report = folder / "report.tex"
    before = report.read_text()
    report.write_text(before.replace("accuracy", "precision"))
    assert stale_figures(folder) == [f"{report}: no longer matches its data"]
    draw(folder)
    assert report.read_text() == before


def test_results_are_not_published_into_a_results_folder(results):
    with pytest.raises(LabError, match="publish into another one"):
        publish(results, results)


def test_a_report_of_published_results_says_what_the_records_say(results, folder):
    write_report(results)
    published = files.read_json(folder / "summary.json")
    write_report(folder)
    assert files.read_json(folder / "summary.json") == published
    assert (folder / "report.md").read_text() == (results / "report.md").read_text()
    assert false_numbers(folder) == stale_figures(folder) == []


def test_published_results_are_compared_as_those_they_were_made_from(results, folder):
    (comparison,) = compare(results, folder).comparisons
    assert all(row.n_identical == row.n_pairs == 3 for row in comparison.accuracies)


def test_runs_that_were_unpacked_are_gone_on_with(folder):
    with zipfile.ZipFile(folder / "runs.zip") as archive:
        archive.extractall(folder)
    assert runs_of(folder) == folder / "runs"


@pytest.mark.parametrize("name", ["bridge", "collapse", "networks", "patterns", "ranges", "split"])
@pytest.mark.parametrize("content", ["", "not JSON", "[]", "{}", '{"rows": [1], "settings": {}}'])
def test_data_that_no_figure_can_be_drawn_from_are_named(tmp_path, name, content):
    (tmp_path / f"{name}.json").write_text(content)
    with pytest.raises(LabError, match=f"{name}.json: is not what `bottleneck-lab` leaves"):
        draw(tmp_path)


def test_packed_runs_are_the_same_bytes_whenever_they_are_packed(results):
    names = [path.name for path in (results / "runs").iterdir()]
    assert pack(results, names) == pack(results, reversed(names))


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[1]", b"{", b"\xff"])
def test_a_damaged_file_is_packed_as_it_is(results, tmp_path, content):
    shutil.copytree(results, tmp_path / "again")
    [run, *_] = sorted((tmp_path / "again" / "runs").iterdir())
    for name in ("environment.json", "result.json"):
        (run / name).write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(pack(tmp_path / "again", [run.name]))) as packed:
        assert {packed.read(f"runs/{run.name}/{name}") for name in ("environment.json", "result.json")} == {
            content
        }


def test_neither_weights_nor_names_of_the_computer_and_its_folders_are_published(results, tmp_path):
    run = next((results / "runs").iterdir())
    content = {"host": "my-laptop", "cpu": "a processor", "included": {"/home/me/secret/mine.py": "5dd7"}}
    files.write_json(run / "environment.json", content)
    (run / "weights.pt").write_bytes(b"weights")
    publish(results, tmp_path / "published")
    with zipfile.ZipFile(tmp_path / "published" / "runs.zip") as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pt")]
        environment = json.loads(archive.read(f"runs/{run.name}/environment.json"))
    assert environment == {"cpu": "a processor", "included": {"mine.py": "5dd7"}}


@pytest.mark.parametrize(
    "name", ["../outside", "runs/../../outside/result.json", "runs/a/weights.pt", "/etc/x"]
)
def test_a_zip_file_with_other_files_than_those_of_runs_is_refused(folder, name):
    with zipfile.ZipFile(folder / "runs.zip", "a") as archive:
        archive.writestr(name, "{}")
    with pytest.raises(LabError, match="holds other files than those of runs"):
        runs_of(folder)


def test_a_damaged_zip_file_is_named(folder):
    content = (folder / "runs.zip").read_bytes()
    (folder / "runs.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(LabError, match=r"runs\.zip: is damaged"):
        runs_of(folder)


def test_a_byte_that_was_changed_in_a_zip_file_is_noticed_wherever_it_is(folder):
    archive = folder / "runs.zip"
    whole = archive.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()[:: len(opened.infolist()) // 10]
    for entry in entries:
        middle = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
        archive.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
        with pytest.raises(LabError, match=r"runs\.zip: is damaged"):
            runs_of(folder)


POINT = '<path id="{name}" d="M {x} {y}"/><use href="#{name}"/>'


@given(st.floats(-500, 500), st.floats(-0.04, 0.04))
def test_drawings_are_the_same_up_to_what_an_eye_can_see(x, shift):
    first = POINT.format(name="m0123456789", x=f"{x:.6f}", y="1")
    assert same_drawing(first, POINT.format(name="mabcdef0123", x=f"{x + shift:.6f}", y="1"))
    assert not same_drawing(first, POINT.format(name="m0123456789", x=f"{x + 0.1:.6f}", y="1"))


def test_drawings_with_other_words_differ():
    assert not same_drawing("<text>40 %</text>", "<text>40 points</text>")


def packed(level, pixel=(0, 0, 0)):
    """An image in an SVG, black but for its first pixel."""
    image = Image.new("RGB", (9, 9))
    image.putpixel((0, 0), pixel)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=level)
    return (
        f'<image xlink:href="data:image/png;base64,\n{base64.b64encode(stream.getvalue()).decode()}" x="1"/>'
    )


def test_images_in_a_drawing_are_the_same_if_their_pixels_are():
    assert packed(0) != packed(9)
    assert same_drawing(packed(0), packed(9))
    assert not same_drawing(packed(9), packed(9, pixel=(1, 0, 0)))
    assert not same_drawing(packed(9), packed(9).replace("iVBOR", "iVBOS"))


def test_figures_are_drawn_without_torch(folder):
    code = (
        "import sys; from pathlib import Path; from bottleneck_lab.published.publish import draw;"
        "print(draw(Path(sys.argv[1]))); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "curves-digits" in done.stdout
