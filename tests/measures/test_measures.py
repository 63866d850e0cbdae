"""Measures by name, those of the project and those from outside."""

import json

import pytest
import torch
from torch import nn

from bottleneck_lab import extend, measures
from bottleneck_lab.config import NETWORKS, RunSettings
from bottleneck_lab.errors import LabError
from bottleneck_lab.measures.low_precision import quantised
from bottleneck_lab.models import build, initialise


def test_every_measure_that_the_names_promise_can_be_taken(network, digits):
    known = {*measures.TAKE, *measures.PROFILES}
    assert known | set(measures.OF_TRAINING) == set(extend.MEASURES)
    found = measures.take(extend.MEASURES, network().train(), digits)
    assert list(found) == [name for name in extend.MEASURES if name in known]
    for name, value in found.items():
        assert isinstance(value, float)
        if extend.MEASURES[name].share:
            assert -1 <= value <= 1


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.endswith("_digits")])
def test_every_measure_can_be_taken_of_every_kind_of_network(digits, name):
    content = {
        "variant": "v",
        "seed": 0,
        "data": {"dataset": "digits"},
        "model": {"network": name, **NETWORKS[name]},
        "train": {"epochs": 1, "batch_size": 4},
    }
    run = RunSettings.model_validate_json(json.dumps(content))
    made = build(run.model, run.data)
    initialise(made, 0)
    assert 0 < measures.take(extend.MEASURES, made, digits)["below_zero"] < 1
    batch = digits.normalised(digits.train.pixels[:100])  # what the grids were calibrated on, too
    exact, fine = made(batch), quantised(made, digits, 16)(batch)
    assert (fine - exact).abs().mean() < 2e-3 * exact.std()


def test_none_of_them_changes_the_network(network, digits):
    made = network().train()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    measures.take(extend.MEASURES, made, digits)
    assert not made.training
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


def test_an_added_measure_is_given_the_network_in_evaluation_mode_and_its_images(network, digits):
    seen = {}

    @extend.measure("classifier_norm", label="norm of the classifier")
    def classifier_norm(given, data):
        seen.update(training=given.training, data=data, gradients=torch.is_grad_enabled())
        return given.classifier.weight.norm()

    made = network().train()
    found = measures.take(["classifier_norm"], made, digits)
    assert found["classifier_norm"] == pytest.approx(
        sum(w**2 for w in made.classifier.weight.flatten().tolist()) ** 0.5
    )
    assert seen == {"training": False, "data": digits, "gradients": False}
    assert isinstance(found["classifier_norm"], float)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "many", torch.zeros(2), [1.0]])
def test_an_added_measure_that_is_no_finite_number_is_refused(network, digits, value):
    extend.measure("odd")(lambda given, data: value)
    with pytest.raises(LabError, match="the measure 'odd' must return a finite number, not"):
        measures.take(["odd"], network(), digits)


def test_an_added_measure_that_fails_is_named(network, digits):
    extend.measure("odd")(lambda given, data: given.no_such_layer)
    with pytest.raises(LabError, match=r"the measure 'odd' fails: AttributeError: .*no_such_layer"):
        measures.take(["odd"], network(), digits)


def test_a_measure_that_leaves_the_network_training_does_not_disturb_the_next(network, digits):
    extend.measure("rude")(lambda given, data: float(given.train().training))
    extend.measure("polite")(lambda given, data: float(given.training))
    assert measures.take(["rude", "polite"], network(), digits) == {"rude": 1.0, "polite": 0.0}


def test_low_precision_can_be_measured_of_a_network_with_an_added_block(network, digits):
    @extend.block("plain")
    class Plain(nn.Sequential):
        def __init__(self, inputs, outputs, stride, expansion, settings):
            super().__init__(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))

    assert -1 <= measures.take(["lost_int8"], network(block="plain"), digits)["lost_int8"] <= 1
    with pytest.raises(LabError, match="no block of this network has a projection"):
        measures.take(["above_six"], network(block="plain"), digits)
