"""How templates are filled in."""

from __future__ import annotations

from typing import Any

import jinja2


def environment(*, autoescape: bool, **options: Any) -> jinja2.Environment:
    """The templates of this package; what they lack is an error, and their blocks leave no lines.

    Args:
        autoescape: whether text is escaped as HTML by itself.
        options: others of jinja2's.
    """
    return jinja2.Environment(
        loader=jinja2.PackageLoader("bottleneck_lab.report.writers"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        **options,
    )
