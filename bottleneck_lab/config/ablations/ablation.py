"""An ablation: one question, its variants and claims, and the runs that answer it. Knows nothing of torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from bottleneck_lab.config.ablations.checking import check_part
from bottleneck_lab.config.ablations.expanding import (
    all_differ,
    every_override_used,
    split_overrides,
    trials_of_part,
    variants_of_part,
)
from bottleneck_lab.config.ablations.parts import Part, Tier, TierSettings, Variant
from bottleneck_lab.config.ablations.tuning import Tuned
from bottleneck_lab.config.base import DatasetName, Settings
from bottleneck_lab.config.problems import Problems


class Ablation(Settings):
    """One file of `experiments/`.

    Args:
        question: what is asked, in a sentence.
        source: where the paper speaks of it.
        reported: what the paper reports.
        against: what would count against the paper's claim.
    """

    name: str
    file: str
    question: str
    source: str
    reported: str
    against: str
    parts: dict[str, Part] = Field(min_length=1)

    def part_of(self, dataset: str) -> str | None:
        """Name of the part that can run on `dataset`, if one can."""
        return next((name for name, part in self.parts.items() if dataset in part.datasets), None)

    def datasets(self) -> tuple[DatasetName, ...]:
        """Every data set that this ablation can run on."""
        return tuple(dataset for part in self.parts.values() for dataset in part.datasets)

    def spending(self, tier: Tier, dataset: DatasetName) -> TierSettings:
        """What a tier spends on a data set."""
        part = self.parts[self.part_of(dataset) or ""]
        return part.datasets[dataset].tiers[tier]

    def variants(
        self,
        tier: Tier,
        datasets: Sequence[DatasetName],
        overrides: Mapping[str, Any] | None = None,
        tuned: Iterable[Tuned] = (),
    ) -> list[Variant]:
        """Every variant on the given data sets with a tier's settings, validated.

        `overrides` is what `--set` says: {"train": {"epochs": 3}}, or {"images": {"train": ...}} for a part.
        `tuned` is what was chosen for their arms.

        Raises:
            LabError: naming file, key and reason of every impossible setting, all at once.
        """
        problems = Problems(self.file)
        chosen, sections = split_overrides(self, overrides or {}, problems)
        variants = []
        for dataset in datasets:
            part_name = self.part_of(dataset)
            if part_name is None:
                problems.add(
                    "--dataset", f"{self.name} has no data set {dataset!r}", dataset, self.datasets()
                )
                continue
            tiers = self.parts[part_name].datasets[dataset].tiers
            if tier not in tiers:
                problems.add(f"--tier {tier}", f"{dataset} has no such tier", tier, tiers)
                continue
            extra = [layer for name, layer in chosen if name in (None, part_name)]
            choice = next((each for each in tuned if each.dataset == dataset), None)
            variants += variants_of_part(
                self.parts[part_name], part_name, dataset, tier, extra, problems, choice
            )
        problems.complain()
        if overrides:
            all_differ(variants, problems)
            every_override_used(sections, variants, problems)
        problems.complain()
        return variants

    def trials(
        self,
        tier: Tier,
        dataset: DatasetName,
        grid: Sequence[float],
        overrides: Mapping[str, Any] | None = None,
    ) -> list[Variant]:
        """What is trained to choose a setting: every arm with every value of `grid`.

        Raises:
            LabError: naming file, key and reason of every impossible setting, all at once.
        """
        problems = Problems(self.file)
        name = self.part_of(dataset) or ""
        chosen, _ = split_overrides(self, overrides or {}, problems)
        extra = [layer for part, layer in chosen if part in (None, name)]
        variants = trials_of_part(self.parts[name], name, dataset, tier, grid, extra, problems)
        problems.complain()
        return variants

    def tuning_seeds(self, tier: Tier, dataset: DatasetName) -> tuple[int, ...]:
        """The seeds that a setting is chosen with."""
        part = self.parts[self.part_of(dataset) or ""]
        own = part.datasets[dataset].tiers[tier].tuning
        assert part.tuning is not None
        return part.tuning.seeds if own is None or own.seeds is None else own.seeds

    def check(self) -> None:
        """Refuse a file that could not run: impossible settings in any tier, claims about nothing.

        Raises:
            LabError: naming file, key and reason of every problem, all at once.
        """
        problems = Problems(self.file)
        for part_name, part in self.parts.items():
            check_part(self, part_name, part, problems)
        ids = Counter(claim.id for part in self.parts.values() for claim in part.claims)
        for twice in sorted(name for name, count in ids.items() if count > 1):
            problems.add("claims", f"two claims have the id {twice!r}; ids must differ")
        problems.complain()
