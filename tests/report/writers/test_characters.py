"""Forests in characters: what stands where."""

import pytest

from bottleneck_lab.report.document import Bar, Forest
from bottleneck_lab.report.writers.characters import axis_line, bar_line, forest_lines


def bar(**changes):
    numbers = {"estimate": 5.0, "low": 2.0, "high": 8.0, "paper": None, "margin": 1.0, "seeds": ()}
    words = {"name": "claim", "statement": "It holds.", "found": "+5 [+2, +8]", "more": (), "predicted": ()}
    return Bar(**{"verdict": "supported", "open": False, **words, **numbers, **changes})


def forest(*bars):
    return Forest("digits", "digits", "percentage points", bars)


def test_estimate_and_interval_stand_to_the_right_of_0_where_they_are_above_it():
    drawn = forest(bar())
    line = bar_line(drawn.bars[0], drawn, 40)
    assert len(line) == 40
    assert line.index("|") < line.index("[") < line.index("o") < line.index("]")
    assert axis_line(drawn, 40).index("0") == pytest.approx(line.index("|"), abs=2)


@pytest.mark.parametrize("paper", [-3.0, 0.0, 20.0])
def test_what_the_paper_has_is_on_the_axis_too(paper):
    drawn = forest(bar(paper=paper))
    assert "P" in bar_line(drawn.bars[0], drawn, 60)


def test_a_claim_without_any_seed_is_0_alone():
    drawn = forest(bar(estimate=None, low=None, high=None))
    assert bar_line(drawn.bars[0], drawn, 20).strip() == "|"


def test_every_claim_has_a_line_with_its_verdict_and_numbers():
    lines = forest_lines(forest(bar(), bar(name="other", verdict="inconclusive", open=True))).splitlines()
    assert len(lines) == 3
    assert "supported " in lines[1]
    assert "inconclusive*" in lines[2]
    assert lines[2].endswith("+5 [+2, +8]")
