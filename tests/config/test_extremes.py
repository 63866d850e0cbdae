"""Files as large, deep or long as nobody writes them by hand are refused within a moment, in a few lines."""

import sys
import time

import pytest

from bottleneck_lab.config import load, parse_overrides
from bottleneck_lab.config.ablations.parts import MOST_VARIANTS
from bottleneck_lab.errors import LabError

BLOCKS = "parts.spiral.model.blocks"
DEEP = "[" * 3000 + "]" * 3000


@pytest.mark.parametrize("value", ["9" * 5000, "-" + "9_" * 3000 + "9", "0x" + "f" * 5000, "9" * 20])
def test_an_integer_beyond_those_of_toml_is_named_by_its_key(refusal, value):
    (line,) = refusal(("blocks = 2", f"blocks = {value}"))
    assert line == f"{BLOCKS}: an integer too large; they end at 9223372036854775807"


@pytest.mark.parametrize(
    ("new", "key"),
    [
        (f"blocks = {DEEP}", "line 10: 'model'"),
        ("blocks = " + "[" * 40 + "]" * 40, BLOCKS),
        ("blocks = " + "{ a = " * 40 + "1" + "}" * 40, BLOCKS),
        ("blocks" + ".a" * 3000 + " = 1", BLOCKS if sys.version_info >= (3, 11) else "line 10: 'model'"),
    ],
)
def test_a_value_nested_deeper_than_any_setting_is_named_by_its_place(refusal, new, key):
    (line,) = refusal(("blocks = 2", new))
    assert line == f"{key}: nested too deep; settings are at most 32 deep"


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, DEEP])
def test_an_option_with_such_a_value_is_named(value):
    with pytest.raises(LabError, match=r"^--set train\.epochs: .*(an integer too large|nested too deep)"):
        parse_overrides([f"train.epochs={value}"])


def test_an_option_whose_key_is_too_long_a_path_is_refused():
    with pytest.raises(LabError, match="nested too deep"):
        parse_overrides([f"train{'.a' * 3000}=1"])


def test_of_a_value_in_several_lines_nothing_is_left_out():
    assert parse_overrides(["train.optimizer=3\nepochs = 5"]) == {"train": {"optimizer": "3\nepochs = 5"}}


def test_a_section_does_not_replace_the_keys_that_were_set_before():
    with pytest.raises(LabError, match=r"^--set images\.train=5: keys of train were given values already$"):
        parse_overrides(["images.train.epochs=3", "images.train=5"])


def test_of_thousands_of_unknown_keys_the_first_are_named_and_the_rest_counted(refusal):
    begin = time.process_time()
    lines = refusal(("blocks = 2", ", ".join(f"k{number} = 1" for number in range(3000))))
    assert time.process_time() - begin < 2
    assert lines[0].startswith("parts.spiral.model.k0: unknown key; valid names: ")
    assert len(lines) == 21
    assert lines[-1] == "and at least 2980 more problems"


def test_of_what_is_long_the_beginning_and_the_end_are_shown(refusal):
    (line,) = refusal(("blocks = 2", f'blocks = "x{"y" * 1_000_000}z"'))
    assert line.startswith(f"{BLOCKS}: input should be a valid integer, not 'xyyy")
    assert line.endswith("yz'")
    assert len(line) < 300
    (line,) = refusal(("blocks = 2", f"{'x' * 1_000_000} = 2"))
    assert "unknown key" in line
    assert len(line) < 1000


def _levels(count):
    return "\n".join(f'"d={width}" = {{ model.width = {width} }}' for width in range(2, count + 2))


def test_a_part_of_more_variants_than_anybody_trains_is_refused_at_once(refusal):
    begin = time.process_time()
    (line,) = refusal(('"d=2" = { model.width = 2 }\n"d=16" = { model.width = 16 }', _levels(4000)))
    assert time.process_time() - begin < 2
    assert line == "parts.spiral.axes: 8,000 combinations of levels; a part has at most 1,000 variants"


def test_the_largest_part_is_read_in_a_moment(write):
    path = write(('"d=2" = { model.width = 2 }\n"d=16" = { model.width = 16 }', _levels(MOST_VARIANTS // 2)))
    begin = time.process_time()
    assert len(list(load(str(path)).parts["spiral"].variants())) == MOST_VARIANTS
    assert time.process_time() - begin < 2


def test_as_many_problems_as_variants_are_counted_within_a_moment(refusal):
    begin = time.process_time()
    levels = _levels(MOST_VARIANTS // 2).replace("model.width", "model.widht")
    lines = refusal(('"d=2" = { model.width = 2 }\n"d=16" = { model.width = 16 }', levels))
    assert time.process_time() - begin < 3
    assert lines[1] == "parts.spiral.axes.width.d=2.model.widht: unknown key; did you mean 'width'?"
    assert lines[-1].endswith("more problems")


def test_axes_of_one_level_each_do_not_multiply_without_end(refusal):
    axes = "\n".join(f'axes.a{number}."one, two" = {{}}' for number in range(60))
    (line,) = refusal(
        (
            "[parts.spiral.axes.projection]",
            f"[parts.spiral]\n{axes}\n[parts.spiral.axes.projection]".replace("[parts.spiral]\n", "", 1),
        )
    )
    assert "at most 10 items" in line
