"""Measures are taken when the settings say so, and what fails does so before the training."""

import pytest
import torch
from torch import nn

from bottleneck_lab import extend, measures
from bottleneck_lab.config import load
from bottleneck_lab.data.images import load_images
from bottleneck_lab.errors import LabError
from bottleneck_lab.training import Checkpoint, train
from bottleneck_lab.training import images as images_module

CPU = torch.device("cpu")


def digit_run(mini, *names, **sections):
    text = mini.read_text().replace('title = "Images"', f'title = "Images"\nmeasures = {list(names)}')
    mini.write_text(text)
    [linear, _] = load(str(mini)).variants("smoke", ["digits"], sections)
    return linear.settings


def records_of(run):
    return train([run], folder=None, device=CPU, checkpoint=Checkpoint(None))[0].records


@pytest.mark.parametrize(
    ("every", "epochs"),
    [({}, [5]), ({"measure_every": 2}, [2, 4, 5]), ({"measure_every": 1}, [1, 2, 3, 4, 5])],
)
def test_they_are_taken_after_the_last_epoch_and_as_often_as_asked_before(mini, every, epochs):
    records = records_of(digit_run(mini, "below_zero", train={"epochs": 5, **every}))
    assert [record["epoch"] for record in records if "measures" in record] == epochs
    assert all(0 < record["measures"]["below_zero"] < 1 for record in records if "measures" in record)


def test_without_measures_none_are_recorded(mini):
    assert all("measures" not in record for record in records_of(digit_run(mini)))


def test_the_first_record_has_what_the_blocks_were_before_the_first_step(mini):
    run = digit_run(mini, "gradient_growth", "below_zero", train={"epochs": 2})
    first, second = records_of(run)
    data = load_images(run.data, None)
    expected = measures.take_at_start(run.measures, images_module.build(run, CPU), data)
    assert first["blocks_at_start"] == expected
    assert list(expected) == ["gradient_growth"]
    assert "blocks_at_start" not in second


def test_the_last_ones_are_those_of_the_network_that_is_left(mini):
    run = digit_run(mini, "below_zero", "lost_int4", "lost_bfloat16")
    [outcome] = train([run], folder=None, device=CPU, checkpoint=Checkpoint(None))
    network = images_module.build(run, CPU)
    network.load_state_dict(outcome.weights)
    found = measures.take(run.measures, network, load_images(run.data, None))
    assert outcome.records[-1]["measures"] == found


def test_taking_them_changes_nothing_of_the_training(mini):
    names = ["below_zero", "lost_int8", "lost_bfloat16"]
    sections = {"train": {"measure_every": 1}, "model": {"dropout": 0.2}}
    measured = train(
        [digit_run(mini, *names, **sections)], folder=None, device=CPU, checkpoint=Checkpoint(None)
    )
    text = mini.read_text().replace(f"measures = {names}", "")
    mini.write_text(text)
    plain = train([digit_run(mini, **sections)], folder=None, device=CPU, checkpoint=Checkpoint(None))
    for name, tensor in plain[0].weights.items():
        assert torch.equal(measured[0].weights[name], tensor), name


def test_a_measure_that_fails_does_so_before_the_first_epoch(mini, monkeypatch):
    extend.measure("odd")(lambda network, data: None)
    monkeypatch.setattr(images_module, "train_epoch", lambda *arguments: pytest.fail("it was trained"))
    with pytest.raises(LabError, match="the measure 'odd' must return a finite number"):
        records_of(digit_run(mini, "odd"))


def test_of_a_run_that_diverges_nothing_is_measured(mini):
    names = "lost_int8", "below_zero"
    run = digit_run(mini, *names, train={"learning_rate": 1e30, "epochs": 30, "measure_every": 1})
    [outcome] = train([run], folder=None, device=CPU, checkpoint=Checkpoint(None))
    assert outcome.status == "diverged"
    assert "measures" not in outcome.records[-1]


def test_what_an_added_block_draws_for_itself_depends_on_the_seed_alone(mini):
    @extend.block("drawing")
    class Drawing(nn.Sequential):
        def __init__(self, inputs, outputs, stride, expansion, settings):
            super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs))
            self.register_parameter("scale", nn.Parameter(torch.rand(outputs)))

        def forward(self, x):
            return super().forward(x) * self.scale[:, None, None]

    run = digit_run(mini, model={"block": "drawing"})
    first, again, other = (
        images_module.build(run.model_copy(update={"seed": seed}), CPU).blocks[0].scale for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
