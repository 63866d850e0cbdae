"""A damaged file gets a sentence; an error of our own is none of its fault."""

import json

import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.published.blame import differences, unless_a_bug


def test_a_file_that_is_what_its_records_say_is_not_blamed(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text('{"runs": 3}')
    with pytest.raises(KeyError, match="claims"), unless_a_bug(path, lambda: {"runs": 3}):
        json.loads(path.read_text())["claims"]


def test_a_file_that_is_something_else_is_blamed_with_what_it_led_to(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text('{"runs": 4}')
    with (
        pytest.raises(LabError, match=r"is not what its records say \(KeyError: 'claims'\); make"),
        unless_a_bug(path, lambda: {"runs": 3, "claims": []}),
    ):
        json.loads(path.read_text())["claims"]


def test_differences_are_told_by_their_place_and_floats_to_nine_digits():
    found = {"a": [1.0, 2], "b": None}
    assert list(differences(found, {"a": [1.0 + 1e-12, 2], "b": None})) == []
    assert list(differences(found, {"a": [1.0, 3, 4]})) == [
        ("a[1]", "2", "3"),
        ("a[2]", "missing", "4"),
        ("b", "None", "missing"),
    ]
