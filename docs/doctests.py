"""Examples in docstrings (`>>>`) are shown as code."""

import re

import griffe


class Fenced(griffe.Extension):
    """Puts a fence around every paragraph of a docstring that begins with `>>>`."""

    def on_object(self, *, obj, **kwargs):
        """Of modules, classes and functions alike."""
        if obj.docstring is not None:
            paragraphs = re.split(r"\n[ \t]*\n", obj.docstring.value)
            obj.docstring.value = "\n\n".join(
                f"```pycon\n{each}\n```" if each.lstrip().startswith(">>>") else each for each in paragraphs
            )
