"""Activations in settings: a name, or a name with its parameters, checked against the one table."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from bottleneck_lab import activations, extend
from bottleneck_lab.activations import KINDS, Parameter, Parametrised
from bottleneck_lab.config.problems import nearest


def read(given: object) -> activations.Activation:
    """An activation from what settings say: a name, or a mapping with `kind` and its parameters.

    Raises:
        ValueError: a name that is not known, parameters that it does not have or lacks, or impossible values.
    """
    if isinstance(given, Parametrised):
        given = given.written()
    if isinstance(given, str):
        parameters: dict[str, object] = {}
        kind = given
    elif isinstance(given, Mapping) and isinstance(given.get("kind"), str):
        parameters = {key: value for key, value in given.items() if key != "kind"}
        kind = given["kind"]
    else:
        example = '{ kind = "leaky", slope = 0.25 }'
        raise ValueError(f"{given!r} is no activation; give a name, or {example} where it has parameters")
    check_known(kind, extend.ACTIVATIONS)
    known = _parameters_of(kind)
    if unknown := [name for name in parameters if name not in known]:
        hint = nearest(unknown[0], known) or "it has none"
        raise ValueError(f"the activation {kind!r} has no parameter {unknown[0]!r}; {hint}")
    if missing := [name for name, (_, must) in known.items() if must and name not in parameters]:
        example = f'{{ kind = "{kind}", {missing[0]} = ... }}'
        raise ValueError(f"the activation {kind!r} needs {' and '.join(missing)}: write {example}")
    if kind in extend.ACTIVATIONS.added and any(isinstance(value, Mapping) for value in parameters.values()):
        raise ValueError(f"the activation {kind!r} was added, and its parameters cannot change over training")
    kept = tuple(
        (name, parameter.check(name, parameters[name]))
        for name, (parameter, _) in known.items()
        if name in parameters
    )
    return Parametrised(kind, kept) if kept else kind


def check_known(name: str, registry: extend.Registry[Any]) -> None:
    """Refuse a name that neither comes with the project nor was added to it.

    Raises:
        ValueError: with the nearest name that is known.
    """
    if name not in registry:
        hint = nearest(name, registry.names)
        further = ", or --include the file that adds it" if hint.startswith("valid names") else ""
        raise ValueError(f"{name!r} is not known; {hint}{further}")


def _parameters_of(kind: str) -> dict[str, tuple[Parameter, bool]]:
    """The parameters of an activation, and whether each must be given."""
    if kind in KINDS:
        return {name: (parameter, True) for name, parameter in KINDS[kind].parameters.items()}
    try:
        signature = inspect.signature(extend.ACTIVATIONS[kind])
    except (TypeError, ValueError):  # what is written in C may not say
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: (
            Parameter(-math.inf, math.inf, whole=parameter.annotation in (int, "int")),
            parameter.default is inspect.Parameter.empty,
        )
        for name, parameter in signature.parameters.items()
        if parameter.kind in named
    }


def _written(activation: activations.Activation) -> str | dict[str, object]:
    return activation if isinstance(activation, str) else activation.written()


Activation = Annotated[str | Parametrised, PlainValidator(read), PlainSerializer(_written)]
