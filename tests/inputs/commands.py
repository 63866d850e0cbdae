"""The commands as they are typed, in this process: what they print, how they end, and how long they take."""

import contextlib
import io
import sys
import time
import traceback
from dataclasses import dataclass

from bottleneck_lab import cli, extend

ENTRIES = {"run-ablation": cli.run_ablation, "bottleneck-lab": cli.main}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and the traceback of what nobody has caught."""

    code: object
    said: str
    seconds: float  # of this process: whatever else the machine does
    waited: float  # by the clock
    traceback: str | None


def call(*words):
    """Do what a shell would, with the words of a command."""
    said = io.StringIO()
    code, trace = 0, None
    arguments, sys.argv = sys.argv, [str(word) for word in words]
    added = [dict(registry.added) for registry in extend.REGISTRIES]
    begin, clock = time.process_time(), time.monotonic()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            ENTRIES[words[0]]()
    except SystemExit as end:
        code = end.code
    except BaseException:
        trace = traceback.format_exc()
    finally:
        sys.argv = arguments
        for registry, before in zip(extend.REGISTRIES, added, strict=True):
            registry.added = before
    return Ended(code or 0, said.getvalue(), time.process_time() - begin, time.monotonic() - clock, trace)
