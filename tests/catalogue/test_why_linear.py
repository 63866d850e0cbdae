"""The predictions of `why_linear` are what the hypotheses come to, and its arms are matched."""

import math

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.manifold.covariates import covariates, covariates_of
from bottleneck_lab.models import cost_of

LOST = 8.2  # points by ReLU6, in the laptop tier of linear_vs_relu
BEYOND = 1.5 * LOST  # where linear scaling is no prediction

RELU6 = covariates("relu6")
SHARES = {
    "information": lambda c: (1 - c.decodable) / (1 - RELU6.decodable),
    "usable_information": lambda c: (1 - c.linear) / (1 - RELU6.linear),
    "gradients": lambda c: max(0.0, math.log(c.growth)) / math.log(RELU6.growth),
}


@pytest.fixture(scope="module")
def images():
    return load("why_linear").parts["images"]


@pytest.fixture(scope="module")
def variants():
    return {v.name: v for v in load("why_linear").variants("laptop", ["cifar10"])}


def rest_of(run):
    """The settings that covariates do not speak of: runs in which they are equal can be compared by them."""
    content = run.model_dump(mode="json", exclude={"variant", "seed"})
    return {**content, "model": content["model"] | {"projection_activation": None, "initial": None}}


@pytest.mark.parametrize("hypothesis", SHARES)
def test_predictions_scale_what_relu6_loses_by_the_covariate_of_the_hypothesis(images, variants, hypothesis):
    """For every arm that differs from the reference in activation and start alone, and for no more."""
    reference, predicted = rest_of(variants["linear"].settings), images.predictions[hypothesis]
    compared = 0
    for name, variant in variants.items():
        found = covariates_of(variant.settings)
        model = variant.settings.model
        scaled = model.initial.projection_scale != 1 or model.initial.weights != "he"
        if name == "linear" or found is None or scaled or rest_of(variant.settings) != reference:
            continue
        points = LOST * SHARES[hypothesis](found)
        if points > BEYOND:
            assert name not in predicted
        else:
            assert predicted[name] == pytest.approx(points, abs=0.0501), name
            compared += 1
    assert compared >= 20


def test_the_start_is_judged_by_the_share_of_values_below_zero(images):
    predicted = images.predictions["start"]
    for bias in (0.5, 1, 2, 3):
        below = math.erfc(bias / math.sqrt(2)) / 2
        assert predicted[f"bias {bias:g}"] == pytest.approx(LOST * below / 0.5, abs=0.0501)


def test_every_hypothesis_says_what_it_means_and_agrees_on_what_is_to_be_explained(images):
    assert set(images.hypotheses) == set(images.predictions)
    assert {of[images.prediction_rule.anchor] for of in images.predictions.values()} == {LOST}


def test_no_two_hypotheses_predict_the_same(images):
    """They are apart by more than the tolerance in some arm, or no result could tell them apart."""
    names = list(images.predictions)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            a, b = images.predictions[one], images.predictions[other]
            apart = max(abs(a[arm] - b[arm]) for arm in a.keys() & b.keys())
            assert apart > 2 * images.prediction_rule.tolerance, (one, other)


@pytest.mark.parametrize("dataset", ["cifar10", "digits", "spiral"])
def test_every_arm_has_the_parameters_and_madds_of_the_reference(dataset):
    costs = {(c.params, c.madds, c.shortcuts, c.depthwise) for c in map(cost_of, _settings(dataset))}
    assert len(costs) == 1


def _settings(dataset):
    return [variant.settings for variant in load("why_linear").variants("quick", [dataset])]


def test_the_eight_places_of_relu6_are_all_there(variants):
    found = set()
    for variant in variants.values():
        model = variant.settings.model
        if variant.settings.train.optimizer == "sgd" and model.initial == type(model.initial)():
            inner = (model.expansion_activation, model.depthwise_activation)
            places = (*(one or model.inner_activation for one in inner), model.projection_activation)
            if set(places) <= {"linear", "relu6"}:
                found.add(places)
    assert len(found) == 8


def test_every_arm_says_in_a_line_what_it_is_for(images):
    for part in load("why_linear").parts.values():
        assert all(10 < len(level.about) < 78 for axis in part.axes.values() for level in axis.values())
