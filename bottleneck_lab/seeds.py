"""Random streams by name: every use of chance has a stream of its own, so none disturbs another."""

from __future__ import annotations

import hashlib

MOST = 10_000  # at once
LARGEST = 2**63 - 1


def stream(seed: int, *names: object) -> int:
    """A 63-bit seed for the stream with these names, unrelated to all other streams of the same `seed`.

    It depends on nothing but its arguments, so a run that is resumed, moved or run in another process draws
    the same numbers.
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
