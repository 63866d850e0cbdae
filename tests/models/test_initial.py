"""Initial weights depend on seed and parameter name alone, so that variants start alike."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bottleneck_lab.config import InitialSettings, MobileNetV2Settings, ToyNetworkSettings
from bottleneck_lab.models import MobileNetV2, ToyNetworks, initialise, initialise_batch

VARIANTS: list[dict[str, Any]] = [
    {},
    {"projection_activation": "relu6"},
    {"projection_activation": "relu", "projection_place": "after_add"},
    {"inner_activation": "silu"},
    {"residual": "expansion"},
    {"residual": "none"},
    {"dropout": 0.5},
]


@pytest.fixture
def weights(mobilenet: Callable[..., MobileNetV2Settings]) -> Callable[..., dict[str, torch.Tensor]]:
    def weights(seed: int = 0, classes: int = 10, **knobs: Any) -> dict[str, torch.Tensor]:
        network = MobileNetV2(mobilenet("mobilenet_v2_digits", **knobs), 1, classes)
        initialise(network, seed)
        return {name: parameter.detach() for name, parameter in network.named_parameters()}

    return weights


@pytest.mark.parametrize("knobs", VARIANTS)
def test_variants_of_one_seed_start_with_the_same_weights(
    weights: Callable[..., dict[str, torch.Tensor]], knobs: dict[str, Any]
) -> None:
    plain, other = weights(3), weights(3, **knobs)
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[name], other[name]) for name in plain)


def test_what_another_shape_leaves_alone_starts_the_same(
    weights: Callable[..., dict[str, torch.Tensor]],
) -> None:
    plain, other = weights(3), weights(3, expansion=4, classes=20)
    same = {name for name in plain if plain[name].shape == other[name].shape}
    assert "stem.conv.weight" in same
    assert "blocks.1.expansion.conv.weight" not in same
    assert all(torch.equal(plain[name], other[name]) for name in same)


def test_no_two_seeds_and_no_two_parameters_share_their_weights(
    weights: Callable[..., dict[str, torch.Tensor]],
) -> None:
    drawn = [w for seed in (0, 1) for w in weights(seed).values() if w.dim() > 1]
    firsts = [w.flatten()[:3] / w.std() for w in drawn]
    assert not any(torch.allclose(one, other, rtol=1e-3) for one, other in itertools.combinations(firsts, 2))


def test_the_global_random_state_plays_no_part_and_is_left_alone(
    weights: Callable[..., dict[str, torch.Tensor]],
) -> None:
    torch.manual_seed(1)
    first = weights()
    torch.manual_seed(2)
    second = weights()
    assert all(torch.equal(first[name], second[name]) for name in first)

    layer = nn.Linear(2, 2)
    before = torch.get_rng_state()
    initialise(layer, 0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(64, 100, 3), 64 * 9),
        (nn.Conv2d(2000, 2000, 3, groups=2000), 9),
        (nn.Linear(200, 300), 200),
    ],
    ids=["convolution", "depthwise", "linear"],
)
def test_weights_are_normal_with_the_deviation_of_he_et_al(layer: nn.Module, fan_in: int) -> None:
    initialise(layer, 0)
    weight = layer.weight.detach()
    standard_error = (2 / fan_in / weight.numel()) ** 0.5
    assert abs(float(weight.mean())) < 4 * standard_error
    assert abs(float(weight.std()) - (2 / fan_in) ** 0.5) < 4 * standard_error / 2**0.5
    assert not layer.bias.any()


def test_batch_norm_starts_as_it_should(mobilenet: Callable[..., MobileNetV2Settings]) -> None:
    network = MobileNetV2(mobilenet("mobilenet_v2_digits"), 1, 10)
    initialise(network, 0)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        assert (norm.weight == 1).all()
        assert not norm.bias.any()


def test_a_batch_of_toy_networks_starts_with_the_deviation_of_he_et_al(
    toy: Callable[..., ToyNetworkSettings],
) -> None:
    batch = ToyNetworks([toy(width=32, blocks=1)] * 20)
    initialise_batch(batch, range(20))
    for name, fan_in in [("expansion", 32), ("projection", 6 * 32)]:
        layer = getattr(batch.blocks[0], name)[0]
        weight = layer.weight.detach()
        standard_error = (1 / fan_in / weight.numel()) ** 0.5
        assert abs(float(weight.std()) - (2 / fan_in) ** 0.5) < 4 * standard_error
        assert not layer.bias.any()


def test_toy_variants_of_one_seed_start_with_the_same_weights(
    toy: Callable[..., ToyNetworkSettings],
) -> None:
    variants = [
        toy(width=3),
        toy(width=3, projection_activation="relu"),
        toy(width=3, residual="none"),
        toy(width=3, residual="expansion", inner_activation="silu"),
    ]
    batch = ToyNetworks(variants)
    initialise_batch(batch, [5] * len(variants))
    for name, parameter in batch.named_parameters():
        assert all(torch.equal(parameter[0], other) for other in parameter[1:]), name


def test_the_bias_and_scale_behind_the_thin_tensor_start_as_asked_and_nothing_else_changes(mobilenet):
    settings = mobilenet("mobilenet_v2_digits", initial={"projection_bias": 2, "projection_scale": 0.1})
    plain, asked = MobileNetV2(settings), MobileNetV2(settings)
    initialise(plain, 0)
    initialise(asked, 0, settings.initial)
    before, after = dict(plain.named_parameters()), dict(asked.named_parameters())
    for name, value in after.items():
        if name.endswith("projection.norm.bias"):
            assert (value == 2).all()
        elif name.endswith("projection.norm.weight"):
            assert torch.equal(value, torch.full_like(value, 0.1))
        else:
            assert torch.equal(value, before[name])


def test_fan_out_weights_are_those_of_torchvision(mobilenet):
    """`torchvision/models/mobilenetv2.py`: kaiming_normal_(mode="fan_out"), and 0.01 in the classifier."""
    settings = mobilenet("mobilenet_v2", initial={"weights": "fan_out"})
    network = MobileNetV2(settings)
    initialise(network, 0, settings.initial)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            reference = torch.empty_like(layer.weight)
            nn.init.kaiming_normal_(reference, mode="fan_out")
            count = reference.numel()
            assert layer.weight.std().item() == pytest.approx(reference.std().item(), rel=8 / count**0.5)
    assert network.classifier.weight.std().item() == pytest.approx(0.01, rel=0.01)


def test_networks_of_a_batch_may_start_differently(toy):
    networks = ToyNetworks([toy(width=4)] * 3)
    starts = [{}, {"projection_bias": 0.5, "projection_scale": 2.0}, {"weights": "fan_out"}]
    initialise_batch(networks, [7, 7, 7], [InitialSettings(**start) for start in starts])
    projection = networks.blocks[0].projection[0]
    assert [float(bias.unique()) for bias in projection.bias.detach()] == [0.0, 0.5, 0.0]
    assert torch.equal(projection.weight[1], 2 * projection.weight[0])
    ratio = (4 * 6 / 4) ** 0.5  # fan-in over fan-out
    torch.testing.assert_close(projection.weight[2], ratio * projection.weight[0])
