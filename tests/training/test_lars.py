"""Layer-wise scaled SGD: the size of a layer's gradient does not matter, and that of its weights does."""

import pytest
import torch
from torch import nn

from bottleneck_lab.config import ToyNetworkSettings, TrainSettings
from bottleneck_lab.models import ToyNetworks, initialise_batch
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.training.lars import LARS
from bottleneck_lab.training.optimiser import optimiser, set_learning_rate

PLAIN = TrainSettings(epochs=1, optimizer="lars", learning_rate=0.02, weight_decay=0.0, momentum=0.9)


def step_of(layer: nn.Module, gradient: torch.Tensor, settings: TrainSettings = PLAIN) -> torch.Tensor:
    """By how much a layer's weight changes in its first step with this gradient."""
    before = layer.weight.detach().clone()
    optimizer = optimiser(layer, settings)
    layer.weight.grad = gradient.clone()
    optimizer.step()
    return layer.weight.detach() - before


def test_a_step_is_as_long_as_the_weights_times_the_rate_whatever_the_gradient() -> None:
    torch.manual_seed(0)
    for scale in (1e-6, 1.0, 1e6):
        layer = nn.Linear(5, 4, bias=False)
        length = layer.weight.norm().item()
        moved = step_of(layer, scale * torch.randn(4, 5))
        # Nesterov's first step is 1 + momentum times the gradient.
        assert moved.norm().item() == pytest.approx(1.9 * 0.02 * length, rel=1e-4)


def test_it_goes_where_sgd_goes_weight_decay_included() -> None:
    layer, gradient = nn.Linear(3, 2, bias=False), torch.randn(2, 3)
    with_decay = gradient + 0.1 * layer.weight.detach()
    settings = PLAIN.model_copy(update={"weight_decay": 0.1})
    moved = step_of(layer, gradient, settings)
    torch.testing.assert_close(moved / moved.norm(), -with_decay / with_decay.norm())


def test_biases_and_batch_norm_step_as_with_sgd() -> None:
    layer = ConvNorm(2, 3)
    optimizer = optimiser(layer, PLAIN)
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    scale = layer.norm.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(layer.norm.weight, scale - 0.02 * 1.9)


def test_weights_or_gradients_of_0_are_left_to_sgd() -> None:
    layer = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(layer.weight)
    torch.testing.assert_close(step_of(layer, torch.ones(2, 2)), torch.full((2, 2), -0.02 * 1.9))
    assert torch.equal(
        step_of(layer, torch.zeros(2, 2), PLAIN.model_copy(update={"momentum": 0.5})).isnan(),
        torch.zeros(2, 2, dtype=torch.bool),
    )


def test_every_network_of_a_batch_has_its_own_lengths() -> None:
    settings = ToyNetworkSettings(family="toy", network="toy", width=3)
    together, alone = ToyNetworks([settings] * 2), ToyNetworks([settings])
    initialise_batch(together, [0, 1])
    initialise_batch(alone, [1])
    points = torch.randn(2, 9, 2)
    for networks, given in ((together, points), (alone, points[1:])):
        optimizer = optimiser(networks, PLAIN)
        networks(given).square().mean((1, 2)).sum().backward()
        optimizer.step()
    for name, parameter in alone.named_parameters():
        torch.testing.assert_close(together.get_parameter(name)[1], parameter[0])


def test_weight_decay_is_there_again_after_a_step() -> None:
    optimizer = optimiser(nn.Linear(2, 2), PLAIN.model_copy(update={"weight_decay": 0.1}))
    assert isinstance(optimizer, LARS)
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def test_the_bias_behind_the_thin_tensor_may_have_another_rate() -> None:
    block = nn.ModuleDict(
        {"block": nn.ModuleDict({"projection": ConvNorm(2, 3), "expansion": ConvNorm(2, 3)})}
    )
    optimizer = optimiser(block, TrainSettings(epochs=1, learning_rate=0.1, projection_bias_rate=64))
    set_learning_rate(optimizer, 0.1)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    names = {name: rates[id(p)] for name, p in block.named_parameters()}
    assert names.pop("block.projection.norm.bias") == pytest.approx(6.4)
    assert set(names.values()) == {0.1}
