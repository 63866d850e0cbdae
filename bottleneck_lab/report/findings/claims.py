"""Every claim with its verdict, from the runs that it is about."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bottleneck_lab import extend
from bottleneck_lab.config import Claim
from bottleneck_lab.config.ablations.parts import terms_of
from bottleneck_lab.records.folder import FINAL
from bottleneck_lab.records.results.summary import ClaimFinding
from bottleneck_lab.records.results.table import Run
from bottleneck_lab.report.findings.examples import Answers, interval_over_examples
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences import conditions
from bottleneck_lab.stats import (
    Claimed,
    Judgement,
    Question,
    far_from_normal,
    judge,
    mean_interval,
    not_judged,
    paired_contrast,
    seeds_for_verdict,
    seeds_needed,
)


def are_final(runs: Iterable[Run]) -> bool:
    """Whether all of these have ended for good."""
    return all(run.status in FINAL for run in runs)


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


def claims_of(results: Results) -> list[ClaimFinding]:
    """Every claim; those of data sets without a design are judged together, as they were planned to be."""
    asked = [one for dataset in results.plan.datasets for one in _asked(results, dataset)]
    together = [one for one in asked if one.dataset not in results.courses]
    judgements = iter(_judge_complete([one.question for one in together], [one.missing for one in together]))
    complete = all(are_final(one.runs) for one in together)
    return [
        _claim_of_design(results, one)
        if one.dataset in results.courses
        else _claim(one, next(judgements), complete, are_final(one.runs))
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
    design = course.design
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
        next(complete) if why is None else not_judged(question.values)
        for question, why in zip(questions, missing, strict=True)
    ]


def _seeds_for_half_interval(values: Sequence[float]) -> int | None:
    if len(values) < 2 or (sd := statistics.stdev(values)) == 0:
        return None
    interval = mean_interval(values)
    assert interval.low is not None
    return seeds_needed(sd, (interval.estimate - interval.low) / 2)
