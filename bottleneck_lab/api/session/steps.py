"""What a command trains next: everything at once, or look by look what the verdicts so far leave open."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from bottleneck_lab.config import RunSettings
from bottleneck_lab.report.reading.collect import sequential_courses
from bottleneck_lab.report.reading.course import Course
from bottleneck_lab.runs.jobs import Job, plan_jobs
from bottleneck_lab.runs.plan import Plan


class Steps:
    """The jobs of a plan, a look after the other.

    The jobs of a look follow from the plan and the results of the looks before, whoever trained these: so all
    commands on a folder have the same jobs, with the same company in each batch.
    """

    def __init__(self, plan: Plan, results: Path) -> None:
        self._plan, self._results = plan, results
        self._given = 0  # looks whose jobs were given

    @property
    def are_planned_looks(self) -> bool:
        """Whether what is trained depends on the verdicts."""
        return any(
            design is not None and design.sequential
            for design in map(self._plan.designs.get, self._plan.data.names)
        )

    def next(self) -> list[Job]:
        """All jobs that are called for and were not given before, finished or not; none where all were."""
        if not self.are_planned_looks:
            if self._given:
                return []
            self._given = 1
            return self.most()
        courses = sequential_courses(self._results, self._plan.contents())
        last = max((course.look for course in courses.values()), default=1)
        jobs = [
            job
            for look in range(self._given + 1, last + 1)
            for job in plan_jobs([*self._runs(courses, look)])
        ]
        self._given = last
        return jobs

    def restart(self) -> list[Job]:
        """The jobs to begin with, after results were removed."""
        self._given = 0
        return self.next()

    def most(self) -> list[Job]:
        """All jobs that there can be, if no claim is decided before the last look."""
        return list(self._most)

    @functools.cached_property
    def _most(self) -> list[Job]:
        needed = {
            (name, variant)
            for name in self._plan.data.names
            if (design := self._plan.designs[name]) is not None
            for claim in design.claims.values()
            for variant in claim.contrast
        }
        runs = []
        for variant in self._plan.variants:
            seeds, design = self._plan.seeds[variant.dataset], self._plan.designs[variant.dataset]
            if design is not None and (variant.dataset, variant.name) not in needed:
                seeds = seeds[: design.looks[0]]
            runs += [variant.with_seed(seed) for seed in seeds]
        return plan_jobs(runs)

    def _runs(self, courses: dict[str, Course], look: int) -> Iterator[RunSettings]:
        """The runs that a look is the first to call for: of data sets without planned looks, all at once."""
        for variant in self._plan.variants:
            seeds = self._plan.seeds[variant.dataset]
            looks: tuple[int, ...] = (len(seeds),)
            called = len(seeds)
            design, course = self._plan.designs[variant.dataset], courses.get(variant.dataset)
            if design is not None and course is not None:
                looks, called = design.looks, course.seeds[variant.name]
            if look <= len(looks):
                first, end = (0, *looks)[look - 1], looks[look - 1]
                yield from (variant.with_seed(seed) for seed in seeds[first : min(end, called)])
