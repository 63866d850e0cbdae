"""A variant's name joins its levels with commas, and no two combinations may end up with one name."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError

Refusal = Callable[..., list[str]]

AXES = """[parts.spiral.axes.projection]
linear = { model.projection_activation = "linear" }
relu = { model.projection_activation = "relu" }

[parts.spiral.axes.width]
"d=2" = { model.width = 2 }
"d=16" = { model.width = 16 }
"""


def test_two_combinations_that_would_have_one_name_are_refused_with_both_named(refusal: Refusal) -> None:
    axes = """[parts.spiral.axes.block]
"relu" = { model.projection_activation = "relu" }
"relu, wide" = { model.width = 8 }

[parts.spiral.axes.rest]
"wide, long" = { train.epochs = 40 }
"long" = { train.epochs = 60 }
"""
    said = refusal((AXES, axes), ('facet = "width"\n', ""), ('"linear, d=2"', '"relu, long"'))
    assert said[0] == (
        'parts.spiral.axes: block."relu" with rest."wide, long" and block."relu, wide" with rest."long" '
        "would both be called 'relu, wide, long'; rename a level"
    )


def test_names_that_are_alike_where_a_figure_leaves_an_axis_out_are_refused_too(refusal: Refusal) -> None:
    axes = """[parts.spiral.axes.a]
"p" = { model.width = 2 }
"p, q" = { model.width = 3 }

[parts.spiral.axes.between]
x = { model.blocks = 1 }
y = { model.blocks = 2 }

[parts.spiral.axes.b]
"q, r" = { train.epochs = 20 }
"r" = { train.epochs = 30 }
"""
    [line, *_] = refusal((AXES, axes), ('facet = "width"\n', ""), ('"linear, d=2"', '"p, x, r"'))
    assert "would both be called 'p, q, r'" in line


def test_a_comma_in_a_level_does_no_harm_where_all_names_differ(write: Callable[..., Path]) -> None:
    path = write(("relu = {", '"relu, as it is" = {'), ('"relu, d=2"', '"relu, as it is, d=2"'))
    names = {variant.name for variant in load(str(path)).variants("smoke", ["spiral"])}
    assert names == {"linear, d=2", "linear, d=16", "relu, as it is, d=2", "relu, as it is, d=16"}


levels = st.lists(st.text("a, ", max_size=4), min_size=1, max_size=3, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels, levels)
def test_all_variants_of_a_file_that_is_accepted_have_names_of_their_own(
    tmp_path: Path, first: list[str], second: list[str]
) -> None:
    tables = "".join(
        f"[parts.p.axes.{axis}]\n"
        + "".join(f"{json.dumps(name)} = {{ {key} = {place} }}\n" for place, name in enumerate(names, 1))
        for axis, names, key in (("a", first, "model.width"), ("b", second, "model.blocks"))
    )
    path = tmp_path / "mine.toml"
    path.write_text(
        'question = "q"\nsource = "s"\nreported = "r"\nagainst = "a"\n[parts.p]\ntitle = "t"\n'
        'model.network = "toy"\ntrain.epochs = 1\n'
        f"{tables}[parts.p.datasets.spiral.tiers]\nsmoke.seeds = 1\n",
        encoding="utf-8",
    )
    joined = [", ".join(both) for both in itertools.product(first, second)]
    if len(set(joined)) == len(joined):
        variants = load(str(path)).variants("smoke", ["spiral"])
        assert [variant.name for variant in variants] == joined
    else:
        with pytest.raises(LabError, match="would both be called"):
            load(str(path))


@pytest.mark.parametrize("name", ["..toml", "...toml"])
def test_a_file_whose_name_would_lead_out_of_the_results_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(LabError, match="is no name; rename it"):
        load(str(tmp_path / name))
