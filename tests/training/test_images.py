import dataclasses

import numpy as np
import pytest
import torch

from bottleneck_lab.config import load
from bottleneck_lab.data.images import load_images
from bottleneck_lab.training import Checkpoint, train
from bottleneck_lab.training import checkpoint as checkpoint_module
from bottleneck_lab.training import images as images_module

CPU = torch.device("cpu")


def digit_run(mini, variant="linear", seed=0, **sections):
    variants = load(str(mini)).variants("smoke", ["digits"], sections)
    return next(v for v in variants if v.name == variant).with_seed(seed)


def train_one(run, checkpoint=None, **rest):
    return train([run], folder=None, device=CPU, checkpoint=checkpoint or Checkpoint(None), **rest)[0]


def without_times(records):
    return [{k: v for k, v in record.items() if not k.endswith("seconds")} for record in records]


def test_a_small_network_learns_the_digits(mini):
    outcome = train_one(digit_run(mini, train={"epochs": 12}, data={"train_images": 1197}))
    assert outcome.status == "done"
    assert outcome.records[-1]["accuracy"] > 0.5  # ten classes: guessing has 0.1


def test_accuracy_is_the_share_of_right_predictions_of_the_last_epoch(mini):
    run = digit_run(mini)
    outcome = train_one(run)
    labels = load_images(run.data, None).held_out.labels.numpy()
    assert outcome.records[-1]["accuracy"] == np.mean(outcome.predictions == labels)
    assert outcome.predictions.dtype == np.uint8
    assert outcome.test_accuracy is None  # the digits have no test part


def test_the_same_run_twice_gives_the_same_bits(mini):
    run = digit_run(mini, model={"dropout": 0.3})
    first, second = train_one(run), train_one(run)
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_variants_of_a_seed_start_from_the_same_weights_and_see_the_same_batches(mini):
    linear, relu6 = digit_run(mini), digit_run(mini, "relu6")
    a, b = images_module.build(linear, CPU), images_module.build(relu6, CPU)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    order = [
        images_module._batches(128, run.train, images_module.stream(run.seed, "order", 0))
        for run in (linear, relu6)
    ]
    assert all(torch.equal(p, q) for p, q in zip(*order, strict=True))


def test_every_epoch_sees_every_image_at_most_once_in_another_order(mini):
    settings = digit_run(mini).train
    one, two = (torch.cat(images_module._batches(100, settings, seed)) for seed in (1, 2))
    assert len(one) == 96  # three batches of 32
    assert len(one.unique()) == len(one)
    assert not torch.equal(one, two)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_bits(mini, tmp_path, monkeypatch, moment):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    run = digit_run(mini, model={"dropout": 0.3}, train={"epochs": 4})
    undisturbed = train_one(run)

    def kill(index, records):
        if len(records) == moment:
            raise KilledError

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train_one(run, Checkpoint(path), progress=kill)
    epochs = []
    resumed = train_one(run, Checkpoint(path), progress=lambda index, records: epochs.append(len(records)))
    assert epochs[0] == moment  # the epoch in which it was killed is done again, none before it
    assert np.array_equal(resumed.predictions, undisturbed.predictions)
    assert all(torch.equal(resumed.weights[k], undisturbed.weights[k]) for k in undisturbed.weights)
    assert without_times(resumed.records) == without_times(undisturbed.records)


def test_a_loss_that_is_no_number_ends_the_run_with_that_status(mini):
    outcome = train_one(digit_run(mini, train={"learning_rate": 1e30, "epochs": 30}))
    assert outcome.status == "diverged"
    assert len(outcome.records) < 30
    assert outcome.predictions is None


def test_evaluation_does_not_depend_on_how_images_are_batched(mini, monkeypatch):
    run = digit_run(mini)
    whole = train_one(run)
    monkeypatch.setattr(images_module, "EVALUATION_BATCH", 7)
    assert np.array_equal(train_one(run).predictions, whole.predictions)


def test_bfloat16_on_the_cpu_trains_too(mini):
    outcome = train_one(digit_run(mini, train={"precision": "bfloat16"}))
    assert outcome.status == "done"


def test_the_official_test_part_is_used_once_where_it_is_at_hand(mini, monkeypatch):
    run = digit_run(mini)
    data = load_images(run.data, None)
    with_test = dataclasses.replace(data, test=data.held_out)
    outcome = images_module.train_on_images(run, with_test, CPU, Checkpoint(None))
    assert outcome.test_accuracy == outcome.records[-1]["accuracy"]
