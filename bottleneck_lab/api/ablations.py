"""The ablations that can be run, and reading one: `bottleneck_lab.load`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bottleneck_lab import config, extend
from bottleneck_lab.api.arguments import several
from bottleneck_lab.config import Ablation


def ablations() -> tuple[str, ...]:
    """The names of the ablations that come with the project.

    >>> import bottleneck_lab as lab
    >>> lab.ablations()[:3]
    ('capacity_vs_expressiveness', 'depthwise_separable', 'expansion_ratio')
    """
    return tuple(config.catalogue())


def load(ablation: str | Path, *, include: str | Path | Sequence[str | Path] = ()) -> Ablation:
    """Read and check an ablation: its question, its parts with their variants and claims.

    >>> import bottleneck_lab as lab
    >>> residuals = lab.load("residual_placement")
    >>> residuals.question
    'Are shortcuts between the thin bottlenecks better than between the wide expansions, or than none?'
    >>> [variant.name for variant in residuals.variants("quick", ["digits"])][:2]
    ['between bottlenecks', 'as many as between expansions']

    Args:
        ablation: a name of the catalogue, or the path of a file of one's own.
        include: Python files, or folders of them, that add what the file names.

    Raises:
        LabError: no such ablation, or a file that could not run, with file, key and reason of every problem.
    """
    extend.include_all([Path(file) for file in several("include", include)])
    return config.load(str(ablation))
