"""`summary.json`: every variant's accuracy with its interval, every claim with its verdict."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bottleneck_lab import extend
from bottleneck_lab.config import Claim
from bottleneck_lab.config.ablations.parts import terms_of
from bottleneck_lab.records.folder import FINAL
from bottleneck_lab.records.plan import PlannedVariant
from bottleneck_lab.records.summary import (
    ORIGIN,
    ClaimFinding,
    MeasureFinding,
    Missing,
    Origin,
    Summary,
    VariantFinding,
)
from bottleneck_lab.report.findings.budget import budgets_of
from bottleneck_lab.report.findings.examples import Answers, interval_over_examples
from bottleneck_lab.report.findings.predictions import predictions_of
from bottleneck_lab.report.reading.results import Results, Run
from bottleneck_lab.report.sentences import conditions
from bottleneck_lab.stats import (
    Claimed,
    Judgement,
    Question,
    accuracy_interval,
    far_from_normal,
    judge,
    mean_interval,
    paired_contrast,
    seeds_for_verdict,
    seeds_needed,
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
        claims=_claims(results) if with_claims else [],
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
        complete=_are_final(planned),
        mean=interval.estimate if interval else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        test_mean=sum(tests) / len(tests) if all_tested else None,
        paper_top1=part.paper.top1.get(variant.name) if part.paper else None,
        paper_data=part.paper.data if part.paper else None,
        measures={name: _measure(name, runs) for name in part.measures},
    )


def _are_final(runs: Iterable[Run]) -> bool:
    return all(run.status in FINAL for run in runs)


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


def measure_known_as(name: str) -> extend.Measure:
    """What a claim is of; a measure that nobody has added here is called by its name."""
    if len(terms := terms_of(name)) > 1:
        of = [measure_known_as(term) for term in terms]
        return extend.Measure(" less ".join(each.label for each in of), all(each.share for each in of))
    if name == "accuracy":
        return extend.Measure("accuracy", True)
    if name in extend.MEASURE_NAMES:
        return extend.measure_named(name)
    return extend.Measure(name.replace("_", " "), False)


@dataclass(frozen=True)
class _Asked:
    """A claim on one data set, and what the runs have to say of it."""

    claim: Claim
    dataset: str
    paper_data: str | None
    runs: list[Run]
    question: Question
    missing: str | None
    over_examples: tuple[float | None, float | None]


def _claims(results: Results) -> list[ClaimFinding]:
    """Every claim; those of data sets without a design are judged together, as they were planned to be."""
    asked = [one for dataset in results.plan.datasets for one in _asked(results, dataset)]
    together = [one for one in asked if one.dataset not in results.courses]
    judgements = iter(_judge_complete([one.question for one in together], [one.missing for one in together]))
    complete = all(_are_final(one.runs) for one in together)
    return [
        _claim_of_design(results, one)
        if one.dataset in results.courses
        else _claim(one, next(judgements), complete, _are_final(one.runs))
        for one in asked
    ]


def _claim_of_design(results: Results, asked: _Asked) -> ClaimFinding:
    """A claim that was judged by the design of its data set, and what that says of it besides.

    `level` is that of its interval, `look` the number of the look that its verdict rests on, of those after
    `looks` seeds; its `weight` is a share of its family's 5 %. `bounds` are those of its contrast where only
    these are assumed; else `far_from_normal` warns. `contrasts` are those that it rests on. `to_decide` is
    the number of new seeds that would decide an open claim.
    """
    course = results.courses[asked.dataset]
    name = asked.claim.id
    judged = course.judgements[name]
    settled = course.is_over or judged.verdict != "inconclusive"
    design = results.design(asked.dataset)
    rules = design.claims[name]
    weights = sum(design.claims[other].weight for other in design.families()[rules.family])
    values = asked.question.values[: judged.n_seeds]
    seeds = None
    if judged.verdict == "inconclusive" and asked.missing is None and len(values) > 1:
        claim = Claimed(values, rules.kind, rules.margin, rules.weight, rules.bounds)
        seeds = seeds_for_verdict(claim, rules.weight / weights, design.alpha)
    return replace(
        _claim(asked, judged, settled, settled),
        n_planned=judged.n_seeds if settled and name not in course.lost else _planned(asked.runs),
        seeds_for_half_interval=_seeds_for_half_interval(values),
        reason=None if judged.verdict != "inconclusive" else asked.missing,
        level=judged.level,
        look=judged.look,
        looks=list(design.looks) if design.sequential else None,
        family=rules.family,
        weight=rules.weight / weights,
        bounds=rules.bounds and list(rules.bounds),
        far_from_normal=rules.bounds is None and far_from_normal(values),
        contrasts=list(values),
        to_decide=seeds,
    )


def _asked(results: Results, dataset: str) -> Iterator[_Asked]:
    described = results.plan.part_on(dataset)
    answers = Answers(results, dataset)
    for claim in described.claims:
        runs = [run for name in claim.contrast for run in results.planned(name, dataset)]
        pairs = paired_contrast(values_of(results, dataset, claim.measure, claim.contrast), claim.contrast)
        if (course := results.courses.get(dataset)) is not None:
            used = course.judgements[claim.id].n_seeds  # its variants may have more, for other claims
            pairs = dict(itertools.islice(pairs.items(), used))
        over_examples = (
            interval_over_examples(claim.contrast, list(pairs), answers)
            if claim.measure == "accuracy"
            else (None, None)
        )
        yield _Asked(
            claim=claim,
            dataset=dataset,
            paper_data=described.paper.data if described.paper else None,
            runs=runs,
            question=Question(tuple(pairs.values()), claim.kind, claim.margin),
            missing=_incomplete(runs, claim.measure, len(pairs)),
            over_examples=over_examples,
        )


def _claim(asked: _Asked, judged: Judgement, complete: bool, estimate_complete: bool) -> ClaimFinding:
    claim, known = asked.claim, measure_known_as(asked.claim.measure)
    return ClaimFinding(
        id=claim.id,
        statement=claim.statement,
        source=claim.source,
        dataset=asked.dataset,
        measure=claim.measure,
        label=known.label,
        share=known.share,
        kind=claim.kind,
        margin=claim.margin,
        contrast=claim.contrast,
        estimate=judged.estimate,
        ci_low=judged.ci_low,
        ci_high=judged.ci_high,
        examples_low=asked.over_examples[0],
        examples_high=asked.over_examples[1],
        paper=claim.paper,
        paper_data=asked.paper_data,
        p_value=judged.p_value,
        p_holm=judged.p_holm,
        n_seeds=judged.n_seeds,
        n_planned=_planned(asked.runs),
        complete=complete,
        estimate_complete=estimate_complete,
        detectable=judged.detectable,
        seeds_for_half_interval=_seeds_for_half_interval(asked.question.values),
        verdict=judged.verdict,
        reason=asked.missing,
    )


def values_of(
    results: Results, dataset: str, measure: str, variants: Iterable[str]
) -> dict[str, dict[int, float]]:
    """What a claim is about, by variant and seed, as far as finished runs have it."""
    return {
        name: {
            run.seed: value
            for run in results.of(name, dataset)
            if (value := run.value_of(measure)) is not None
        }
        for name in variants
    }


def _planned(runs: Iterable[Run]) -> int:
    """For how many seeds the variants of a claim were to be run."""
    return len({run.seed for run in runs})


def _incomplete(runs: Sequence[Run], measure: str, n_pairs: int) -> str | None:
    """Which of a claim's pairs are missing and why: `5 of 10 pairs: 5 diverged`; None if none is."""
    lost = [
        run.status if run.status != "done" else f"without {measure}"
        for run in runs
        if run.status != "done" or run.value_of(measure) is None
    ]
    return f"{n_pairs} of {_planned(runs)} pairs: {conditions.counts(lost)}" if lost else None


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
