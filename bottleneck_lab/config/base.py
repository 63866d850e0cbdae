"""What all settings have in common, and the names that they may use. Knows nothing of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from bottleneck_lab import extend
from bottleneck_lab.activations import kind_of
from bottleneck_lab.config.activations import Activation, check_known


@dataclass(frozen=True)
class Later:
    """Marks a setting that runs were made without: `Annotated[bool, Later()]`, with a default that is theirs.

    It is written, and so is part of a run's id, only where it is not that default: those runs keep their ids.
    """


class Settings(BaseModel):
    """Base of all settings: immutable, no unknown keys, no silent conversion of types, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name, field in type(self).model_fields.items():
            later = any(isinstance(mark, Later) for mark in field.metadata)
            if later and getattr(self, name) == field.get_default(call_default_factory=True):
                written.pop(name, None)
        return written


def _known(registry: extend.Registry[Any]) -> AfterValidator:
    """Refuse a name that neither comes with the project nor was added to it."""

    def check(name: str) -> str:
        check_known(name, registry)
        return name

    return AfterValidator(check)


BlockName = Annotated[str, _known(extend.BLOCKS)]
ResidualName = Annotated[str, _known(extend.RESIDUALS)]
DatasetName = Annotated[str, _known(extend.DATASETS)]
MeasureName = Annotated[str, _known(extend.MEASURE_NAMES)]


class ActivationKnobs(Settings):
    """The two activations that a block of any architecture has: after its thin tensor, and inside."""

    projection_activation: Activation
    inner_activation: Activation

    def names(self) -> list[tuple[extend.Registry[Any], str]]:
        """Every name here that may have been added from outside, with the registry that knows it."""
        return [
            (extend.ACTIVATIONS, kind_of(self.projection_activation)),
            (extend.ACTIVATIONS, kind_of(self.inner_activation)),
        ]
