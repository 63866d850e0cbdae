"""Ctrl-C, held back for a moment."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hear Ctrl-C afterwards, here and in the processes that are started meanwhile, where the system can.

    Processes inherit what their thread does not let through; this process may have other threads, to which
    the system can give the signal, and so has a handler that only remembers it.
    """
    handler = signal.getsignal(signal.SIGINT)
    is_heard = callable(handler) and threading.current_thread() is threading.main_thread()
    heard: list[int] = []
    if is_heard:
        signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    _let_through(False)
    try:
        yield
    finally:
        _let_through(True)
        if is_heard:
            signal.signal(signal.SIGINT, handler)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _let_through(whether: bool) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK if whether else signal.SIG_BLOCK, {signal.SIGINT})
