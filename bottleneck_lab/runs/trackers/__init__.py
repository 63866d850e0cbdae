"""Where finished runs can be shown besides the report: a module each, imported only when it is asked for.

A further tracker is one more module here, with a class `Tracker` that does what `protocol.Tracker` says; an
extra of its name in `pyproject.toml` brings what it needs.
"""
