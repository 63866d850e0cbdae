"""Activations in settings: one syntax for parameters, checked, and part of a run's name."""

from typing import Any

import pytest
from pydantic import ValidationError

from bottleneck_lab import extend
from bottleneck_lab.config import RunSettings


def run(activation: Any) -> RunSettings:
    return RunSettings.model_validate(
        {
            "variant": "v",
            "seed": 0,
            "data": {"dataset": "spiral"},
            "model": {"family": "toy", "network": "toy", "width": 4, "projection_activation": activation},
            "train": {"epochs": 10},
        }
    )


def refusal(activation: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        run(activation)
    [mistake] = caught.value.errors()
    assert mistake["loc"] == ("model", "toy", "projection_activation")
    return str(mistake["ctx"]["error"])


def test_a_name_alone_is_written_as_a_name_however_it_was_given() -> None:
    assert run({"kind": "relu"}) == run("relu")
    assert run({"kind": "relu"}).id == run("relu").id
    assert '"projection_activation":"relu"' in run({"kind": "relu"}).model_dump_json()


def test_parameters_are_part_of_the_name_of_a_run_and_equal_ones_are_written_alike() -> None:
    ids = {run({"kind": "leaky", "slope": slope}).id for slope in (0, 0.0, 1, 1.0, 0.25)}
    assert len(ids) == 3
    assert run({"slope": 0.25, "kind": "leaky"}).id == run({"kind": "leaky", "slope": 0.25}).id


@pytest.mark.parametrize(
    "activation",
    [
        "silu",
        {"kind": "leaky", "slope": -1.0},
        {"kind": "bits", "bits": 2},
        {"kind": "leaky", "slope": {"from": 1.0, "to": 0.0, "until": 0.5}},
    ],
)
def test_what_is_written_is_read_back(activation: Any) -> None:
    made = run(activation)
    assert RunSettings.model_validate_json(made.model_dump_json()) == made
    assert made.model_dump()["model"]["projection_activation"] == activation


@pytest.mark.parametrize(
    ("activation", "sentence"),
    [
        ("rellu", "'rellu' is not known; did you mean 'relu'?"),
        ({"kind": "leeky", "slope": 1}, "'leeky' is not known; did you mean 'leaky'?"),
        ({"kind": "leaky"}, "the activation 'leaky' needs slope: write { kind = \"leaky\", slope = ... }"),
        ("bits", "the activation 'bits' needs bits"),
        (
            {"kind": "leaky", "slop": 1},
            "the activation 'leaky' has no parameter 'slop'; did you mean 'slope'?",
        ),
        ({"kind": "relu", "slope": 1}, "the activation 'relu' has no parameter 'slope'; it has none"),
        ({"kind": "leaky", "slope": "steep"}, "slope = 'steep': give a number from -10 to 10"),
        ({"kind": "leaky", "slope": True}, "slope = True: give a number from -10 to 10"),
        ({"kind": "leaky", "slope": float("nan")}, "slope = nan: give a number from -10 to 10"),
        ({"kind": "bits", "bits": 2.5}, "bits = 2.5: give a whole number"),
        ({"kind": "bits", "bits": 9}, "bits = 9: give a whole number from 1 to 8"),
        ({"kind": "clip", "limit": 0}, "limit = 0: give a number from 0.001 to 1000"),
        ({"kind": "noise", "variance": -1}, "variance = -1: give a number from 0 to 1000"),
        ({"kind": "leaky", "slope": {"from": 1}}, "a schedule has the keys from, to and until"),
        (
            {"kind": "leaky", "slope": {"from": 1, "to": 0, "until": 0}},
            "slope.until = 0: give the share of training that the change takes",
        ),
        ({"kind": "bits", "bits": {"from": 8, "to": 2, "until": 1}}, "cannot change over training"),
        ({"slope": 1}, "is no activation; give a name, or"),
        (3, "3 is no activation; give a name, or"),
    ],
)
def test_impossible_ones_are_refused_with_a_sentence(activation: Any, sentence: str) -> None:
    assert sentence in refusal(activation)


def test_the_arguments_of_an_added_one_are_its_parameters() -> None:
    @extend.activation("bent")
    def bent(edge: float, steps: int = 3) -> Any: ...

    assert run({"kind": "bent", "edge": 1}).model_dump()["model"]["projection_activation"] == {
        "kind": "bent",
        "edge": 1.0,
    }
    assert "needs edge" in refusal("bent")
    assert "did you mean 'edge'?" in refusal({"kind": "bent", "edges": 1})
    assert "steps = 2.5: give a whole number" in refusal({"kind": "bent", "edge": 1, "steps": 2.5})
    changing = {"kind": "bent", "edge": {"from": 1, "to": 0, "until": 1}}
    assert "was added, and its parameters cannot change" in refusal(changing)
