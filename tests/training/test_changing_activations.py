"""Activations that draw random numbers, or change over training: runs stay repeatable to the last bit."""

import json

import numpy as np
import pytest
import torch

from bottleneck_lab.config import load
from bottleneck_lab.training import Checkpoint, train
from bottleneck_lab.training import checkpoint as checkpoint_module

CPU = torch.device("cpu")
NOISE = {"kind": "noise", "variance": 0.3}
SCHEDULE = {"kind": "leaky", "slope": {"from": 1.0, "to": 0.0, "until": 0.5}}


class KilledError(Exception):
    pass


def runs_of(mini, dataset, activation, **train_settings):
    sections = {"model": {"inner_activation": activation}, "train": {"epochs": 4, **train_settings}}
    every = {"spiral": {"evaluate_every": 1}, "digits": {}}[dataset]
    sections["train"] |= every
    variants = load(str(mini)).variants("smoke", [dataset], sections)
    return [variants[0].with_seed(seed) for seed in ((0, 1) if dataset == "spiral" else (0,))]


def trained(runs, checkpoint=None, **rest):
    return train(runs, folder=None, device=CPU, checkpoint=checkpoint or Checkpoint(None), **rest)


def recorded(outcome):
    return [{k: v for k, v in record.items() if not k.endswith("seconds")} for record in outcome.records]


def assert_same_bits(a, b):
    assert np.array_equal(a.predictions, b.predictions)
    assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
    assert recorded(a) == recorded(b)


@pytest.mark.parametrize("moment", [2, 4])
@pytest.mark.parametrize("activation", [NOISE, SCHEDULE], ids=json.dumps)
@pytest.mark.parametrize("dataset", ["digits", "spiral"])
def test_a_run_that_was_killed_ends_in_the_same_bits(
    mini, tmp_path, monkeypatch, dataset, activation, moment
):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    runs = runs_of(mini, dataset, activation)
    undisturbed = trained(runs)

    def kill(index, records):
        if len(records) == moment and index == len(runs) - 1:
            raise KilledError

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        trained(runs, Checkpoint(path), progress=kill)
    torch.manual_seed(99)
    for a, b in zip(undisturbed, trained(runs, Checkpoint(path)), strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("dataset", ["digits", "spiral"])
def test_a_run_that_had_ended_but_was_not_written_down_ends_in_the_same_bits(mini, tmp_path, dataset):
    runs = runs_of(mini, dataset, NOISE)
    path = tmp_path / "checkpoint.pt"
    for a, b in zip(trained(runs, Checkpoint(path)), trained(runs, Checkpoint(path)), strict=True):
        assert_same_bits(a, b)


def test_measures_draw_for_themselves(mini):
    [run] = runs_of(mini, "digits", NOISE)
    [measured] = trained([run.model_copy(update={"measures": ("below_zero",)})])
    [plain] = trained([run])
    assert all(torch.equal(measured.weights[name], plain.weights[name]) for name in plain.weights)
    assert np.array_equal(measured.predictions, plain.predictions)


@pytest.mark.parametrize("dataset", ["digits", "spiral"])
def test_a_slope_that_ends_at_0_is_evaluated_as_a_relu_at_the_end(mini, dataset, monkeypatch):
    """And as what it was in the middle: the records of one without a schedule differ from the first on."""
    runs = runs_of(mini, dataset, SCHEDULE)
    [first, *_] = trained(runs)
    [relu, *_] = trained(runs_of(mini, dataset, {"kind": "leaky", "slope": 0.0}))
    assert recorded(first)[0]["train_loss"] != recorded(relu)[0]["train_loss"]


def test_averaged_weights_are_evaluated_with_the_activation_of_the_end(mini):
    """A copy of the network that gathers averages is made at the start, where the slope is another."""
    [run] = runs_of(mini, "digits", SCHEDULE, average_share=0.25)
    [outcome] = trained([run])
    last = run.model.model_copy(update={"inner_activation": "relu"})
    from bottleneck_lab.data.images import load_images
    from bottleneck_lab.training import images
    from bottleneck_lab.training.device import Precision

    network = images.build(run.model_copy(update={"model": last}), CPU)
    network.load_state_dict(outcome.weights)
    data = load_images(run.data, None)
    predictions, _ = images.evaluate(network, data, data.held_out, Precision(run.train, CPU))
    assert np.array_equal(predictions, outcome.predictions)
