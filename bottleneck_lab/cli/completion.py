"""What a shell offers for an argument, as far as it is typed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable


def ablations(incomplete: str) -> list[str]:
    """Names of the catalogue."""
    from bottleneck_lab.config.files import catalogue

    return _beginning(incomplete, catalogue())


def tiers(incomplete: str) -> list[str]:
    """How much to spend."""
    return _beginning(incomplete, ("smoke", "quick", "laptop", "paper"))


def datasets(incomplete: str) -> list[str]:
    """Data sets, also those that were added by files that a variable names."""
    from bottleneck_lab import extend
    from bottleneck_lab.errors import LabError

    with contextlib.suppress(LabError):  # a key that is pressed explains nothing; the command will
        extend.include_all(())
    return _beginning(incomplete, extend.DATASETS.names)


def image_files(incomplete: str) -> list[str]:
    """Data sets that are fetched."""
    return _beginning(incomplete, ("cifar10", "cifar100"))


def engines(incomplete: str) -> list[str]:
    """What trains."""
    return _beginning(incomplete, ("local", "ray", "slurm"))


def trackers(incomplete: str) -> list[str]:
    """What runs are logged to."""
    return _beginning(incomplete, ("tensorboard", "mlflow", "wandb"))


def shapes(incomplete: str) -> list[str]:
    """Manifolds to collapse."""
    return _beginning(incomplete, ("spiral", "circle", "swiss-roll", "gaussian", "grid"))


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
