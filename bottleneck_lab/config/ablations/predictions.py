"""What hypotheses predict of an ablation's variants, written in its file before any run.

predictions.information = { relu6 = 8.2, noise = 8.2, "slope 0.25" = 0 }   # points of accuracy lost
prediction_rule = { reference = "linear", anchor = "relu6", tolerance = 2 }
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import Field

from bottleneck_lab.config.base import Settings
from bottleneck_lab.config.problems import Problems

Predictions = dict[str, dict[str, float]]
"""By hypothesis and variant: how many percentage points of accuracy it is to have less than its reference."""


class PredictionRule(Settings):
    """How predictions are held against results; `report.findings.predictions` says by which test.

    Args:
        reference: the variant that all others are compared with, but for those in `references`.
        references: for some variants another one, as where both were trained by another optimiser.
        anchor: a variant of which every hypothesis predicts a loss. Predictions are then proportions of what
            it is measured to lose, and so hold for shorter and longer trainings alike. Without one they hold
            as they stand.
        tolerance: in points; a prediction that is missed by less is not wrong.
    """

    reference: str
    references: dict[str, str] = Field(default_factory=dict)
    anchor: str | None = None
    tolerance: float = Field(gt=0, le=100)

    def reference_of(self, variant: str) -> str:
        """The variant that it is compared with."""
        return self.references.get(variant, self.reference)

    def contrast(self, variant: str, of_hypothesis: Mapping[str, float]) -> dict[str, float]:
        """Weights of accuracies (0 to 1) whose sum is by how much less the variant has, beyond the
        prediction.

        With an anchor it is 0 if the prediction is right, as a proportion of what the anchor loses; without
        one it is what is lost, to be compared with the prediction.
        """
        weights: dict[str, float] = {}

        def add(name: str, weight: float) -> None:
            weights[name] = weights.get(name, 0.0) + weight

        def add_loss(name: str, times: float) -> None:
            add(self.reference_of(name), times)
            add(name, -times)

        add_loss(variant, 1.0)
        if self.anchor is not None:
            add_loss(self.anchor, -of_hypothesis[variant] / of_hypothesis[self.anchor])
        return {name: weight for name, weight in weights.items() if weight != 0}


def check_predictions(
    here: str,
    predictions: Predictions,
    rule: PredictionRule | None,
    hypotheses: Mapping[str, str],
    variants: Collection[str],
    problems: Problems,
) -> None:
    """Note what is wrong with the predictions of the part at `here`."""
    if rule is None:
        if predictions:
            problems.add(f"{here}.prediction_rule", "missing beside predictions")
        return
    if not predictions:
        problems.add(f"{here}.predictions", "missing beside prediction_rule")
    named = [("reference", rule.reference), *((f"references.{a}", b) for a, b in rule.references.items())]
    named += [(f"references.{a}", a) for a in rule.references]
    named += [("anchor", rule.anchor)] if rule.anchor is not None else []
    for key, name in named:
        if name not in variants:
            place = f"{here}.prediction_rule.{key}"
            problems.add(place, f"{name!r} is no variant of this part", name, variants)
    for hypothesis in hypotheses:
        if hypothesis not in predictions:
            place = f"{here}.hypotheses"
            problems.add(place, f"{hypothesis!r} predicts nothing", hypothesis, predictions)
    for hypothesis, of in predictions.items():
        place = f"{here}.predictions.{hypothesis}"
        for name in of:
            if name not in variants:
                problems.add(place, f"{name!r} is no variant of this part", name, variants)
            elif name == rule.reference_of(name):
                problems.add(place, f"{name!r} is compared with itself")
        if rule.anchor is not None and of.get(rule.anchor, 0.0) <= 0:
            problems.add(place, f"needs a loss above 0 for the anchor {rule.anchor!r}")
