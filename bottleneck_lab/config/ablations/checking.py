"""What an experiment file must not say, though each of its values is fine."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bottleneck_lab.config.ablations.expanding import all_differ, trials_of_part, variants_of_part
from bottleneck_lab.config.ablations.parts import SEPARATOR, Part, terms_of
from bottleneck_lab.config.ablations.predictions import check_predictions
from bottleneck_lab.config.data import ImageSettings
from bottleneck_lab.config.problems import Problems

if TYPE_CHECKING:
    from bottleneck_lab.config.ablations.ablation import Ablation


def _namesakes(axes: Mapping[str, Iterable[str]]) -> tuple[str, str, str] | None:
    """Two combinations of levels whose names, joined, are one name, and that name; None where all differ.

    Figures leave axes out of the names of lines, so combinations on some of the axes must differ, too.
    """
    if not any(SEPARATOR in level for levels in axes.values() for level in levels):
        return None  # then a name can be taken apart again
    for count in range(2, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            seen: dict[str, tuple[str, ...]] = {}
            for levels in itertools.product(*(axes[axis] for axis in chosen)):
                twin = seen.setdefault(name := SEPARATOR.join(levels), levels)
                if twin != levels:
                    return _combination(chosen, twin), _combination(chosen, levels), name
    return None


def _combination(axes: Iterable[str], levels: Iterable[str]) -> str:
    named = zip(axes, (json.dumps(level, ensure_ascii=False) for level in levels), strict=True)
    return " with ".join(f"{axis}.{level}" for axis, level in named)


def check_part(ablation: Ablation, part_name: str, part: Part, problems: Problems) -> None:
    """Add to `problems` what no variant, claim or figure of a part could be made of."""
    here = f"parts.{part_name}"
    if namesakes := _namesakes(part.axes):
        one, other, name = namesakes
        problems.add(f"{here}.axes", f"{one} and {other} would both be called {name!r}; rename a level")
    names = [name for name, _, _ in part.variants()]
    check_predictions(here, part.predictions, part.prediction_rule, part.hypotheses, names, problems)
    if not names:
        problems.add(f"{here}.without", "leaves no variants")
    if part.facet is not None and part.facet not in part.axes:
        problems.add(f"{here}.facet", f"{part.facet!r} is no axis", part.facet, part.axes)
    for axis in part.heat_map or ():
        if axis not in part.axes:
            problems.add(f"{here}.heat_map", f"{axis!r} is no axis", axis, part.axes)
    if part.heat_map is not None and sorted(part.axes) != sorted(part.heat_map):
        problems.add(f"{here}.heat_map", "a map shows two different axes, and needs a part with no others")
    if part.budget is not None:
        part.budget.check(f"{here}.budget", part.axes, problems)
    if part.tuning is not None:
        part.tuning.check(f"{here}.tuning", part.axes, problems)
        _check_tuning(ablation, part_name, part, problems)
    every = [SEPARATOR.join(levels) for levels in itertools.product(*part.axes.values())]
    for name in part.without:
        if name not in every:
            problems.add(f"{here}.without", f"{name!r} is no combination of levels", name, every)
    for name in part.paper.top1 if part.paper else ():
        if name not in names:
            problems.add(f"{here}.paper.top1", f"{name!r} is no variant of this part", name, names)
    for name in part.paper.curves.top1 if part.paper and part.paper.curves else ():
        if name not in names:
            problems.add(f"{here}.paper.curves.top1", f"{name!r} is no variant of this part", name, names)
    for claim in part.claims:
        place = f"{here}.claims.{claim.id}"
        for name in claim.contrast:
            if name not in names:
                problems.add(f"{place}.contrast", f"{name!r} is no variant of this part", name, names)
        known = ("accuracy", *part.measures)
        for term in terms_of(claim.measure):
            if term not in known:
                problems.add(f"{place}.measure", f"{term!r} is no measure of this part", term, known)
        if claim.paper is not None and part.paper is None:
            problems.add(f"{place}.paper", f"needs {here}.paper, which says whose number it is")
    for dataset in part.datasets:
        if ablation.part_of(dataset) != part_name:
            problems.add(f"{here}.datasets.{dataset}", "another part has this data set already")
        for tier in part.datasets[dataset].tiers:
            found = variants_of_part(part, part_name, dataset, tier, [], problems)
            all_differ(found, problems)


def _check_tuning(ablation: Ablation, part_name: str, part: Part, problems: Problems) -> None:
    """Trials that are possible, on images and seeds of their own, in every tier."""
    assert part.tuning is not None
    if part.tuning.arms not in part.axes:
        return
    here = f"parts.{part_name}"
    for dataset, on in part.datasets.items():
        for tier in on.tiers:
            place = f"{here}.datasets.{dataset}.tiers.{tier}"
            for trial in trials_of_part(part, part_name, dataset, tier, part.tuning.grid, [], problems)[:1]:
                data = trial.settings.data
                if not isinstance(data, ImageSettings) or not data.tuning_images:
                    problems.add(
                        f"{place}.tuning", "data.tuning_images is not set: there is nothing to choose on"
                    )
            every = ablation.spending(tier, dataset).every_seed
            if used := set(ablation.tuning_seeds(tier, dataset)) & set(every):
                problems.add(f"{place}.tuning.seeds", f"{min(used)} is a seed of the comparison, too")
