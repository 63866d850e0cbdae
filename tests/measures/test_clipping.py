"""Shares of pre-activations below 0 and above 6, on networks whose pre-activations are known."""

import pytest
import torch

from bottleneck_lab.errors import LabError
from bottleneck_lab.measures import take
from bottleneck_lab.measures.clipping import bottleneck_activations, share_above_six, share_below_zero
from bottleneck_lab.models.block import ConvNorm

SHAPES = [
    {},
    {"projection_activation": "relu6"},
    {"projection_activation": "relu6", "residual": "none"},
    {"projection_activation": "relu", "residual": "expansion"},
    {"residual": "sandglass"},
    {"shortcuts": "between_expansions"},
]
AFTER = {"projection_activation": "relu6", "projection_place": "after_add"}


def constant(network, *biases):
    """Every projection answers with these numbers in its channels, in turn, whatever goes in."""
    with torch.no_grad():
        for block in network.blocks:
            norm = block.projection.norm
            norm.weight.zero_()
            norm.bias.copy_(torch.tensor(biases).repeat(len(norm.bias))[: len(norm.bias)])
    return network


@pytest.mark.parametrize("knobs", SHAPES)
def test_what_the_projections_answer_is_counted_whatever_follows(network, digits, knobs):
    made = constant(network(**knobs), -1.0, 3.0, 7.0, 8.0)
    assert share_below_zero(made, digits) == 0.25
    assert share_above_six(made, digits) == 0.5


def test_exactly_0_and_exactly_6_lose_nothing(network, digits):
    made = constant(network(), 0.0, 6.0)
    assert (share_below_zero(made, digits), share_above_six(made, digits)) == (0.0, 0.0)


def test_an_activation_after_the_addition_sees_the_sum(network, digits):
    made = constant(network(**AFTER, stages=[{"c": 4, "n": 3, "s": 2}], stem_width=8), 4.0, -4.0)
    # 8 channels to 4: (4, -4) becomes (4, 0); then (8, -4) becomes (6, 0); then (10, -4).
    assert share_below_zero(made, digits) == 0.5
    assert share_above_six(made, digits) == pytest.approx((0 + 0.5 + 0.5) / 3)


@pytest.mark.parametrize("knobs", [*SHAPES, AFTER])
def test_it_is_the_mean_over_blocks_of_what_a_slow_count_finds(network, digits, knobs, monkeypatch):
    monkeypatch.setattr("bottleneck_lab.measures.clipping.BATCH", 70)
    made, seen = network(**knobs), {}
    for index, block in enumerate(made.blocks):
        where = block.output if knobs == AFTER else block.projection.norm
        if knobs == AFTER:
            where.register_forward_pre_hook(lambda m, x, i=index: seen.update({i: x[0]}))
        else:
            where.register_forward_hook(lambda m, x, y, i=index: seen.update({i: y}))
    with torch.no_grad():
        made(digits.normalised(digits.held_out.pixels))
    shares = [sum(v < 0 for v in z.flatten().tolist()) / z.numel() for z in seen.values()]
    assert len(shares) == len(made.blocks)
    assert share_below_zero(made, digits) == pytest.approx(sum(shares) / len(shares), abs=1e-6)


def test_blocks_without_a_projection_are_left_out(network):
    made = network(expansion=0)
    assert len(bottleneck_activations(made)) == 2  # stage 1 has t = 1; of stage 2 only what changes the shape
    assert sum(isinstance(block.projection, ConvNorm) for block in made.blocks) == 2


def test_a_network_without_any_projection_is_refused(network, digits):
    made = network(expansion=0, stages=[{"c": 16, "n": 2, "s": 1}])
    with pytest.raises(LabError, match="no block of this network has a projection"):
        take(["below_zero"], made, digits)


def test_of_many_images_the_first_are_taken(network, digits, monkeypatch):
    monkeypatch.setattr("bottleneck_lab.measures.clipping.IMAGES", 20)
    made, sizes = network(), []
    made.stem.register_forward_hook(lambda m, x, y: sizes.append(len(x[0])))
    share_below_zero(made, digits)
    assert sum(sizes) == 20


def test_looking_leaves_no_hook_behind(network, digits):
    made = network()
    share_below_zero(made, digits)
    assert not any(module._forward_hooks for module in made.modules())
