"""Names that users give stand in figures as they are, and every line is in its legend."""

import io
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bottleneck_lab.report.drawing import lettering
from bottleneck_lab.report.drawing.lettering import LetteringWarning, in_legend
from bottleneck_lab.report.drawing.lines import legend
from bottleneck_lab.report.drawing.style import drawn_bytes, drawn_svg, styled, subplots
from bottleneck_lab.report.figures.of_results import figures_of
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect


def drawn(names):
    """A figure with a line of each name, its legend, and the first name as title and both labels."""
    with styled():
        figure, panel = subplots(figsize=(4, 3))
        for place, name in enumerate(names):
            panel.plot([0, 1], [place, place], label=in_legend([name]))
        panel.set_title(names[0])
        panel.set_xlabel(names[0])
        legend(figure, [panel])
    return figure


def texts(figure):
    tree = ElementTree.parse(io.BytesIO(drawn_svg(figure)))
    return ["".join(each.itertext()) for each in tree.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "name", ["lr $10$", r"cost $\foo$ x", "$", "$$", r"\$5", "a_b^c", "<b> & 'c'", "%s {0}", "$x", "#ff0000"]
)
def test_a_name_is_drawn_letter_by_letter(name):
    found = texts(drawn([name]))
    assert found.count(name) == 3


@pytest.mark.parametrize("names", [["_a", "_b"], ["_nolegend_", "a"], ["_", "__"]])
def test_lines_whose_names_begin_with_an_underscore_are_in_the_legend(names):
    found = texts(drawn(names))
    assert all(name in found for name in names)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=3, unique=True
    )
)
def test_no_name_hinders_a_figure(names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LetteringWarning)
        content = drawn_bytes(drawn(names))
    ElementTree.parse(io.BytesIO(content[".svg"]))
    assert content[".png"].startswith(b"\x89PNG")


def test_letters_that_no_font_has_are_named_once(monkeypatch):
    monkeypatch.setattr(lettering, "_told", set())
    monkeypatch.setattr(lettering, "_font", lambda letters: None)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for names in (["中文", "plain", "文"], ["中文"]):
            drawn_bytes(drawn(names))
    [warning] = said
    assert warning.category is LetteringWarning
    assert str(warning.message).startswith("no font here has 中 文, so figures")


def test_a_font_that_has_the_letters_is_used_where_there_is_one(monkeypatch):
    monkeypatch.setattr(lettering, "_told", set())
    monkeypatch.setattr(lettering, "_font", lambda letters: "DejaVu Serif")
    figure = drawn(["中文"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = drawn_bytes(figure)
    assert b"DejaVu Serif" in content[".svg"]


def test_a_whole_report_takes_names_with_dollars(leave_runs):
    folder = leave_runs(
        records=lambda run: [
            {"epoch": epoch, "accuracy": 0.5, "measures": {"lost_int8": 0.1}} for epoch in (1, 2)
        ],
        correct=lambda run: np.arange(100) < 60 + run.seed,
    )
    plan = (folder / "plan.json").read_text("utf-8")
    (folder / "plan.json").write_text(plan.replace("nowhere", "$x^{$"), encoding="utf-8")
    results = collect(folder)
    figures = [each.figure for each in figures_of(results, summarise(results), "digits")]
    assert len(figures) > 1
    for figure in figures:
        assert any("$x^{$" in text for text in texts(figure))
