import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from bottleneck_lab.config import load
from bottleneck_lab.data.images import load_images
from bottleneck_lab.seeds import stream
from bottleneck_lab.training import Checkpoint, train
from bottleneck_lab.training import checkpoint as checkpoint_module
from bottleneck_lab.training import images as images_module
from bottleneck_lab.training.optimiser import optimiser
from bottleneck_lab.training.outcome import finite

CPU = torch.device("cpu")


def digit_run(mini, variant="linear", seed=0, **sections):
    variants = load(str(mini)).variants("smoke", ["digits"], sections)
    return next(v for v in variants if v.name == variant).with_seed(seed)


def train_one(run, checkpoint=None, **rest):
    return train([run], folder=None, device=CPU, checkpoint=checkpoint or Checkpoint(None), **rest)[0]


def without_times(records):
    return [{k: v for k, v in record.items() if not k.endswith("seconds")} for record in records]


def crop_and_mirror(image, down, right, mirrored, padding):
    """One image `[height, width]`, moved and perhaps mirrored, in a frame of zeros."""
    height, width = image.shape
    framed = torch.zeros(height + 2 * padding, width + 2 * padding, dtype=image.dtype)
    framed[padding : padding + height, padding : padding + width] = image
    crop = framed[down : down + height, right : right + width]
    return crop.flip(1) if mirrored else crop


def slowly(run):
    """The network of `run`, trained by the formulas, one image and one weight tensor at a time."""
    train, data = run.train, run.data
    images = load_images(data, None).train
    levels = images.pixels[..., 0].double()
    network = images_module.build(run, CPU).train()
    dense = [m for m in network.modules() if isinstance(m, nn.Linear) or getattr(m, "groups", 0) == 1]
    decayed = {id(module.weight) for module in dense}
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    steps = len(images) // train.batch_size
    for epoch in range(train.epochs):
        order = torch.randperm(
            len(images), generator=torch.Generator().manual_seed(stream(run.seed, "order", epoch))
        )
        chance = torch.Generator().manual_seed(stream(run.seed, "augmentation", epoch))
        for step in range(steps):
            rows = order[step * train.batch_size : (step + 1) * train.batch_size].tolist()
            down, right = torch.randint(0, 2 * data.crop_padding + 1, (2, len(rows)), generator=chance)
            mirrored = torch.rand(len(rows), generator=chance) < 0.5
            batch = [
                crop_and_mirror(levels[row], y, x, mirror, data.crop_padding)
                for row, y, x, mirror in zip(rows, down, right, mirrored, strict=True)
            ]
            x = (torch.stack(batch) - levels.mean()) / levels.std(correction=0)
            scores = network(x[:, None].float()).log_softmax(1)
            target = torch.full_like(scores, train.label_smoothing / data.classes)
            for place, row in enumerate(rows):
                target[place, images.labels[row]] += 1 - train.label_smoothing
            loss = -(target * scores).sum(1).mean()
            rate = rate_of_step(train, epoch + (step + 0.5) / steps)
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for p, v, gradient in zip(network.parameters(), velocity, gradients, strict=True):
                    slope = gradient + train.weight_decay * p * (id(p) in decayed)
                    v.mul_(train.momentum).add_(slope)
                    p -= rate * (slope + train.momentum * v)  # Nesterov
    return network


def rate_of_step(train, passed):
    if passed < train.warmup_epochs:
        return train.learning_rate * passed / train.warmup_epochs
    share = (passed - train.warmup_epochs) / (train.epochs - train.warmup_epochs)
    return train.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def test_training_does_what_the_settings_say_as_a_slow_loop_by_the_formulas_does(mini):
    run = digit_run(
        mini,
        "relu6",
        train={
            "epochs": 2,
            "batch_size": 16,
            "warmup_epochs": 0.6,
            "weight_decay": 0.01,
            "label_smoothing": 0.1,
        },
        data={"train_images": 70, "crop_padding": 2, "flip": True},
    )
    weights, expected = train_one(run).weights, slowly(run).state_dict()
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-4, atol=1e-5)


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
    assert np.array_equal(outcome.correct, outcome.predictions == labels)
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
    run = digit_run(mini, model={"dropout": 0.3}, train={"epochs": 4, "average_share": 0.4})
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


def test_what_is_left_is_the_mean_of_the_weights_after_each_step_of_the_last_share(mini, monkeypatch):
    run = digit_run(mini, train={"epochs": 4, "average_share": 0.375})  # an epoch and a half of four steps
    seen = []

    def watched(network, settings):
        found = optimiser(network, settings)
        found.register_step_post_hook(
            lambda *_: seen.append({k: v.clone() for k, v in network.named_parameters()})
        )
        return found

    monkeypatch.setattr(images_module, "optimiser", watched)
    outcome = train_one(run)
    assert len(seen) == 16
    for name in seen[0]:
        mean = torch.stack([weights[name] for weights in seen[-6:]]).mean(0)
        torch.testing.assert_close(outcome.weights[name], mean)
    assert outcome.records[-1]["unaveraged"] != {k: outcome.records[-1][k] for k in ("loss", "accuracy")}


def test_averaging_weights_changes_nothing_of_the_training(mini):
    last, mean = (train_one(digit_run(mini, train={"average_share": share})).records for share in (0, 0.5))
    assert [r["train_loss"] for r in last] == [r["train_loss"] for r in mean]
    assert mean[-1]["unaveraged"] == {k: last[-1][k] for k in ("loss", "accuracy")}


def test_random_labels_can_be_learnt_by_heart_but_tell_nothing_of_other_images(mini):
    data = {"train_images": 64, "crop_padding": 0, "flip": False, "labels": "random"}
    run = digit_run(mini, train={"epochs": 60, "schedule": "constant", "evaluate_every": 60}, data=data)
    run = run.model_copy(update={"measures": ("epochs_to_fit",)})
    outcome = train_one(run)
    fitted = outcome.records[-1]["measures"]["epochs_to_fit"]
    losses = [record["train_loss"] for record in outcome.records]
    assert fitted == next((i + 1 for i, loss in enumerate(losses) if loss <= 0.01), 60)
    assert losses[-1] < 0.5  # guessing has 2.3
    assert outcome.records[-1]["accuracy"] < 0.35


def test_a_loss_that_is_no_number_ends_the_run_with_that_status(mini):
    outcome = train_one(digit_run(mini, train={"learning_rate": 1e30, "epochs": 30}))
    assert outcome.status == "diverged"
    assert len(outcome.records) < 30
    *before, last = outcome.records
    assert all(finite(record) for record in before)
    assert not finite(last)
    assert outcome.predictions is None


def test_evaluation_does_not_depend_on_how_images_are_batched(mini, monkeypatch):
    run = digit_run(mini)
    whole = train_one(run)
    monkeypatch.setattr(images_module, "EVALUATION_BATCH", 7)
    assert np.array_equal(train_one(run).predictions, whole.predictions)


def test_bfloat16_on_the_cpu_trains_too(mini):
    outcome = train_one(digit_run(mini, train={"precision": "bfloat16"}))
    assert outcome.status == "done"


def test_the_official_test_part_is_evaluated_once_and_that_after_the_last_epoch(mini, monkeypatch):
    run = digit_run(mini)
    data = load_images(run.data, None)
    with_test = dataclasses.replace(data, test=dataclasses.replace(data.held_out))
    evaluated = []
    evaluate = images_module.evaluate

    def watched(network, data, images, precision):
        evaluated.append("test" if images is data.test else "held_out")
        return evaluate(network, data, images, precision)

    monkeypatch.setattr(images_module, "evaluate", watched)
    outcome = images_module.train_on_images(run, with_test, CPU, Checkpoint(None))
    assert evaluated == ["held_out"] * run.train.epochs + ["test"]
    assert outcome.test_accuracy == outcome.records[-1]["accuracy"]
