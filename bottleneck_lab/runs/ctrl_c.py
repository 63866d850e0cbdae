"""Ctrl-C: held back for a moment, or meant when it comes a second time."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130  # exit code, as of a shell
SECONDS_TO_END = 2.0


def end_at_the_second() -> None:
    """Let the first Ctrl-C be a KeyboardInterrupt, and one some seconds later end this process at once.

    In between the command is ended in order, which further ones must not interrupt. At once, nothing is lost
    either: files are written whole, and workers do not outlive their parent. A process that is deaf to Ctrl-C
    stays so.
    """
    heard: float | None = None

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard is not None:
            if time.monotonic() - heard < SECONDS_TO_END:
                return
            os.write(2, b"\nInterrupted again, and ended at once. What is finished is kept.\n")
            os._exit(INTERRUPTED)
        heard = time.monotonic()
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, hear)


def ignore() -> None:
    """Hear no more: all is said, and while Python takes its handlers down, one more would kill it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
