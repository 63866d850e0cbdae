"""What `quantise` leaves as JSON, as far as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class Layer:
    """Where the channels of a layer reach, 0 to 1 of its grid."""

    of: str
    layer: str
    reach: list[float]


@dataclass(frozen=True)
class Ranges:
    """`ranges.json`."""

    layers: Annotated[list[Layer], Field(min_length=1)]
