"""Images that one arm gets right and another does not, by the rule that a report states."""

import numpy as np

from bottleneck_lab.report.findings.disagreements import MOST, Pair, disagreements, images_of, pair_of
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report


def test_often_is_three_quarters_and_seldom_a_quarter_with_the_largest_first():
    first = np.array([1.0, 0.75, 0.74, 1.0, 0.0, 0.25])
    second = np.array([0.25, 0.25, 0.0, 0.0, 1.0, 0.75])
    assert disagreements(Pair("a", "b", first, second, 4)) == ([3, 0, 1], [4, 5])


def test_no_more_are_shown_than_have_room_and_equal_ones_in_the_order_of_the_data():
    right = np.ones(100)
    assert disagreements(Pair("a", "b", right, 1 - right, 4)) == (list(range(MOST)), [])


def test_a_report_on_digits_shows_them_with_their_classes(leave_runs):
    def correct(run):
        answers = np.ones(600, bool)
        answers[: 30 if run.variant == "t=2, nowhere" else 3] = False
        return answers

    folder = leave_runs(correct=correct)
    results = collect(folder)
    pair = pair_of(results, "digits", summarise(results).claims)
    assert (pair.first, pair.second, pair.seeds) == ("t=2, bottlenecks", "t=2, nowhere", 3)
    assert disagreements(pair) == (list(range(3, 3 + MOST)), [])
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == MOST
    assert "t=2, bottlenecks is right, t=2, nowhere is not" in page
    assert "data:image/png" not in (folder / "report.md").read_text()


def test_digits_are_the_held_out_ones_and_what_is_not_at_hand_is_none(monkeypatch, tmp_path):
    pixels, labels = images_of("digits", 600)
    assert (pixels.shape, labels.shape) == ((600, 8, 8, 1), (600,))
    assert images_of("digits", 601) is None
    assert images_of("points of a user", 10) is None
