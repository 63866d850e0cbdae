"""How variants are told apart, whatever the number of axes and levels."""

import itertools

from findings_by_hand import a_variant
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.report.drawing.lines import MOST_LINES, levels_of, look, others, panel_axis


def grid(**axes):
    """All combinations of so many levels on each axis."""
    levels = [[f"{name}={level}" for level in range(count)] for name, count in axes.items()]
    return [a_variant(levels=dict(zip(axes, names, strict=True))) for names in itertools.product(*levels)]


counts = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 4), min_size=1, max_size=4)


@given(counts.filter(lambda axes: len(grid(**axes)) <= 28))
def test_no_two_variants_look_alike(axes):
    variants = grid(**axes)
    assert len({look(variant, variants) for variant in variants}) == len(variants)


def test_colour_tells_the_first_axis_and_line_the_second():
    variants = grid(projection=3, shortcut=2)
    looks = {(v.levels["projection"], v.levels["shortcut"]): look(v, variants) for v in variants}
    for (projection, shortcut), (other, another) in itertools.product(looks, looks):
        mine, its = looks[projection, shortcut], looks[other, another]
        assert (mine.colour == its.colour) == (projection == other)
        assert (mine.line == its.line) == (shortcut == another)


def test_ten_numbers_are_shades_and_ten_names_are_not():
    numbers, names = grid(t=10), [a_variant(levels={"kind": name}) for name in "abcdefghij"]
    assert len({look(v, numbers).colour for v in numbers}) == 10
    assert {look(v, numbers).line for v in numbers} == {"-"}
    assert len({look(v, names).colour for v in names}) == 7
    assert len({look(v, names) for v in names}) == 10


@given(counts, st.sampled_from([None, 3]))
def test_panels_have_few_lines_wherever_an_axis_has_enough_levels(axes, most):
    variants = grid(**axes)
    axis = panel_axis(variants, most=most)
    fit = [count for count in axes.values() if most is None or count <= most]
    several = sum(count > 1 for count in axes.values()) > 1
    if several and fit and len(variants) > MOST_LINES >= len(variants) / max(fit):
        assert len(variants) / len(levels_of(variants, axis)) <= MOST_LINES
    if axis is not None:
        assert len({others(v, axis) for v in variants}) < len(variants)
        assert len(levels_of(variants, axis)) <= (most or 4)


def test_a_facet_has_its_panels_unless_nothing_else_differs():
    assert panel_axis(grid(width=2, projection=2), "width") == "width"
    assert panel_axis(grid(width=9), "width") is None
    assert panel_axis(grid(width=9, projection=2), "width", most=5) == "projection"
    assert panel_axis(grid(width=9, projection=2), along="width") is None  # two lines will do
