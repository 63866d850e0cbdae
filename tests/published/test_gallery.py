"""The page of published results shows every figure, each with a line that says what it is."""

import re
from pathlib import Path

import pytest

from bottleneck_lab.published.gallery import BEGIN, END, caption, gallery, with_gallery

FIGURES = Path(__file__).parents[2] / "figures"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "linear_vs_relu").mkdir()
    for name in ("curves-cifar10.png", "curves-cifar10.svg", "paper-digits.png", "results.csv"):
        (tmp_path / "linear_vs_relu" / name).touch()
    return tmp_path / "linear_vs_relu"


def test_every_figure_is_shown_and_named_once(folder):
    shown = re.findall(r"^!\[(.*)\]\((.*)\)$", gallery([folder]), re.MULTILINE)
    assert shown == [
        (
            "Accuracy on CIFAR-10 less the reference's over training: means over seeds, 95 % bands.",
            "linear_vs_relu/curves-cifar10.png",
        ),
        (
            "What is lost to the reference on digits over training, beside what the paper's networks lose.",
            "linear_vs_relu/paper-digits.png",
        ),
    ]


def test_it_is_written_between_its_marks_and_nowhere_else(folder):
    page = folder.parent / "README.md"
    page.write_text(f"# Prose\n\n{BEGIN}\nold\n{END}\n\nmore prose\n")
    once = with_gallery(page, [folder])
    assert once.startswith(f"# Prose\n\n{BEGIN}\n\n### linear_vs_relu\n")
    assert once.endswith(f"\n{END}\n\nmore prose\n")
    assert "old" not in once
    page.write_text(once)
    assert with_gallery(page, [folder]) == once


@pytest.mark.parametrize("text", ["# Prose\n", f"{BEGIN}\n", f"{END}\n"])
def test_a_page_without_both_marks_is_left_alone(folder, text):
    page = folder.parent / "README.md"
    assert with_gallery(page, [folder]) is None
    page.write_text(text)
    assert with_gallery(page, [folder]) is None


@pytest.mark.skipif(not FIGURES.exists(), reason="the checkout has no figures")
def test_every_published_figure_has_its_line():
    stems = {path.stem for path in FIGURES.glob("*/*.png")}
    assert len(stems) > 10
    assert [stem for stem in sorted(stems) if caption(stem) == stem] == []
    text = (FIGURES / "README.md").read_text()
    names = [path.relative_to(FIGURES).as_posix() for path in FIGURES.glob("*/*.png")]
    assert [name for name in names if f"]({name})" not in text] == []
