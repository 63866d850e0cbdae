"""What all settings have in common, and the names that they may use. Knows nothing of torch."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from bottleneck_lab import extend
from bottleneck_lab.activations import kind_of
from bottleneck_lab.config.activations import Activation, check_known
from bottleneck_lab.quantise.scheme import LOST, is_lost, parse_scheme

Unchecked = dict[str, Any]
"""Settings by key, or by section and key, as TOML, `--set` and a plan have them, before they are checked."""


@dataclass(frozen=True)
class Later:
    """Marks a setting that runs were made without: `Annotated[bool, Later()]`, with a default that is theirs.

    It is written, and so is part of a run's id, only where it is not that default: those runs keep their ids.
    """


class Settings(BaseModel):
    """Base of all settings: immutable, no unknown keys, no silent conversion of types, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        written: dict[str, object] = write(self)
        for name, default in _later_defaults(type(self)).items():
            if getattr(self, name) == default:
                written.pop(name, None)
        return written


@functools.cache  # a plan may have 100,000 runs, each of which is written for its id
def _later_defaults(kind: type[Settings]) -> dict[str, object]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if any(isinstance(mark, Later) for mark in field.metadata)
    }


def _known(registry: extend.Registry[Any]) -> AfterValidator:
    """Refuse a name that neither comes with the project nor was added to it."""

    def check(name: str) -> str:
        check_known(name, registry)
        return name

    return AfterValidator(check)


BlockName = Annotated[str, _known(extend.BLOCKS)]
ResidualName = Annotated[str, _known(extend.RESIDUALS)]
DatasetName = Annotated[str, _known(extend.DATASETS)]


def _scheme_in(measure: str) -> str:
    """Refuse what sets out to be the cost of a scheme of rounding, and names none."""
    if is_lost(measure):
        parse_scheme(measure.removeprefix(LOST))
    return measure


def _scheme(name: str) -> str:
    parse_scheme(name)
    return name


MeasureName = Annotated[str, AfterValidator(_scheme_in), _known(extend.MEASURE_NAMES)]
SchemeName = Annotated[str, AfterValidator(_scheme)]


class InitialSettings(Settings):
    """How a network starts.

    Args:
        weights: `he`, normal with variance 2 / fan-in (He et al. 2015); or `fan_out`, 2 / fan-out and a
            standard deviation of 0.01 in the classifier, as torchvision has it. Batch norm cancels their
            scale in a forward pass.
        projection_bias: of the batch norm behind the thin tensor, in its standard deviations: 0 puts half of
            the values below 0, 3 next to none. In toy networks, which have no batch norm, of the linear map.
        projection_scale: of that batch norm, 1 as it is created; in toy networks, of the map's weights, as a
            factor.
    """

    weights: Literal["he", "fan_out"] = "he"
    projection_bias: float = Field(0.0, ge=-100, le=100)
    projection_scale: float = Field(1.0, ge=0, le=100)


class ActivationKnobs(Settings):
    """What a block of any architecture has: an activation after its thin tensor, one inside, and a start."""

    projection_activation: Activation
    inner_activation: Activation
    initial: Annotated[InitialSettings, Later()] = InitialSettings()

    def names(self) -> list[tuple[extend.Registry[Any], str]]:
        """Every name here that may have been added from outside, with the registry that knows it."""
        return [
            (extend.ACTIVATIONS, kind_of(self.projection_activation)),
            (extend.ACTIVATIONS, kind_of(self.inner_activation)),
        ]
