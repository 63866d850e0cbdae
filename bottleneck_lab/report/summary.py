"""`summary.json`: every variant's accuracy with its interval, every claim with its verdict."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bottleneck_lab.report import format as fmt
from bottleneck_lab.report.collect import Results
from bottleneck_lab.stats import (
    Judgement,
    Question,
    accuracy_interval,
    judge,
    mean_interval,
    paired_contrast,
    seeds_needed,
)


def summarise(results: Results) -> dict[str, Any]:
    """Means and verdicts from the finished runs of a results folder.

    Accuracies and their 95 % intervals are 0 to 1, estimates are differences of these; an interval over
    fewer than two seeds is null. The claims of all data sets are judged together (Holm), but for those that
    miss a pair that was planned: `reason` says which, and they are inconclusive whatever the others show.
    """
    plan = results.plan
    return {
        "ablation": plan["ablation"]["name"],
        "tier": plan["tier"],
        "datasets": plan["datasets"],
        "notices": plan["notices"],
        "overrides": plan["overrides"],
        "runs": _count(results),
        "origins": _origins(results),
        "variants": [_variant(results, variant) for variant in plan["variants"]],
        "claims": _claims(results),
    }


def _count(results: Results) -> dict[str, int]:
    counts = {"planned": len(results.runs)}
    for run in results.runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    return counts


ORIGIN = ("bottleneck_lab", "commit", "torch", "device", "cpu")


def _origins(results: Results) -> list[dict[str, Any]]:
    """Every code and machine that finished runs come from, with their number, the most frequent first."""
    found = Counter(
        json.dumps([results.environment(run).get(key) for key in ORIGIN])
        for run in results.runs
        if run.status == "done"
    )
    return [
        {**dict(zip(ORIGIN, json.loads(values), strict=True)), "runs": count}
        for values, count in found.most_common()
    ]


def _variant(results: Results, variant: dict[str, Any]) -> dict[str, Any]:
    runs = results.of(variant["name"], variant["dataset"])
    accuracies = [run.accuracy for run in runs if run.accuracy is not None]
    tests = [run.test_accuracy for run in runs if run.test_accuracy is not None]
    all_tested = len(tests) == len(runs) > 0
    interval = accuracy_interval(accuracies) if accuracies else None
    return {
        "name": variant["name"],
        "dataset": variant["dataset"],
        "levels": variant["levels"],
        "params": variant["params"],
        "madds": variant["madds"],
        "n_seeds": len(accuracies),
        "mean": interval and interval.estimate,
        "ci_low": interval and interval.low,
        "ci_high": interval and interval.high,
        "test_mean": sum(tests) / len(tests) if all_tested else None,
    }


def _claims(results: Results) -> list[dict[str, Any]]:
    asked: list[tuple[dict[str, Any], str, str | None]] = []
    questions = []
    for dataset in results.plan["datasets"]:
        variants = [variant for variant in results.plan["variants"] if variant["dataset"] == dataset]
        accuracies = {
            variant["name"]: {
                run.seed: run.accuracy
                for run in results.of(variant["name"], dataset)
                if run.accuracy is not None
            }
            for variant in variants
        }
        for claim in results.plan["ablation"]["parts"][variants[0]["part"]]["claims"]:
            values = tuple(paired_contrast(accuracies, claim["contrast"]).values())
            asked.append((claim, dataset, _incomplete(results, claim, dataset, len(values))))
            questions.append(Question(values, claim["kind"], claim["margin"]))
    return [
        {
            "id": claim["id"],
            "statement": claim["statement"],
            "source": claim["source"],
            "dataset": dataset,
            "kind": claim["kind"],
            "margin": claim["margin"],
            "contrast": claim["contrast"],
            "estimate": judged.estimate,
            "ci_low": judged.ci_low,
            "ci_high": judged.ci_high,
            "p_value": judged.p_value,
            "p_holm": judged.p_holm,
            "n_seeds": judged.n_seeds,
            "n_planned": len(_planned(results, claim, dataset)),
            "detectable": judged.detectable,
            "seeds_for_half_interval": _seeds_for_half_interval(question.values),
            "verdict": judged.verdict,
            "reason": missing,
        }
        for (claim, dataset, missing), question, judged in zip(
            asked, questions, _judge_complete(questions, [missing for _, _, missing in asked]), strict=True
        )
    ]


def _planned(results: Results, claim: dict[str, Any], dataset: str) -> set[int]:
    """The seeds for which a claim's variants were to be run."""
    return {run.seed for run in results.runs if run.dataset == dataset and run.variant in claim["contrast"]}


def _incomplete(results: Results, claim: dict[str, Any], dataset: str, n_pairs: int) -> str | None:
    """Which of a claim's pairs are missing and why: `5 of 10 pairs: 5 diverged`; None if none is."""
    runs = [run for run in results.runs if run.dataset == dataset and run.variant in claim["contrast"]]
    lost = [run.status for run in runs if run.status != "done"]
    if not lost:
        return None
    return f"{n_pairs} of {len(_planned(results, claim, dataset))} pairs: {fmt.counts(lost)}"


def _judge_complete(questions: Sequence[Question], missing: Sequence[str | None]) -> list[Judgement]:
    """Judge, as one family, the questions that miss nothing.

    Runs do not diverge or fail by chance, so the pairs that are left are no sample of those that were
    planned: the other questions have an estimate and no verdict.
    """
    complete = iter(judge([q for q, why in zip(questions, missing, strict=True) if why is None]))
    return [
        next(complete) if why is None else _estimated(question.values)
        for question, why in zip(questions, missing, strict=True)
    ]


def _estimated(values: tuple[float, ...]) -> Judgement:
    if not values:
        return Judgement(None, None, None, None, None, 0, None, "inconclusive")
    interval = mean_interval(values)
    return Judgement(
        interval.estimate, interval.low, interval.high, None, None, len(values), None, "inconclusive"
    )


def _seeds_for_half_interval(values: Sequence[float]) -> int | None:
    if len(values) < 2 or (sd := statistics.stdev(values)) == 0:
        return None
    interval = mean_interval(values)
    assert interval.low is not None
    return seeds_needed(sd, (interval.estimate - interval.low) / 2)
