import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bottleneck_lab.config import TrainSettings
from bottleneck_lab.models.block import ConvNorm
from bottleneck_lab.training.optimiser import learning_rate, optimiser


def test_the_cosine_starts_at_the_top_is_half_way_in_the_middle_and_ends_at_zero():
    settings = TrainSettings(epochs=10, learning_rate=0.4)
    assert learning_rate(settings, 0) == pytest.approx(0.4)
    assert learning_rate(settings, 5) == pytest.approx(0.2)
    assert learning_rate(settings, 2.5) == pytest.approx(0.2 * (1 + math.sqrt(0.5)))
    assert learning_rate(settings, 10) == pytest.approx(0, abs=1e-12)


def test_warm_up_rises_linearly_to_the_top():
    settings = TrainSettings(epochs=10, learning_rate=0.4, warmup_epochs=2)
    assert [learning_rate(settings, epoch) for epoch in (0, 0.5, 1, 2)] == pytest.approx([0, 0.1, 0.2, 0.4])


def test_a_constant_schedule_is_constant():
    settings = TrainSettings(epochs=10, learning_rate=0.4, schedule="constant")
    assert {learning_rate(settings, epoch) for epoch in (0, 3, 10)} == {0.4}


def test_warm_up_stable_decay_is_constant_until_its_last_share_and_then_falls_linearly_to_zero():
    settings = TrainSettings(
        epochs=8, learning_rate=0.4, warmup_epochs=2, schedule="wsd", cooldown_share=0.25
    )
    epochs = (0, 1, 2, 4, 6, 6.5, 7, 8)
    expected = [0, 0.2, 0.4, 0.4, 0.4, 0.3, 0.2, 0]
    assert [learning_rate(settings, epoch) for epoch in epochs] == pytest.approx(expected)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.05, 0.9), st.floats(0, 1))
def test_until_its_cooldown_a_training_does_not_know_how_long_it_is(one, other, share, place):
    short, long = (
        TrainSettings(epochs=epochs, learning_rate=0.3, schedule="wsd", cooldown_share=share)
        for epochs in sorted((one, other))
    )
    epoch = place * short.cooldown_begins
    assert learning_rate(short, epoch) == learning_rate(long, epoch) == 0.3


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_after_the_warm_up_the_rate_never_rises(warmup, a, b):
    settings = TrainSettings(epochs=10, learning_rate=0.1, warmup_epochs=warmup)
    early, late = sorted((max(a, warmup), max(b, warmup)))
    assert learning_rate(settings, late) <= learning_rate(settings, early) + 1e-12


def network():
    return nn.Sequential(ConvNorm(4, 4, 3, depthwise=True), ConvNorm(4, 8), nn.Flatten(), nn.Linear(8, 2))


def decayed(**settings):
    groups = optimiser(network(), TrainSettings(epochs=1, weight_decay=1e-4, **settings)).param_groups
    return sorted(p.numel() for group in groups if group["weight_decay"] for p in group["params"])


def test_only_dense_weights_decay_by_default_as_in_the_official_code():
    assert decayed() == [16, 32]  # the 2 x 8 classifier and the 8 x 4 pointwise weights


def test_depthwise_weights_and_batch_norm_decay_when_asked_to():
    assert decayed(decay_depthwise=True) == [16, 32, 36]
    assert decayed(decay_norm=True) == [2, 4, 4, 8, 8, 16, 32]


def test_a_convolution_in_groups_is_not_depthwise_and_decays():
    layer = ConvNorm(4, 8, groups=2)
    settings = TrainSettings(epochs=1, weight_decay=1e-4)
    decayed = [group["params"] for group in optimiser(layer, settings).param_groups if group["weight_decay"]]
    assert [p.numel() for p in decayed[0]] == [8 * 2]


def test_every_parameter_is_trained_exactly_once():
    model = network()
    groups = optimiser(model, TrainSettings(epochs=1)).param_groups
    trained = [id(p) for group in groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in model.parameters())


def test_sgd_takes_the_step_of_its_formula_with_nesterov_momentum():
    weight = nn.Linear(1, 1, bias=False)
    start = weight.weight.item()
    settings = TrainSettings(epochs=1, learning_rate=0.5, momentum=0.9, weight_decay=0.0)
    step = optimiser(weight, settings)
    weight(torch.ones(1, 1)).sum().backward()  # gradient 1
    step.step()
    assert weight.weight.item() == pytest.approx(start - 0.5 * (1 + 0.9))
