"""Experiments on linear bottlenecks: is a projection without ReLU better, where, and why?

The idea under test is Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks"
(arXiv 1801.04381). `run-ablation linear_vs_relu` is the place to start; from Python:

    import bottleneck_lab as lab

    results = lab.run("linear_vs_relu", tier="smoke")    # or lab.read_results("results/linear_vs_relu/quick")
    results.claims.to_pandas()
    results.plot("accuracy", "spiral")

What is in `__all__` is public; everything else may change.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottleneck_lab import extend as extend
    from bottleneck_lab.api.ablations import ablations, load
    from bottleneck_lab.api.collapse import collapse, lost
    from bottleneck_lab.api.frame import Frame
    from bottleneck_lab.api.observe import observe
    from bottleneck_lab.api.results import Results, read_results
    from bottleneck_lab.api.run import run
    from bottleneck_lab.config import Ablation
    from bottleneck_lab.errors import LabError, LabWarning
    from bottleneck_lab.models.block import InvertedResidual

__version__ = "0.1.0"

__all__ = [
    "Ablation",
    "Frame",
    "InvertedResidual",
    "LabError",
    "LabWarning",
    "Results",
    "ablations",
    "collapse",
    "extend",
    "load",
    "lost",
    "observe",
    "read_results",
    "run",
]

# Where each is: imported when it is asked for, so that nobody waits for torch who does not need it.
_HOMES = {
    "Ablation": "bottleneck_lab.config",
    "Frame": "bottleneck_lab.api.frame",
    "InvertedResidual": "bottleneck_lab.models.block",
    "LabError": "bottleneck_lab.errors",
    "LabWarning": "bottleneck_lab.errors",
    "Results": "bottleneck_lab.api.results",
    "ablations": "bottleneck_lab.api.ablations",
    "collapse": "bottleneck_lab.api.collapse",
    "load": "bottleneck_lab.api.ablations",
    "lost": "bottleneck_lab.api.collapse",
    "observe": "bottleneck_lab.api.observe",
    "read_results": "bottleneck_lab.api.results",
    "run": "bottleneck_lab.api.run",
}


def __getattr__(name: str) -> object:
    if name == "extend":
        return importlib.import_module("bottleneck_lab.extend")
    if name not in _HOMES:
        raise AttributeError(f"module 'bottleneck_lab' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
