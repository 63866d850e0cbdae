"""Text in Markdown that means nothing but itself."""

from __future__ import annotations

import re


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one line: neither HTML, nor a link or picture, nor emphasis."""
    return _markdown(re.sub(r"\s*[\n\r]\s*", " ", text).replace("*", "\\*"))


def cell(text: str) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return _markdown(" ".join(text.split())).replace("|", "\\|")


def _markdown(text: str) -> str:
    # What else `<` and `]` stand before is no HTML and no link, and is left as it reads best.
    return re.sub(r"(<(?=[A-Za-z/!?])|](?=[(\[:]))", r"\\\1", text)


def code(text: str) -> str:
    """Text as code in Markdown, whatever is in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"
