"""A setting that runs were made without changes nothing of them."""

from typing import Annotated

from pydantic import Field

from bottleneck_lab.config.base import Later, Settings


class Before(Settings):
    rate: float = 0.1


class After(Settings):
    rate: float = 0.1
    stretch: Annotated[float, Later()] = Field(1.0, gt=0)
    names: Annotated[tuple[str, ...], Later()] = ()


def test_at_its_default_it_is_not_written() -> None:
    assert After().model_dump_json() == Before().model_dump_json()
    assert After(stretch=1.0, names=()).model_dump() == Before().model_dump()


def test_any_other_value_is_written_and_read_back() -> None:
    other = After(stretch=2.0, names=("a",))
    assert other.model_dump() == {"rate": 0.1, "stretch": 2.0, "names": ("a",)}
    assert After.model_validate_json(other.model_dump_json()) == other


def test_what_was_written_without_it_is_read_with_its_default() -> None:
    assert After.model_validate_json(Before().model_dump_json()) == After()
