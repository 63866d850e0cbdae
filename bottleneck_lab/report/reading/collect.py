"""Reading a results folder: the plan, and what each of its runs has left. Damage is named, never counted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bottleneck_lab.records.left import Environment, Result, RunFiles
from bottleneck_lab.records.names import ENVIRONMENT, RESULT, RUNS
from bottleneck_lab.records.packed import Place, runs_of
from bottleneck_lab.records.provenance import data_difference
from bottleneck_lab.records.results.plan import PlannedVariant, PlanRecord, parsed_plan, read_plan
from bottleneck_lab.records.results.table import Condition, Run
from bottleneck_lab.report.reading.course import Course, course_of
from bottleneck_lab.report.reading.results import Results


def collect(folder: Path) -> Results:
    """Read the plan and the runs of a results folder, also one whose runs are packed.

    What is damaged or foreign among the runs is left out, and named in the `strays` of what is returned.

    Raises:
        LabError: there is no plan in it, or none that a report could be made of; runs.zip is damaged.
    """
    return _collected(folder, read_plan(folder), runs_of(folder))


def sequential_courses(folder: Path, contents: object) -> dict[str, Course]:
    """How far planned looks have come with the results in a folder, by data set; of those that have some.

    Args:
        folder: of an ablation and tier; its own `plan.json` does not matter, nor whether it is there.
        contents: those of the plan.
    """
    plan = parsed_plan(contents)
    sequential = [name for name, design in plan.designs.items() if design and design.sequential]
    chosen = {
        "datasets": [name for name in plan.datasets if name in sequential],
        "variants": [variant for variant in plan.variants if variant.dataset in sequential],
    }
    plan = plan.model_copy(update=chosen)
    return _collected(folder, plan, folder / RUNS).courses


def _collected(folder: Path, plan: PlanRecord, place: Place) -> Results:
    left = RunFiles(place)
    environments: dict[str, Environment] = {}
    read = []
    for variant in plan.variants:
        for seed, run_id in variant.runs.items():
            result, environments[run_id] = left.read(run_id)
            run = _run(left, variant, seed, run_id, result, environments[run_id])
            read.append((run, variant.checksums))
    usual = _usual_checksums(plan, environments)
    runs = [
        _on_planned_data(run, planned or usual[run.dataset], environments[run.id], left)
        for run, planned in read
    ]
    names = {dataset: part.names() for part in plan.ablation.parts.values() for dataset in part.datasets}
    others = left.others({run.id for run in runs}, names)
    courses = _courses(plan, runs)
    plan = _called_for(plan, courses)
    called = {run_id for variant in plan.variants for run_id in variant.runs.values()}
    of_looks = tuple(run for run in runs if run.id in called)
    made = {run_id: environment.values for run_id, environment in environments.items()}
    return Results(folder, plan, of_looks, courses, others, left, made)


def _courses(plan: PlanRecord, runs: Sequence[Run]) -> dict[str, Course]:
    by_dataset: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        by_dataset.setdefault(run.dataset, {}).setdefault(run.variant, []).append(run)
    return {
        dataset: course_of(design, by_dataset[dataset])
        for dataset in plan.datasets
        if (design := plan.designs.get(dataset)) is not None
    }


def _called_for(plan: PlanRecord, courses: dict[str, Course]) -> PlanRecord:
    """The plan with the runs that the looks have called for so far."""
    variants = []
    for variant in plan.variants:
        if (course := courses.get(variant.dataset)) is not None:
            runs = dict(itertools.islice(variant.runs.items(), course.seeds[variant.name]))
            variant = variant.model_copy(update={"runs": runs})
        variants.append(variant)
    return plan.model_copy(update={"variants": variants})


def _run(
    left: RunFiles,
    variant: PlannedVariant,
    seed: int,
    run_id: str,
    result: Result | None,
    environment: Environment,
) -> Run:
    whose = {"variant": variant.name, "dataset": variant.dataset, "seed": seed}
    status: Condition
    if result is None:
        status = "unfinished" if left.is_there(run_id) else "not started"
    elif (problem := _problem(result, whose)) is not None:
        status = "damaged"
        left.note(run_id, RESULT, f"has {problem}")
        reason = f"{problem} in {RESULT}; delete the run's folder to train it again"
        result = replace(result, accuracy=None, reason=reason)
    else:
        assert result.status is not None  # which would be a problem
        status = result.status
    said = result or Result()
    return Run(
        variant=variant.name,
        dataset=variant.dataset,
        seed=seed,
        id=run_id,
        status=status,
        accuracy=said.accuracy,
        loss=said.loss,
        test_accuracy=said.test_accuracy,
        epochs=said.epochs,
        wall_seconds=environment.wall_seconds,
        cpu_seconds=environment.cpu_seconds,
        reason=said.reason,
        measures=said.measures if status == "done" else {},
    )


def _problem(result: Result, whose: Mapping[str, object]) -> str | None:
    """Why a result cannot be what training this run has left; None where it can."""
    if any(result.whose.get(key, value) != value for key, value in whose.items()):
        return "another run's variant, data set or seed"
    if result.status is None:
        return "no known status"
    if result.is_altered:
        return "other values than the run has left"
    if result.status == "done" and result.accuracy is None:
        return "no accuracy from 0 to 1"
    return None


def _usual_checksums(plan: PlanRecord, environments: Mapping[str, Environment]) -> dict[str, dict[str, str]]:
    """The checksums that most runs on a data set have: plans of former times do not say what was planned."""
    counts: dict[str, dict[str, Counter[str]]] = {dataset: {} for dataset in plan.datasets}
    for variant in plan.variants:
        for run_id in variant.runs.values():
            for name, digest in environments[run_id].checksums.items():
                counts[variant.dataset].setdefault(name, Counter())[digest] += 1
    return {
        dataset: {name: digests.most_common(1)[0][0] for name, digests in found.items()}
        for dataset, found in counts.items()
    }


def _on_planned_data(run: Run, planned: dict[str, str], environment: Environment, left: RunFiles) -> Run:
    """The run; damaged, if it was trained and judged on other data than those it would be compared with."""
    why = data_difference(planned, environment.checksums)
    if why is None or run.status != "done":
        return run
    left.note(run.id, ENVIRONMENT, f"is of a run on other data: {why}")
    reason = f"trained on other data ({why}); delete the run's folder to train it again"
    return replace(run, status="damaged", accuracy=None, measures={}, reason=reason)
