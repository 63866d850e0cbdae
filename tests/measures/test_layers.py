from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bottleneck_lab.config import NETWORKS, MobileNetV2Settings
from bottleneck_lab.manifold.decoders import moments
from bottleneck_lab.manifold.patterns import count_pixels
from bottleneck_lab.manifold.positives import PAPER
from bottleneck_lab.measures.layers import (
    Bottleneck,
    count_expansions,
    effective_matrix,
    measure_bottlenecks,
    pooled_outputs,
    probe_accuracy,
    projecting,
)
from bottleneck_lab.models import MobileNetV2, initialise

STAGES = [{"t": 1, "c": 4, "n": 1, "s": 1}, {"c": 6, "n": 2, "s": 2}]


def network(seed=0, **knobs):
    """A small network in double precision, with statistics of batch norm that differ by channel."""
    content = {"stages": STAGES, "stem_width": 8, "head_width": 8, "expansion": 3, "channel_multiple": 2}
    named = {"family": "mobilenet_v2", "network": "mobilenet_v2_digits"}
    settings = {**named, **NETWORKS["mobilenet_v2_digits"], **content, **knobs}
    made = MobileNetV2(MobileNetV2Settings.model_validate_json(json.dumps(settings)), 1, 10).double()
    initialise(made, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in (*made.named_buffers(), *made.named_parameters()):
        if name.endswith(("running_mean", "norm.bias", "running_var", "norm.weight")):
            low = 0.2 if name.endswith(("running_var", "norm.weight")) else -0.3
            tensor.data.uniform_(low, low + 1.0, generator=generator)
    return made.eval()


def images(count=6, seed=0):
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed)).double() * 3


def pre_activations(layer, x):
    """What a 1x1 convolution and its batch norm make of x, written out."""
    norm = layer.norm
    z = torch.einsum("oi,nihw->nohw", layer.conv.weight[:, :, 0, 0], x)
    shape = (1, -1, 1, 1)
    z = (z - norm.running_mean.view(shape)) / (norm.running_var.view(shape) + norm.eps).sqrt()
    return z * norm.weight.view(shape) + norm.bias.view(shape)


@torch.no_grad()
def tensors(net, x):
    """Input, expansion before ReLU6, projection before its activation, and output of each block, by hand."""
    x, found = net.stem(x), []
    for block in net.blocks:
        wide = pre_activations(block.expansion, x) if hasattr(block.expansion, "conv") else None
        inner = block.depthwise(x if wide is None else wide.clamp(0, 6))
        narrow = pre_activations(block.projection, inner)
        h = block.projection.activation(narrow)
        y = block.output(x + h if block.has_shortcut else h)
        found.append({"input": x, "wide": wide, "narrow": narrow, "output": y})
        x = y
    return found


def pixels(tensor):
    return tensor.movedim(1, -1).flatten(0, -2).numpy()


def plain(counts):
    return {**asdict(counts), "positive": counts.positive.tolist()}


def test_the_effective_matrix_and_a_bias_make_the_pre_activation():
    net, x = network(), images()
    tensor = tensors(net, x)[1]
    z, inputs = pixels(tensor["wide"]), pixels(tensor["input"])
    without_bias = inputs @ effective_matrix(net.blocks[1].expansion).T
    assert np.ptp(z - without_bias, axis=0).max() < 1e-12  # the same for all pixels


def test_expansions_are_counted_before_their_activation_and_blocks_without_one_are_left_out():
    net, x = network(), images()
    found = count_expansions(net, [x])
    assert list(found) == ["blocks.1.expansion", "blocks.2.expansion"]
    for index, counts in zip((1, 2), found.values(), strict=True):
        tensor = tensors(net, x)[index]
        expected = count_pixels(tensor["wide"], "relu6", effective_matrix(net.blocks[index].expansion))
        assert plain(counts) == plain(expected)
        assert (counts.threshold, counts.channels) == (net.blocks[index].inputs, net.blocks[index].inner)
        assert counts.pixels == tensor["wide"][:, 0].numel()


def test_one_pass_in_batches_equals_all_images_at_once():
    net, x = network(projection_activation="relu6"), images(7)
    once, batched = (count_expansions(net, batches) for batches in ([x], x.split(3)))
    assert [plain(counts) for counts in once.values()] == [plain(counts) for counts in batched.values()]
    for one, other in zip(*(measure_bottlenecks(net, b) for b in ([x], x.split(3))), strict=True):
        assert plain(one.projection) == plain(other.projection)
        assert other.rank_before == pytest.approx(one.rank_before, rel=1e-6)
        assert other.rank_after == pytest.approx(one.rank_after, rel=1e-6)
        assert np.allclose(other.pooled, one.pooled, rtol=1e-12)


def test_looking_leaves_no_hooks_behind_and_changes_nothing():
    net, x = network(), images()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    measure_bottlenecks(net, [x])
    with pytest.raises(RuntimeError):
        count_expansions(net, [torch.zeros(1, 2, 8, 8).double()])  # two channels where there is one
    assert not any(module._forward_hooks for module in net.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("residual", ["bottleneck", "none", "expansion", "sandglass"])
def test_every_residual_has_its_expansions_found(residual):
    net = network(residual=residual)
    found = count_expansions(net, [images()])
    expected = {
        f"blocks.{place.index}.expansion": place.expansion.conv.weight.shape[:2]
        for place in projecting(net)
        if place.expansion
    }
    assert {name: (of.channels, of.threshold) for name, of in found.items()} == expected
    assert len(found) == (3 if residual == "sandglass" else 2)


def test_mobilenet_v2_has_the_expansions_of_figure_7():
    settings = {"family": "mobilenet_v2", "network": "mobilenet_v2", **NETWORKS["mobilenet_v2"]}
    with torch.device("meta"):
        net = MobileNetV2(MobileNetV2Settings.model_validate_json(json.dumps(settings)))
    sizes = [place.expansion.conv.weight.shape[:2] for place in projecting(net) if place.expansion]
    assert sizes == [(layer.channels, layer.threshold) for layer in PAPER["trained"]]


@pytest.mark.parametrize("activation", ["linear", "relu6", "leaky_relu"])
def test_bottlenecks_are_measured_before_and_after_their_activation(activation):
    net, x = network(projection_activation=activation), images()
    for found, tensor in zip(measure_bottlenecks(net, [x]), tensors(net, x), strict=True):
        z = pixels(tensor["narrow"])
        h = {"linear": z, "relu6": z.clip(0, 6), "leaky_relu": np.where(z > 0, z, 0.01 * z)}[activation]
        assert plain(found.projection) == plain(count_pixels(tensor["narrow"], activation))
        assert found.rank_before == pytest.approx(slow_effective_rank(z))
        assert found.rank_after == pytest.approx(slow_effective_rank(h))
        assert found.affine_error == pytest.approx(slow_affine_error(z, h), abs=1e-6)
        assert np.allclose(found.pooled, tensor["output"].mean((2, 3)).numpy())
    if activation == "linear":
        assert found.affine_error < 1e-6


def slow_effective_rank(codes):
    values = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    shares = values / values.sum()
    return math.exp(-sum(p * math.log(p) for p in shares if p > 0))


def slow_affine_error(points, codes):
    with_one = np.column_stack([codes, np.ones(len(codes))])
    errors = with_one @ np.linalg.lstsq(with_one, points, rcond=None)[0] - points
    return math.sqrt((errors**2).sum() / ((points - points.mean(axis=0)) ** 2).sum())


def test_an_activation_after_the_addition_is_measured_there():
    net, x = network(projection_activation="relu6", projection_place="after_add"), images()
    found, tensor = measure_bottlenecks(net, [x])[2], tensors(net, x)[2]
    assert found.shortcut
    total = tensor["input"] + tensor["narrow"]
    assert plain(found.projection) == plain(count_pixels(total, "relu6"))
    assert np.allclose(found.pooled, total.clamp(0, 6).mean((2, 3)).numpy())


def test_the_rows_say_what_block_they_are_of():
    net = network()
    found = measure_bottlenecks(net, [images()])
    assert [(of.block, of.width, of.shortcut) for of in found] == [(0, 4, False), (1, 6, False), (2, 6, True)]
    assert [of.expansion is None for of in found] == [True, False, False]
    norm = net.blocks[1].projection.norm
    assert found[1].norm_bias == pytest.approx(norm.bias.mean().item())
    assert found[1].norm_scale == pytest.approx(norm.weight.abs().mean().item())


def test_a_block_that_is_the_identity_has_nothing_to_measure():
    net = network(stages=[{"c": 8, "n": 2, "s": 1}], expansion=0)
    assert projecting(net) == []
    assert measure_bottlenecks(net, [images()]) == []


def test_a_projection_without_inner_layer_is_linear_whatever_the_others_are():
    stages = [{"c": 6, "n": 1, "s": 1}, {"c": 6, "n": 1, "s": 1, "t": 3}]
    net = network(stages=stages, expansion=0, projection_activation="relu6")
    bare, usual = measure_bottlenecks(net, [images()])
    assert (bare.projection.clipped, bare.affine_error < 1e-6) == (0, True)
    assert usual.projection.clipped > 0


def test_an_affine_map_reads_a_normal_channel_from_its_relu_with_the_error_of_the_closed_form():
    z = np.random.default_rng(0).standard_normal((200_000, 2))
    counts = count_pixels(torch.from_numpy(z).T[None, :, :, None], "relu")
    seen = Bottleneck(0, 2, False, None, counts, moments(z, np.maximum(z, 0)), z, 0.0, 1.0)
    assert seen.affine_error == pytest.approx(math.sqrt(1 - 0.25 / (0.5 - 1 / (2 * math.pi))), abs=0.005)
    assert seen.rank_before == pytest.approx(2, abs=1e-3)


def test_pooled_outputs_are_those_of_the_full_measurement():
    net, x = network(projection_activation="relu"), images(7)
    measured = measure_bottlenecks(net, [x])
    for features, of in zip(pooled_outputs(net, x.split(2)), measured, strict=True):
        assert np.allclose(features, of.pooled, rtol=1e-12)


def test_a_probe_reads_what_is_linear_and_guesses_what_is_not_there():
    rng = np.random.default_rng(0)
    labels, new_labels = rng.integers(0, 4, 800), rng.integers(0, 4, 400)
    centres = rng.standard_normal((4, 8)) * 5
    features, new = (centres[y] + rng.standard_normal((len(y), 8)) for y in (labels, new_labels))
    assert probe_accuracy(features, labels, new, new_labels) > 0.99
    noise, new_noise = rng.standard_normal((800, 8)), rng.standard_normal((400, 8))
    assert abs(probe_accuracy(noise, labels, new_noise, new_labels) - 0.25) < 0.1


def test_a_probe_does_not_care_for_scale_or_dead_channels_and_gives_the_same_twice():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    features = F.one_hot(torch.from_numpy(labels), 3).numpy() + rng.standard_normal((300, 3))
    scaled = np.column_stack([features * [1e-3, 1.0, 1e4] + 7, np.full(300, 2.0)])
    scores = [probe_accuracy(f, labels, f, labels) for f in (features, scaled, features)]
    assert scores[0] == scores[2] == pytest.approx(scores[1], abs=0.01)
