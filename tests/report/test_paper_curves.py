"""Our curves beside the paper's."""

from bottleneck_lab.report.collect import collect
from bottleneck_lab.report.paper_curves import paper_curves

CURVES = """
[[parts.images.paper.tables]]
title = "Fig. 6b"
columns = ["million steps", "between bottlenecks", "none", "difference"]
rows = [["2.0", 68.66, "< 65.3", "> 3.3"], ["2.5", 69.33, 66.00, 3.33], ["3.0", 69.85, 66.91, 2.94]]

[[parts.images.claims]]
id = "bits"
"""


def drawn(leave_runs, text):
    results = leave_runs(records=lambda run: [{"epoch": e, "accuracy": 0.1 * e} for e in (1, 2)], text=text)
    return paper_curves(collect(results), "digits")


def test_the_papers_curves_stand_beside_ours_in_the_same_colours(leave_runs, grid_text):
    text = grid_text.replace('\n[[parts.images.claims]]\nid = "bits"\n', CURVES)
    ours, theirs = drawn(leave_runs, text).axes
    assert [line.get_label() for line in ours.lines] == ["t=2, bottlenecks", "t=2, nowhere"]
    assert [line.get_label() for line in theirs.lines] == ["between bottlenecks", "none"]
    assert [line.get_color() for line in ours.lines] == [line.get_color() for line in theirs.lines]
    assert theirs.lines[0].get_xydata().tolist() == [[2.0, 68.66], [2.5, 69.33], [3.0, 69.85]]
    # Below 65.3 the paper's figure is cut off.
    assert theirs.lines[1].get_xydata().tolist() == [[2.5, 66.0], [3.0, 66.91]]
    assert "ImageNet" in theirs.get_title()


def test_a_part_whose_paper_has_no_curves_has_no_such_figure(leave_runs, grid_text):
    assert drawn(leave_runs, grid_text) is None
