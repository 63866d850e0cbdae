"""`summary.json`: every variant's accuracy with its interval, every claim with its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bottleneck_lab.records.results.plan import PlannedVariant
from bottleneck_lab.records.results.summary import (
    ORIGIN,
    MeasureFinding,
    Missing,
    Origin,
    Summary,
    VariantFinding,
)
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.findings.budget import budgets_of
from bottleneck_lab.report.findings.claims import are_final, claims_of, measure_known_as
from bottleneck_lab.report.findings.predictions import predictions_of
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats import (
    accuracy_interval,
    mean_interval,
)


def summarise(results: Results, *, with_claims: bool = True) -> Summary:
    """Means and verdicts from the finished runs of a results folder.

    Accuracies and their 95 % intervals are 0 to 1, estimates are differences of these; an interval over
    fewer than two seeds is null. Claims are judged by the design of their data set (`stats.families`); those
    that have none, all together (`stats.judge`). One that misses a pair that was planned is inconclusive
    whatever the others show: `reason` says which.

    Measures and claims about them have the measure's own unit; `share` says whether that is 0 to 1. What the
    paper reports is in percent (`paper_top1`) and percentage points (`paper`), on `paper_data`.
    `examples_low` and `examples_high` are the 95 % interval over held-out examples of a claim on accuracy;
    null where a run has not left its `correct.npy`.

    `complete` says that nothing of an entry may change any more: every run it rests on has ended for good, as
    `FINAL` has it. A claim rests on the runs of all claims, since Holm's correction does; `estimate_complete`
    says it of its estimate and intervals alone. `missing` names the runs that are not done,
    `budgets` has, for every data set whose part compares two arms along training length, what
    `findings.budget` finds; `predictions`, for every data set whose part makes some, what
    `findings.predictions` finds.

    `strays` the damaged and foreign files that were left out (paths in the folder); `other_plans` counts the
    runs in it that are of an earlier plan, of other seeds or settings.
    """
    plan = results.plan
    return Summary(
        ablation=plan.ablation.name,
        tier=plan.tier,
        datasets=list(plan.datasets),
        notices=plan.notices,
        overrides=plan.overrides,
        runs=_count(results),
        missing=_missing(results),
        strays=list(results.strays),
        other_plans=results.other_plans,
        origins=_origins(results),
        variants=[_variant(results, variant) for variant in plan.variants],
        claims=claims_of(results) if with_claims else [],
        budgets=budgets_of(results),
        predictions=predictions_of(results),
    )


def _count(results: Results) -> dict[str, int]:
    counts = {"planned": len(results.runs)}
    for run in results.runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    return counts


def _missing(results: Results) -> list[Missing]:
    """The seeds of every variant that are not done, and what has become of them instead."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for run in results.runs:
        if run.status != "done":
            found.setdefault((run.dataset, run.variant, run.status), []).append(run.seed)
    return [
        Missing(dataset=dataset, variant=variant, seeds=seeds, status=status)
        for (dataset, variant, status), seeds in found.items()
    ]


def _origins(results: Results) -> list[Origin]:
    """Every code and machine that finished runs come from, with their number, the most frequent first."""
    found = Counter(_origin(results.environment(run)) for run in results.runs if run.status == "done")
    return [replace(origin, runs=count) for origin, count in found.most_common()]


def _origin(environment: Mapping[str, object]) -> Origin:
    bottleneck_lab, commit, torch, device, cpu = (
        None if (value := environment.get(key)) is None else str(value) for key in ORIGIN
    )
    return Origin(bottleneck_lab, commit, torch, device, cpu)


def _variant(results: Results, variant: PlannedVariant) -> VariantFinding:
    planned = results.planned(variant.name, variant.dataset)
    runs = results.of(variant.name, variant.dataset)
    accuracies = [run.accuracy for run in runs if run.accuracy is not None]
    tests = [run.test_accuracy for run in runs if run.test_accuracy is not None]
    all_tested = len(tests) == len(runs) > 0
    interval = accuracy_interval(accuracies) if accuracies else None
    part = results.plan.ablation.parts[variant.part]
    return VariantFinding(
        name=variant.name,
        dataset=variant.dataset,
        levels=variant.levels,
        params=variant.params,
        madds=variant.madds,
        shortcuts=variant.shortcuts,
        depthwise=variant.depthwise,
        n_seeds=len(accuracies),
        n_planned=len(planned),
        complete=are_final(planned),
        mean=interval.estimate if interval else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        test_mean=sum(tests) / len(tests) if all_tested else None,
        paper_top1=part.paper.top1.get(variant.name) if part.paper else None,
        paper_data=part.paper.data if part.paper else None,
        measures={name: _measure(name, runs) for name in part.measures},
    )


def _measure(name: str, runs: Sequence[Run]) -> MeasureFinding:
    """Mean and 95 % interval over the seeds that have the measure."""
    values = [run.measures[name] for run in runs if name in run.measures]
    known = measure_known_as(name)
    interval = mean_interval(values) if values else None
    return MeasureFinding(
        label=known.label,
        share=known.share,
        n_seeds=len(values),
        mean=interval.estimate if interval else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
    )
