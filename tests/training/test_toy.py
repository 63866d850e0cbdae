import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bottleneck_lab.config import load
from bottleneck_lab.data.spiral import spiral
from bottleneck_lab.training import Checkpoint, toy, train
from bottleneck_lab.training import checkpoint as checkpoint_module
from bottleneck_lab.training.outcome import finite

CPU = torch.device("cpu")


def spiral_runs(mini, width="d=3", seeds=(0, 1, 2), data=None, **training):
    variants = load(str(mini)).variants("smoke", ["spiral"], {"train": training, "data": data or {}})
    return [v.with_seed(s) for v in variants if v.levels["width"] == width for s in seeds]


def train_together(runs, checkpoint=None):
    return train(runs, folder=None, device=CPU, checkpoint=checkpoint or Checkpoint(None))


def slowly(run):
    """The weights of the network of `run` by name, trained alone: layers by `F.linear`, L2 in the loss."""
    train, model = run.train, run.model
    points, arms = spiral(run.data, run.seed, "train")
    start = toy.build([run], CPU).state_dict()
    weights = {name: tensor[0].clone().requires_grad_() for name, tensor in start.items()}
    adam = torch.optim.Adam(weights.values())

    def linear(name, x):
        return F.linear(x, weights[f"{name}.weight"].T, weights[f"{name}.bias"][0])

    for step in range(train.epochs):
        x = linear("stem", points)
        for block in range(model.blocks):
            inner = F.relu6(linear(f"blocks.{block}.expansion.0", x))
            thin = linear(f"blocks.{block}.projection.0", inner)
            x = x + (thin.relu() if model.projection_activation == "relu" else thin)
        scores = linear("classifier", x).log_softmax(1)
        target = F.one_hot(arms) * (1 - train.label_smoothing) + train.label_smoothing / run.data.arms
        loss = -(target * scores).sum(1).mean()
        for name, weight in weights.items():
            if name.endswith("weight"):
                loss = loss + train.weight_decay / 2 * weight.square().sum()
        adam.param_groups[0]["lr"] = rate_of_step(train, step + 0.5)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return weights


def rate_of_step(train, passed):
    if passed < train.warmup_epochs:
        return train.learning_rate * passed / train.warmup_epochs
    share = (passed - train.warmup_epochs) / (train.epochs - train.warmup_epochs)
    return train.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


@pytest.fixture
def double_precision():
    """Float64 wherever nothing else is said, so that rounding cannot hide a difference."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
def test_training_does_what_the_settings_say_as_a_single_plain_network_does(mini):
    runs = spiral_runs(mini, epochs=20, label_smoothing=0.1, weight_decay=0.02, warmup_epochs=4.0)
    for run, outcome in zip(runs, train_together(runs), strict=True):
        for name, expected in slowly(run).items():
            torch.testing.assert_close(outcome.weights[name], expected.detach(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("width", ["d=2", "d=3"])
def test_a_network_learns_the_same_in_a_batch_and_alone_but_for_rounding(mini, width):
    runs = spiral_runs(mini, width, epochs=60)
    together = train_together(runs)
    for run, of_batch in zip(runs, together, strict=True):
        alone = train_together([run])[0]
        for name, weights in alone.weights.items():
            torch.testing.assert_close(of_batch.weights[name], weights, rtol=1e-3, atol=1e-4)
        assert np.mean(of_batch.predictions == alone.predictions) > 0.98


def test_two_seeds_of_a_variant_see_different_points_and_weights(mini):
    first, second, _ = train_together(spiral_runs(mini)[:3])
    assert not np.array_equal(first.predictions, second.predictions)
    assert not torch.equal(first.weights["stem.weight"], second.weights["stem.weight"])


def test_half_a_turn_is_learnt_almost_perfectly(mini):
    runs = spiral_runs(mini, data={"turns": 0.5, "points": 300}, epochs=200)
    for outcome in train_together(runs[:3]):  # the linear ones
        assert outcome.records[-1]["accuracy"] > 0.9


def test_accuracy_is_the_share_of_right_predictions(mini):
    run = spiral_runs(mini)[0]
    outcome = train_together([run])[0]
    arms = np.arange(run.data.held_out) % run.data.arms
    assert outcome.records[-1]["accuracy"] == pytest.approx(np.mean(outcome.predictions == arms), abs=1e-6)
    assert np.array_equal(outcome.correct, outcome.predictions == arms)


def test_a_network_that_diverges_ends_with_that_status_and_leaves_the_others_alone(mini, monkeypatch):
    calm = spiral_runs(mini, epochs=20)
    wild = [r.model_copy(update={"seed": 7}) for r in calm[:1]]
    alone = train_together(calm)
    build = toy.build

    def build_with_a_poisoned_network(runs, device):
        networks = build(runs, device)
        with torch.no_grad():
            networks.stem.weight[[run.seed for run in runs].index(7)] = float("nan")
        return networks

    # A weight that is not a number stands for a network whose loss has blown up.
    monkeypatch.setattr(toy, "build", build_with_a_poisoned_network)
    mixed = train_together([*calm, *wild])
    assert [outcome.status for outcome in mixed] == ["done"] * len(calm) + ["diverged"]
    assert mixed[-1].predictions is None
    assert len(mixed[-1].records) == 1  # it ended when it was noticed
    assert not finite(mixed[-1].records[-1])
    for with_company, without in zip(mixed, alone, strict=False):
        assert with_company.records[-1]["accuracy"] == pytest.approx(
            without.records[-1]["accuracy"], abs=0.03
        )


class KilledError(Exception):
    pass


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_batch_that_was_killed_goes_on_and_ends_in_the_same_bits(mini, tmp_path, monkeypatch, moment):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    runs = spiral_runs(mini)
    undisturbed = train_together(runs)

    def kill(index, records):
        if index == len(runs) - 1 and len(records) == moment:
            raise KilledError

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train(runs, folder=None, device=CPU, checkpoint=Checkpoint(path), progress=kill)
    resumed = train_together(runs, Checkpoint(path))
    for a, b in zip(undisturbed, resumed, strict=True):
        assert np.array_equal(a.predictions, b.predictions)
        assert all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)
        assert [without_times(r) for r in a.records] == [without_times(r) for r in b.records]


def without_times(record):
    return {name: value for name, value in record.items() if not name.endswith("seconds")}


def test_an_outcome_is_a_value(mini):
    outcome = train_together(spiral_runs(mini)[:1])[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        outcome.status = "diverged"
