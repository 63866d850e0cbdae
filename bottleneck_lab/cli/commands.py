"""How every command's help looks: what is to be typed in capitals, 80 columns, examples to copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

_WORDS = {"path": "PATH", "int": "N", "float": "X"}  # else the option's own name


class Command(TyperCommand):
    """A command whose help says what is to be typed, where typer names types of Python."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: D102
        return [re.sub("[{}]", "", piece).upper() for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: D102
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            of_kind = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == kind]
            records = [record for parameter in of_kind if (record := parameter.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl([(_typed(name, kind), text) for name, text in records])


def _typed(name: str, kind: str) -> str:
    own, _, of_python = name.partition(" <")
    if kind == "argument":
        return own.upper()
    word = of_python.partition(">")[0].partition(" ")[0]
    return f"{own} {_WORDS.get(word, own.lstrip('-').upper())}" if word else name


class App(typer.Typer):
    """Commands, or one, under a name."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **more,
        )

    def add(self, name: str, function: Callable[..., Any], *examples: str, short: str | None = None) -> None:
        """Add a command; its examples are lines that can be copied."""
        self.command(name, cls=Command, short_help=short, epilog=shown(*examples))(function)


def shown(*examples: str) -> str:
    """The lines under a help's options."""
    return "\n".join(
        ["\b", "Examples:" if len(examples) > 1 else "Example:", *(f"  {line}" for line in examples)]
    )
