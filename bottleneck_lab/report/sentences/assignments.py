"""Settings, as an experiment file and `--set` have them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from bottleneck_lab.config import Unchecked


def settings(values: Unchecked) -> str:
    """Settings in a line: `epochs = 20, optimizer = adam`."""
    return ", ".join(
        f"{key} = {_ABSENT.get(key, 'none') if value is None else _setting(value)}"
        for key, value in values.items()
    )


# What it means that a setting is absent.
_ABSENT = {
    "batch_size": "all",
    "train_images": "all",
    "held_out_images": "all",
    "resolution": "the images' own",
}


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else _toml(value)


def _toml(value: Any) -> str:
    """A value as an experiment file and `--set` have it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def stages(rows: Sequence[Unchecked]) -> str:
    """The rows of Table 2, each as (t, c, n, s); `t` where the network's own expansion holds."""
    return ", ".join(
        f"({'t' if row['t'] is None else format(row['t'], 'g')}, {row['c']}, {row['n']}, {row['s']})"
        for row in rows
    )


def changed(overrides: Unchecked) -> str:
    """Nested settings as `--set` has them: `train.epochs=3, model.width=2`."""
    return ", ".join(assignments(overrides))


def assignments(overrides: Unchecked) -> list[str]:
    """Nested settings, each as `--set` has it: `train.epochs=3`."""
    return [f"{key}={_setting(value)}" for key, value in _flat(overrides)]


def _flat(values: Unchecked, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
