"""The covariates of a run: those of the activation behind its projections, as batch norm starts there."""

from __future__ import annotations

from bottleneck_lab.config import RunSettings, ToyNetworkSettings
from bottleneck_lab.manifold.covariates import Covariates, covariates


def covariates_of(run: RunSettings) -> Covariates | None:
    """The covariates of a network's bottlenecks at the start; None where they say nothing.

    Toy networks have no batch norm, and behind an addition a value is not standard normal.
    """
    model = run.model
    if isinstance(model, ToyNetworkSettings):
        return None
    if getattr(model, "projection_place", "before_add") == "after_add":
        return None
    start = model.initial
    return covariates(model.projection_activation, start.projection_bias, start.projection_scale)
