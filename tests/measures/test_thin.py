"""What passes the thin tensors: against closed forms, and the networks' own formulas written out."""

import json
import math

import pytest
import torch
from torch.nn import functional as F

from bottleneck_lab import extend, measures
from bottleneck_lab.config import RunSettings, ToyNetworkSettings
from bottleneck_lab.measures.thin import PROFILES, Thin, of_images, of_toys, over_blocks
from bottleneck_lab.models import ToyNetworks, initialise_batch

SAMPLES = 200_000


def thin(z, h, **rest):
    given = {"clipped": torch.zeros_like(z, dtype=torch.bool), "reader": None, "gradient": torch.ones(len(z))}
    return Thin(z=z, h=h, **{**given, **rest})


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(name, one):
    return PROFILES[name]([one])[0][0]


def toys(*knobs, seeds=None, width=3, blocks=3):
    settings = [
        ToyNetworkSettings(family="toy", network="toy", width=width, blocks=blocks, **one) for one in knobs
    ]
    networks = ToyNetworks(settings, 2, 3)
    initialise_batch(networks, seeds or [0] * len(settings))
    return networks


def points(count, each=50):
    classes = torch.arange(each).remainder(3).expand(count, -1)
    return normal(1, each, 2, seed=5).float().expand(count, -1, -1), classes


# What a linear map can read


def test_of_independent_channels_behind_relu_a_linear_map_reads_what_the_closed_form_says():
    z = normal(1, SAMPLES, 4)
    assert value("readable", thin(z, z.relu())) == pytest.approx(0.25 / (0.5 - 0.5 / math.pi), abs=5e-3)


def test_all_of_a_linear_image_is_read_however_it_is_turned():
    z = normal(2, 1000, 5)
    assert PROFILES["readable"]([thin(z, z @ normal(2, 5, 5, seed=1) + 3)]) == [
        [pytest.approx(1)], [pytest.approx(1)],
    ]  # fmt: skip
    thinner = z[..., :3]  # three of five equal channels are left
    assert value("readable", thin(z, thinner)) == pytest.approx(3 / 5, abs=0.05)


def test_noise_of_a_given_variance_leaves_as_much_as_it_should():
    z = normal(1, SAMPLES, 3)
    noisy = z + 0.5 * normal(1, SAMPLES, 3, seed=1)
    assert value("readable", thin(z, noisy)) == pytest.approx(1 / 1.25, abs=5e-3)


def test_the_next_layer_misses_only_what_it_would_read():
    z = normal(1, 5000, 2)
    h = z * torch.tensor([1.0, 0.0])  # the second channel is lost
    first, both = torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    assert value("readable_by_next", thin(z, h, reader=first.double())) == pytest.approx(1)
    assert value("readable_by_next", thin(z, h, reader=both.double())) == pytest.approx(
        (0.5 + 0) / 2, abs=0.03
    )


def test_a_constant_channel_is_nothing_to_read():
    z = torch.ones(1, 10, 2, dtype=torch.float64)
    assert value("readable", thin(z, z)) == value("readable_by_next", thin(z, z)) == 1


# Dimension


def test_points_of_a_plane_have_two_dimensions_in_any_number_of_channels():
    plane = normal(1, 500, 2) @ normal(1, 2, 12, seed=1)
    assert value("effective_rank", thin(plane, plane)) <= 2 + 1e-9
    assert value("dimension", thin(plane, plane)) == pytest.approx(2, abs=0.3)


def test_a_dead_tensor_has_no_dimension():
    dead = torch.zeros(1, 500, 4, dtype=torch.float64)
    assert value("effective_rank", thin(dead, dead)) == value("dimension", thin(dead, dead)) == 0


# Gradients


def test_the_gradient_at_the_last_projection_is_that_of_the_softmax_written_out():
    """Loss to z of a linear last block: (p - y) W^T, squared, summed over channels, averaged over points."""
    networks = toys({"projection_activation": "linear"})
    given, classes = points(1)
    [*_, last] = of_toys(networks, given, classes)
    error = networks(given).softmax(-1) - F.one_hot(classes, 3)
    written_out = (error @ networks.classifier.weight.mT).square().sum(-1).mean()
    assert last.gradient.item() == pytest.approx(written_out.item(), rel=1e-4)


def test_growth_is_the_mean_step_of_the_logarithm_towards_the_input():
    assert over_blocks("gradient_growth", [math.e**6, 1.0, math.e**-3, 1.0]) == pytest.approx(2)
    assert over_blocks("gradient_growth", [5.0]) == 0
    assert over_blocks("clipped", [0.2, 0.4]) == pytest.approx(0.3)


def test_of_images_it_is_what_autograd_finds_of_the_network_in_training(network, digits):
    made = network(projection_activation="relu6", dropout=0.5)
    found = of_images(made, digits)
    reference = network(projection_activation="relu6", dropout=0.0).train()
    images, labels = digits.normalised(digits.held_out.pixels[:250]), digits.held_out.labels[:250]
    inputs = {}
    for index, block in enumerate(reference.blocks):
        block.projection.activation.register_forward_pre_hook(
            lambda module, given, index=index: (given[0].retain_grad(), inputs.update({index: given[0]}))[0]
        )
    F.cross_entropy(reference(images), labels, reduction="sum").backward()
    for index, one in enumerate(found):
        expected = inputs[index].grad.square().sum((1, 2, 3)).mean()
        assert one.gradient.item() == pytest.approx(expected.item(), rel=1e-3)


# Clipping


@pytest.mark.parametrize(
    ("activation", "flat"),
    [
        ("linear", lambda z: torch.zeros_like(z, dtype=torch.bool)),
        ("relu", lambda z: z < 0),
        ("relu6", lambda z: (z < 0) | (z > 6)),
        ({"kind": "clip", "limit": 0.2}, lambda z: z.abs() > 0.2),
        ({"kind": "leaky", "slope": 0.5}, lambda z: torch.zeros_like(z, dtype=torch.bool)),
    ],
)
def test_what_is_clipped_is_where_the_activation_is_flat(network, digits, activation, flat):
    for one in of_images(network(projection_activation=activation), digits):
        assert torch.equal(one.clipped, flat(one.z))


def test_of_an_added_activation_it_is_where_its_derivative_is_0(network, digits):
    extend.activation("shrink")(lambda: torch.nn.Hardshrink(0.3))
    for one in of_images(network(projection_activation="shrink"), digits):
        assert torch.equal(one.clipped, one.z.float().abs() <= 0.3)


# Batches of toy networks


def test_a_toy_network_is_measured_in_a_batch_as_alone():
    knobs = [
        {"projection_activation": "relu"},
        {"projection_activation": "relu", "projection_place": "after_add"},
        {"projection_activation": "linear"},
    ]
    given, classes = points(3)
    names = list(extend.TOY_MEASURES)
    together = measures.take_of_toys(names, toys(*knobs, seeds=[1, 2, 3]), given, classes)
    for place, knob in enumerate(knobs):
        [alone] = measures.take_of_toys(
            names, toys(knob, seeds=[place + 1]), given[place : place + 1], classes[place : place + 1]
        )
        assert together[place][0] == pytest.approx(alone[0], rel=1e-3, abs=1e-4)
        assert list(alone[1]) == names
        assert all(len(values) == 3 for values in alone[1].values())


def test_after_the_addition_the_activation_sees_the_sum():
    networks = toys({"projection_activation": "relu", "projection_place": "after_add"}, blocks=1)
    given, classes = points(1)
    [one] = of_toys(networks, given, classes)
    x = networks.stem(given)
    block = networks.blocks[0]
    expected = x + block.projection[0](block.expansion(x))
    torch.testing.assert_close(one.z, expected.detach().double())
    torch.testing.assert_close(one.h, expected.detach().relu().double())


def test_one_that_has_diverged_leaves_the_others_measurable():
    networks = toys({}, {})
    given, classes = points(2)
    before = measures.take_of_toys(list(extend.TOY_MEASURES), networks, given, classes)
    with torch.no_grad():
        networks.stem.weight[0] = float("nan")
    after = measures.take_of_toys(list(extend.TOY_MEASURES), networks, given, classes)
    assert after[1] == before[1]


def test_measures_of_images_only_are_refused_for_toys():
    content = {
        "variant": "v", "seed": 0, "data": {"dataset": "spiral"}, "train": {"epochs": 1},
        "model": {"family": "toy", "network": "toy", "width": 3}, "measures": ["lost_int8"],
    }  # fmt: skip
    with pytest.raises(ValueError, match="the measure 'lost_int8' is taken of image networks only"):
        RunSettings.model_validate_json(json.dumps(content))
    content["measures"] = list(extend.TOY_MEASURES)
    assert RunSettings.model_validate_json(json.dumps(content)).measures == extend.TOY_MEASURES


# Before the first step


def test_before_the_first_step_batch_norm_knows_a_batch_and_the_network_stays_as_it_is(network, digits):
    network = network(projection_activation="relu6")
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.reset_parameters()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = measures.take_at_start(["readable", "clipped", "gradient_growth"], network, digits)
    # Of a normal variable half is below 0, and a linear map reads 1/4 / (1/2 - 1/(2 pi)) = 0.734 behind ReLU.
    assert found["readable"] == pytest.approx([0.734] * len(found["readable"]), abs=0.1)
    assert found["clipped"] == pytest.approx([0.5] * len(found["clipped"]), abs=0.1)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
