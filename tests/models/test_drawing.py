"""A block as text: what it says is what the network does."""

from collections.abc import Callable
from typing import Any

import pytest

from bottleneck_lab.config import (
    NETWORKS,
    MobileNetV2Settings,
    RunSettings,
    ShuffleNetSettings,
    ToyNetworkSettings,
)
from bottleneck_lab.models.drawing import draw_block

Draw = Callable[..., list[str]]


@pytest.fixture
def draw(mobilenet: Callable[..., MobileNetV2Settings], run: Callable[..., RunSettings]) -> Draw:
    """Lines of the drawn block of the CIFAR network."""

    def draw(**knobs: Any) -> list[str]:
        return draw_block(run(mobilenet("mobilenet_v2_cifar", **knobs), dataset="cifar10")).splitlines()

    return draw


@pytest.fixture
def draw_toy(toy: Callable[..., ToyNetworkSettings], run: Callable[..., RunSettings]) -> Draw:
    """Lines of the drawn block of a toy network of 3 channels."""

    def draw_toy(**knobs: Any) -> list[str]:
        return draw_block(run(toy(width=3, **knobs), dataset="spiral")).splitlines()

    return draw_toy


def words(lines: list[str]) -> list[str]:
    """The lines without the line of the shortcut and without spare spaces."""
    return [" ".join(line.translate(str.maketrans("", "", "─┐│┘")).split()) for line in lines]


def has_line_beside(lines: list[str]) -> bool:
    return any(mark in line for line in lines for mark in "┐│┘─")


def test_a_block_is_drawn_as_table_1_with_its_shortcut(draw: Draw) -> None:
    lines = draw()
    assert words(lines) == [
        "blocks.2",  # the first of Table 2 with equal ends
        "input 32 x 32 x 24",
        "1x1 conv, BN, ReLU6 32 x 32 x 144",
        "3x3 depthwise, BN, ReLU6 32 x 32 x 144",
        "1x1 conv, BN 32 x 32 x 24",
        "+ input 32 x 32 x 24",
    ]
    _, first, *between, last = lines
    assert first.endswith("─┐")
    assert all(line.endswith(" │") for line in between)
    assert last.endswith("─┘")
    assert len({len(line) for line in lines[1:]}) == 1, "the shortcut is a straight line"


def test_without_a_shortcut_none_is_drawn(draw: Draw) -> None:
    lines = draw(residual="none")
    assert words(lines) == words(draw())[:-1]
    assert not has_line_beside(lines)


def test_a_network_in_which_no_shortcut_fits_has_none_drawn(draw: Draw) -> None:
    lines = draw(stages=[{"c": 16, "n": 1, "s": 1}, {"c": 24, "n": 1, "s": 2}])
    assert "+ input" not in "\n".join(lines)
    assert not has_line_beside(lines)


def test_a_shortcut_between_expansions_is_drawn_where_it_is_added(draw: Draw) -> None:
    lines = draw(residual="expansion")
    _, came_in, expanded, added, depthwise, projected = words(lines)
    width, inner = (int(line.split()[-1]) for line in (came_in, expanded))
    assert inner == 6 * width
    assert added.startswith("+ previous block's expansion ")
    assert added.endswith(f" x {inner}")
    assert depthwise.startswith("3x3 depthwise")
    assert projected.startswith("1x1 conv")
    assert not has_line_beside(lines)


def test_a_sandglass_is_drawn_with_its_shortcut_at_the_wide_ends(draw: Draw) -> None:
    lines = draw(residual="sandglass")
    assert words(lines)[1:] == [
        "input 32 x 32 x 144",
        "3x3 depthwise, BN, ReLU6 32 x 32 x 144",
        "1x1 conv, BN 32 x 32 x 24",
        "1x1 conv, BN, ReLU6 32 x 32 x 144",
        "3x3 depthwise, BN 32 x 32 x 144",
        "+ input 32 x 32 x 144",
    ]
    assert has_line_beside(lines)


@pytest.mark.parametrize(
    ("name", "shown"), [("relu", "ReLU"), ("leaky_relu", "leaky ReLU"), ("silu", "SiLU")]
)
def test_an_activation_is_drawn_before_or_after_the_addition(draw: Draw, name: str, shown: str) -> None:
    *_, projected, added = words(draw(projection_activation=name))
    assert projected == f"1x1 conv, BN, {shown} 32 x 32 x 24"
    assert added == "+ input 32 x 32 x 24"
    *_, projected, added, after = words(draw(projection_activation=name, projection_place="after_add"))
    assert projected == "1x1 conv, BN 32 x 32 x 24"
    assert added == "+ input 32 x 32 x 24"
    assert after == f"{shown} 32 x 32 x 24"


def test_at_expansion_1_there_is_no_expansion_to_draw_but_the_shortcut_is_there(draw: Draw) -> None:
    assert words(draw(expansion=1))[1:] == [
        "input 32 x 32 x 24",
        "3x3 depthwise, BN, ReLU6 32 x 32 x 24",
        "1x1 conv, BN 32 x 32 x 24",
        "+ input 32 x 32 x 24",
    ]


def test_another_kernel_is_drawn_with_its_size(draw: Draw) -> None:
    assert "5x5 depthwise, BN, ReLU6 32 x 32 x 144" in words(draw(kernel=5))


def test_a_block_with_nothing_inside_is_called_the_identity(draw: Draw, draw_toy: Draw) -> None:
    assert "is the identity" in draw(expansion=0)[0]
    assert "is the identity" in draw_toy(expansion=0)[0]


def test_a_toy_block_is_drawn_with_its_shortcut(draw_toy: Draw) -> None:
    lines = draw_toy(projection_activation="relu")
    assert words(lines) == ["input 3", "linear map, ReLU6 18", "linear map, ReLU 3", "+ input 3"]
    assert has_line_beside(lines)


def test_a_toy_block_is_drawn_with_the_activation_after_the_addition(draw_toy: Draw) -> None:
    lines = draw_toy(projection_activation="relu", projection_place="after_add")
    assert words(lines)[2:] == ["linear map 3", "+ input 3", "ReLU 3"]


def test_a_toy_block_without_a_shortcut_between_bottlenecks_has_none_drawn(draw_toy: Draw) -> None:
    none, expansion = draw_toy(residual="none"), draw_toy(residual="expansion")
    assert words(none) == ["input 3", "linear map, ReLU6 18", "linear map 3"]
    assert words(expansion)[2] == "+ previous block's expansion 18"
    assert not has_line_beside(none + expansion)


def test_a_shuffle_unit_is_drawn_with_its_groups_and_its_shuffle(run: Callable[..., RunSettings]) -> None:
    settings = ShuffleNetSettings.model_validate(
        {**NETWORKS["shufflenet"], "network": "shufflenet"}, strict=False
    )
    lines = draw_block(run(settings, dataset="cifar10")).splitlines()
    assert words(lines)[2:] == [  # Zhang et al. 2018, Fig. 2 b
        "1x1 conv in 3 groups, BN, ReLU 4 x 4 x 60",
        "channel shuffle 4 x 4 x 60",
        "3x3 depthwise, BN 4 x 4 x 60",
        "1x1 conv in 3 groups, BN 4 x 4 x 240",
        "+ input 4 x 4 x 240",
        "ReLU 4 x 4 x 240",
    ]
