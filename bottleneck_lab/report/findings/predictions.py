"""What hypotheses predicted of the arms of an ablation, beside what was measured, and which are excluded.

The rule, which no result can change: with each prediction goes the mean over seeds, paired, of how much more
or less was lost than predicted. (With an anchor a prediction is a proportion of what the anchor loses; see
`config.ablations`.) It has a Student t interval of level 1 - 5 % / K, where K is how many predictions of
that hypothesis are tested. The prediction is `excluded` if that interval lies beyond the tolerance on one
side, `met` if it lies within the tolerance, else `open`; and open with fewer than four seeds, or where a
planned pair is missing. With planned looks it is tested at each look of which all its variants have every
run, at that look's share of the 5 %, and stays excluded once it is. A hypothesis is excluded if one of its
predictions is, met if all are, else open. So a hypothesis all of whose predictions are right within the
tolerance is excluded with a chance of at most 5 %. There is no correction over hypotheses: they contradict
each other, and at most one of them can be wrongly excluded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bottleneck_lab.config.ablations.predictions import PredictionRule
from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.records.results.summary import (
    ArmFinding,
    CovariateFinding,
    HypothesisFinding,
    Prediction,
    PredictionsFinding,
    Rank,
)
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import Interval, Look, mean_interval, paired_contrast, planned_looks
from bottleneck_lab.stats.families.looks import SEEDS_FOR_A_LOOK
from bottleneck_lab.stats.rank_correlation import rank_correlation

ALPHA = 0.05

# Of an activation: the name of the covariate, its label, and what an arm loses the more of, the larger it is.
COVARIATES = {
    "decodable": "lost to every decoder, 1 - R^2",
    "linear": "lost to a linear decoder, 1 - R^2",
    "growth": "growth of gradients, ln(E f'^2 / Var f)",
}


def predictions_of(results: Results) -> list[PredictionsFinding]:
    """What there is to say of every data set whose part makes predictions; none for the others.

    Losses and tolerances are in percentage points. Each has `arms` (`lost` beside `reference` with its 95 %
    interval, the `covariates`, and by hypothesis the prediction and its verdict), `hypotheses` (verdict, by
    which arms it is excluded, rank correlation of prediction and loss), and `covariates`, with theirs.
    """
    found = (_of_dataset(results, dataset) for dataset in results.plan.datasets)
    return [one for one in found if one is not None]


def _of_dataset(results: Results, dataset: str) -> PredictionsFinding | None:
    variants = {variant.name: variant for variant in results.plan.on(dataset)}
    part = results.plan.part_on(dataset)
    if not part.predictions or (rule := part.prediction_rule) is None:
        return None
    values = {
        name: {run.seed: 100 * run.accuracy for run in results.of(name, dataset) if run.accuracy is not None}
        for name in variants
    }
    planned = {name: [run.seed for run in results.planned(name, dataset)] for name in variants}
    course = results.courses.get(dataset)
    looks = planned_looks(course.design.looks if course else [max([1, *map(len, planned.values())])])
    compared = [
        name for name in variants if name != rule.reference_of(name) and name not in _references(rule)
    ]
    of_arms: dict[str, dict[str, Prediction]] = {name: {} for name in compared}
    hypotheses = []
    for hypothesis, predicted in part.predictions.items():
        tested = [name for name in predicted if name != rule.anchor]
        for name in tested:
            of_arms[name][hypothesis] = _prediction(
                name, predicted, rule, values, planned, looks, len(tested)
            )
        if rule.anchor is not None:
            of_arms[rule.anchor][hypothesis] = Prediction(points=predicted[rule.anchor], verdict=None)
        verdicts = {name: of_arms[name][hypothesis].verdict for name in tested}
        hypotheses.append(
            HypothesisFinding(
                name=hypothesis,
                says=part.hypotheses.get(hypothesis),
                verdict=_verdict([*verdicts.values()]),
                excluded_by=[name for name, verdict in verdicts.items() if verdict == "excluded"],
                tested=len(tested),
                rank=_rank({name: predicted[name] for name in predicted if name in of_arms}, rule, values),
            )
        )
    alike = [name for name in compared if _same_rest(variants[name], variants[rule.reference])]
    return PredictionsFinding(
        dataset=dataset,
        reference=rule.reference,
        anchor=rule.anchor,
        tolerance=rule.tolerance,
        arms=[
            _arm(name, rule, values, variants[name].covariates, predicted)
            for name, predicted in of_arms.items()
        ],
        hypotheses=hypotheses,
        covariates=[_covariate(key, [variants[name] for name in alike], rule, values) for key in COVARIATES],
    )


def _references(rule: PredictionRule) -> set[str]:
    return {rule.reference, *rule.references.values()}


Values = Mapping[str, Mapping[int, float]]  # accuracies in percent, by variant and seed


def _arm(
    name: str,
    rule: PredictionRule,
    values: Values,
    covariates: dict[str, float] | None,
    predicted: dict[str, Prediction],
) -> ArmFinding:
    reference = rule.reference_of(name)
    lost = paired_contrast(values, {reference: 1.0, name: -1.0})
    interval = mean_interval(lost.values()) if lost else Interval(math.nan, None, None)
    return ArmFinding(
        variant=name,
        reference=reference,
        n_seeds=len(lost),
        lost=interval.estimate if lost else None,
        ci_low=interval.low,
        ci_high=interval.high,
        covariates=covariates,
        predicted=predicted,
    )


def _prediction(
    name: str,
    predicted: Mapping[str, float],
    rule: PredictionRule,
    values: Values,
    planned: Mapping[str, Sequence[int]],
    looks: Sequence[Look],
    tested: int,
) -> Prediction:
    """A prediction, by how much more was lost, the interval of that, and its verdict."""
    contrast = rule.contrast(name, predicted)
    pairs = paired_contrast(values, contrast)
    seeds = min((planned[variant] for variant in contrast), key=len)
    found = Prediction(points=predicted[name], verdict="open")
    for number, look in enumerate(looks):
        known = [pairs[seed] for seed in seeds[: look.seeds] if seed in pairs]
        complete = len(known) == look.seeds
        if not known or found.verdict == "excluded" or (number and not complete):
            break
        beyond = [value - (0.0 if rule.anchor else predicted[name]) for value in known]
        interval = mean_interval(beyond, 1 - ALPHA * look.share / tested)
        judged = complete and len(beyond) >= SEEDS_FOR_A_LOOK
        found = Prediction(
            points=predicted[name],
            beyond=interval.estimate,
            low=interval.low,
            high=interval.high,
            verdict=_of_interval(interval, rule.tolerance) if judged else "open",
        )
    return found


def _of_interval(interval: Interval, tolerance: float) -> str:
    assert interval.low is not None
    assert interval.high is not None
    if interval.low > tolerance or interval.high < -tolerance:
        return "excluded"
    return "met" if -tolerance <= interval.low and interval.high <= tolerance else "open"


def _verdict(verdicts: Sequence[str | None]) -> str:
    if "excluded" in verdicts:
        return "excluded"
    return "met" if verdicts and set(verdicts) == {"met"} else "open"


def _rank(predicted: Mapping[str, float], rule: PredictionRule, values: Values) -> Rank | None:
    """The rank correlation of predictions with losses, over the arms and seeds that all are measured with."""
    lost = {name: paired_contrast(values, {rule.reference_of(name): 1.0, name: -1.0}) for name in predicted}
    names = [name for name in predicted if lost[name]]
    seeds = sorted(set.intersection(*(set(lost[name]) for name in names))) if names else []
    if not seeds:
        return None
    found = rank_correlation(
        [predicted[name] for name in names], [[lost[name][seed] for seed in seeds] for name in names]
    )
    if found is None:
        return None
    return Rank(estimate=found.estimate, low=found.low, high=found.high, arms=len(names))


def _covariate(
    key: str, variants: Sequence[PlannedVariant], rule: PredictionRule, values: Values
) -> CovariateFinding:
    of = {variant.name: variant.covariates for variant in variants if variant.covariates is not None}
    sizes = {name: math.log(c["growth"]) if key == "growth" else 1 - c[key] for name, c in of.items()}
    return CovariateFinding(name=key, label=COVARIATES[key], rank=_rank(sizes, rule, values))


def _same_rest(variant: PlannedVariant, reference: PlannedVariant) -> bool:
    """Whether two variants differ in what covariates speak of and in nothing else."""

    def rest(of: PlannedVariant) -> list[object]:
        own = ("projection_activation", "initial")
        model = {key: value for key, value in of.settings.model.items() if key not in own}
        return [model, of.settings.train, of.settings.data]

    return rest(variant) == rest(reference)
