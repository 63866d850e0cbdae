"""When a run counts as diverged."""

import math

import pytest

from bottleneck_lab.training.outcome import DIVERGED_ABOVE, finite


def test_losses_up_to_the_bound_are_ones_to_go_on_with():
    assert finite({"epoch": 1, "train_loss": math.log(10)})
    assert finite({"epoch": 1, "train_loss": 0.0, "loss": DIVERGED_ABOVE})


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, 1.001 * DIVERGED_ABOVE, 1e30])
@pytest.mark.parametrize("name", ["train_loss", "loss"])
def test_a_loss_that_is_no_finite_number_or_beyond_the_bound_is_a_divergence(name, loss):
    assert not finite({"epoch": 1, "train_loss": 1.0, "loss": 1.0} | {name: loss})


def test_the_bound_is_far_above_what_networks_lose_by_guessing():
    assert 1000 * math.log(100) < DIVERGED_ABOVE  # guessing one of the 100 classes of CIFAR-100
