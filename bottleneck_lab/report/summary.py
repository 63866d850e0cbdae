"""`summary.json`: every variant's accuracy with its interval, every claim with its verdict."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bottleneck_lab.report.collect import Results
from bottleneck_lab.stats import (
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
    fewer than two seeds is null. The claims of all data sets are judged together (Holm).
    """
    plan = results.plan
    return {
        "ablation": plan["ablation"]["name"],
        "tier": plan["tier"],
        "datasets": plan["datasets"],
        "notices": plan["notices"],
        "runs": _count(results),
        "variants": [_variant(results, variant) for variant in plan["variants"]],
        "claims": _claims(results),
    }


def _count(results: Results) -> dict[str, int]:
    counts = {"planned": len(results.runs)}
    for run in results.runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    return counts


def _variant(results: Results, variant: dict[str, Any]) -> dict[str, Any]:
    runs = results.of(variant["name"], variant["dataset"])
    accuracies = [run.accuracy for run in runs if run.accuracy is not None]
    tests = [run.test_accuracy for run in runs if run.test_accuracy is not None]
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
        "test_mean": sum(tests) / len(tests) if tests else None,
    }


def _claims(results: Results) -> list[dict[str, Any]]:
    asked: list[tuple[dict[str, Any], str]] = []
    questions = []
    for dataset in results.plan["datasets"]:
        accuracies = {
            variant["name"]: {run.seed: run.accuracy or 0.0 for run in results.of(variant["name"], dataset)}
            for variant in results.plan["variants"]
            if variant["dataset"] == dataset
        }
        part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
        for claim in results.plan["ablation"]["parts"][part]["claims"]:
            values = paired_contrast(accuracies, claim["contrast"])
            asked.append((claim, dataset))
            questions.append(Question(tuple(values.values()), claim["kind"], claim["margin"]))
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
            "detectable": judged.detectable,
            "seeds_for_half_interval": _seeds_for_half_interval(question.values),
            "verdict": judged.verdict,
        }
        for (claim, dataset), question, judged in zip(asked, questions, judge(questions), strict=True)
    ]


def _seeds_for_half_interval(values: Sequence[float]) -> int | None:
    if len(values) < 2 or (sd := statistics.stdev(values)) == 0:
        return None
    interval = mean_interval(values)
    assert interval.low is not None
    return seeds_needed(sd, (interval.estimate - interval.low) / 2)
