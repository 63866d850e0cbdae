"""Predictions in an experiment file: what can be written, and which comparison each one is."""

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.config.ablations.predictions import PredictionRule
from bottleneck_lab.errors import LabError

RULE = PredictionRule(
    reference="linear", references={"relu6, Adam": "linear, Adam"}, anchor="relu6", tolerance=1
)
PREDICTED = {"relu6": 8.0, "noise": 4.0, "slope": 0.0, "relu6, Adam": 8.0}
A_RULE = """
[parts.images.prediction_rule]
reference = "linear"
tolerance = 2
"""
PREDICTIONS = """
[parts.images.predictions]
information = { relu6 = 8.2 }
"""
HYPOTHESIS = """
[parts.images.hypotheses]
fate = "It is."
"""
PART = A_RULE + PREDICTIONS


def loss(rule, variant, accuracies):
    """The contrast of a variant, by its accuracies."""
    weights = rule.contrast(variant, PREDICTED)
    assert sum(weights.values()) == pytest.approx(0)
    return sum(weight * accuracies[name] for name, weight in weights.items())


def test_with_an_anchor_a_prediction_is_a_proportion_of_what_the_anchor_loses():
    accuracies = {"linear": 0.80, "relu6": 0.72, "noise": 0.76, "slope": 0.79, "linear, Adam": 0.7}
    accuracies["relu6, Adam"] = 0.63
    assert loss(RULE, "noise", accuracies) == pytest.approx(0.0)  # 4 of 8 points, as half of 8
    assert loss(RULE, "slope", accuracies) == pytest.approx(0.01)  # a point more than predicted
    assert loss(RULE, "relu6, Adam", accuracies) == pytest.approx(-0.01)  # beside its own reference


def test_it_holds_for_a_training_in_which_all_lose_half_as_much():
    halved = {"linear": 0.80, "relu6": 0.76, "noise": 0.78}
    assert loss(RULE, "noise", halved) == pytest.approx(0.0)


def test_without_an_anchor_it_is_the_loss_itself():
    plain = RULE.model_copy(update={"anchor": None})
    assert plain.contrast("noise", PREDICTED) == {"linear": 1.0, "noise": -1.0}


def test_an_ablation_of_ones_own_may_carry_predictions(mini):
    mini.write_text(mini.read_text() + PART)
    part = load(str(mini)).parts["images"]
    assert part.predictions == {"information": {"relu6": 8.2}}
    assert part.prediction_rule.reference_of("relu6") == "linear"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("relu6 = 8.2", "relu7 = 8.2", "predictions.information: 'relu7' is no variant of this part; did"),
        ("relu6 = 8.2", "linear = 8.2", "predictions.information: 'linear' is compared with itself"),
        ("relu6 = 8.2", 'relu6 = "much"', "predictions.information.relu6: input should be a valid number"),
        ('reference = "linear"', 'reference = "liner"', "prediction_rule.reference: 'liner' is no variant"),
        ("tolerance = 2", 'tolerance = 2\nanchor = "linear"', "needs a loss above 0 for the anchor 'linear'"),
        ("tolerance = 2", "tolerance = 0", "prediction_rule.tolerance: input should be greater than 0"),
        (PREDICTIONS, "", "parts.images.predictions: missing beside prediction_rule"),
        (A_RULE, "", "parts.images.prediction_rule: missing beside predictions"),
        (PREDICTIONS, HYPOTHESIS + PREDICTIONS, "parts.images.hypotheses: 'fate' predicts nothing"),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_its_place(mini, old, new, sentence):
    mini.write_text(mini.read_text() + PART.replace(old, new, 1))
    with pytest.raises(LabError) as refused:
        load(str(mini))
    assert sentence in str(refused.value)
