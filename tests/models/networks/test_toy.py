"""Toy networks: many in one batch, each of them as if it were alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from bottleneck_lab.config import RunSettings, ToyNetworkSettings
from bottleneck_lab.models import ToyNetworks, cost_of, initialise_batch, parameters

Settings = Callable[..., ToyNetworkSettings]
Array = NDArray[np.float64]

PLAIN: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, x / 100),
    "silu": lambda x: x * expit(x),
}

activations = st.sampled_from(sorted(PLAIN))
shapes = st.fixed_dictionaries(
    {
        "width": st.integers(1, 4),
        "blocks": st.integers(1, 3),
        "expansion": st.sampled_from([0.5, 1, 2, 6]),
    }
)
knobs = st.fixed_dictionaries(
    {
        "projection_activation": activations,
        "projection_place": st.sampled_from(["before_add", "after_add"]),
        "inner_activation": activations,
        "residual": st.sampled_from(["bottleneck", "expansion", "none"]),
    }
)


def points(count: int, dimensions: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 7, dimensions, generator=generator, dtype=torch.float64)


def filled(networks: list[ToyNetworkSettings], dimensions: int = 2, classes: int = 3) -> ToyNetworks:
    """A batch in float64 with random weights and biases."""
    batch = ToyNetworks(networks, dimensions, classes).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in batch.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return batch


def written_out(settings: ToyNetworkSettings, state: dict[str, torch.Tensor], index: int, x: Array) -> Array:
    """Logits of one network of a batch, point by point and layer by layer."""

    def linear(name: str, x: Array) -> Array:
        weight, bias = (state[f"{name}.{part}"][index].numpy() for part in ("weight", "bias"))
        return np.array([point @ weight + bias[0] for point in x])

    inner, after = PLAIN[settings.inner_activation], PLAIN[settings.projection_activation]
    x, before = linear("stem", x), None
    for block in range(settings.blocks if settings.expansion > 0 else 0):
        wide = inner(linear(f"blocks.{block}.expansion.0", x))
        if settings.residual == "expansion" and before is not None:
            wide = wide + before
        y, before = linear(f"blocks.{block}.projection.0", wide), wide
        shortcut = x if settings.residual == "bottleneck" else 0
        x = after(y) + shortcut if settings.projection_place == "before_add" else after(y + shortcut)
    return linear("classifier", x)


@settings(deadline=None)
@given(shape=shapes, several=st.lists(knobs, min_size=1, max_size=4), dimensions=st.integers(2, 3))
def test_every_network_of_a_batch_is_what_it_is_written_out(
    toy: Settings, shape: dict[str, Any], several: list[dict[str, Any]], dimensions: int
) -> None:
    networks = [toy(**shape, **knobs) for knobs in several]
    batch, x = filled(networks, dimensions), points(len(networks), dimensions)
    found = batch(x).detach().numpy()
    assert found.shape == (len(networks), 7, 3)
    for index, network in enumerate(networks):
        expected = written_out(network, batch.state_dict(), index, x[index].numpy())
        np.testing.assert_allclose(found[index], expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(shape=shapes, several=st.lists(st.tuples(knobs, st.integers(0, 3)), min_size=2, max_size=4))
def test_a_network_has_the_same_weights_and_logits_in_a_batch_and_alone(
    toy: Settings, shape: dict[str, Any], several: list[tuple[dict[str, Any], int]]
) -> None:
    networks, seeds = [toy(**shape, **knobs) for knobs, _ in several], [seed for _, seed in several]
    batch, x = ToyNetworks(networks), points(len(networks)).float()
    initialise_batch(batch, seeds)
    together = batch(x)
    for index, (network, seed) in enumerate(zip(networks, seeds, strict=True)):
        alone = ToyNetworks([network])
        initialise_batch(alone, [seed])
        for (name, one), whole in zip(alone.named_parameters(), batch.parameters(), strict=True):
            assert torch.equal(one[0], whole[index]), name
        torch.testing.assert_close(alone(x[index : index + 1])[0], together[index])


def test_a_gradient_reaches_no_other_network(toy: Settings) -> None:
    batch = filled([toy(width=3, residual=residual) for residual in ("bottleneck", "expansion", "none")])
    batch(points(3))[1].sum().backward()
    for name, parameter in batch.named_parameters():
        others = parameter.grad[[0, 2]]
        assert torch.equal(others, torch.zeros_like(others)), name
        assert parameter.grad[1].abs().sum() > 0, name


@pytest.mark.parametrize("other", [{"width": 4}, {"blocks": 2}, {"expansion": 3}])
def test_networks_of_different_shapes_share_no_batch(toy: Settings, other: dict[str, int]) -> None:
    shape = {"width": 3, "blocks": 4, "expansion": 6}
    with pytest.raises(ValueError, match="different shapes"):
        ToyNetworks([toy(**shape), toy(**{**shape, **other})])


@pytest.mark.parametrize("residual", ["bottleneck", "none"])
def test_without_inner_layers_a_network_is_linear(toy: Settings, residual: str) -> None:
    network = filled([toy(width=3, expansion=0, residual=residual, projection_activation="relu")])
    x, y = points(1), points(1).flip(1)
    torch.testing.assert_close(network(x) + network(y), network(x + y) + network(torch.zeros_like(x)))


@settings(deadline=None, max_examples=30)
@given(
    d=st.integers(1, 9),
    blocks=st.integers(1, 4),
    t=st.integers(1, 6),
    dimensions=st.integers(2, 5),
    classes=st.integers(2, 6),
    chosen=knobs,
)
def test_parameters_and_multiply_adds_are_those_of_the_linear_maps(
    toy: Settings,
    run: Callable[..., RunSettings],
    d: int,
    blocks: int,
    t: int,
    dimensions: int,
    classes: int,
    chosen: dict[str, Any],
) -> None:
    network = toy(width=d, blocks=blocks, expansion=t, **chosen)
    weights = dimensions * d + blocks * 2 * t * d**2 + d * classes
    biases = d + blocks * (t * d + d) + classes
    found = cost_of(run(network, dataset="spiral", dimensions=dimensions, arms=classes))
    assert (found.params, found.madds) == (weights + biases, weights)


def test_a_batch_holds_the_parameters_of_all_its_networks(toy: Settings) -> None:
    assert parameters(ToyNetworks([toy(width=3)] * 5)) == 5 * parameters(ToyNetworks([toy(width=3)]))
