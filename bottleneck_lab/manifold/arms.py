"""The covariates of a run: those of the activation behind its projections, as batch norm starts there."""

from __future__ import annotations

from bottleneck_lab.config import RunSettings, ToyNetworkSettings
from bottleneck_lab.manifold.covariates import Covariates, covariates

# What the covariates are made of, and may differ between runs that they compare.
_OWN = ("projection_activation", "initial")


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


def rest_of(run: RunSettings) -> dict[str, object]:
    """The settings that covariates do not speak of: runs in which they are equal can be compared by them."""
    content = run.model_dump(mode="json", exclude={"variant", "seed"})
    for name in _OWN:
        content["model"].pop(name, None)
    return content
