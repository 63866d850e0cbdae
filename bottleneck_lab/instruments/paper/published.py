"""The paper's numbers, from the file beside this one."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@functools.lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """What the paper prints, by table; `published.toml` says in which form."""
    content: dict[str, Any] = tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf-8"))
    return content
