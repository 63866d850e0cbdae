"""Ten thousand mutated experiment files and two thousand damaged folders of results, under the commands.

Every file is one of the tests or the catalogue, changed in one to three places. Those of the tests are
planned by `run-ablation --dry-run`; those of the catalogue, whose time takes seconds to estimate, are shown
by `describe`. Every other one has an option with a value that may be anything (--set, --seeds,
--engine-option, --address, --include, --data-dir, --out). Every folder of results, as runs have left or
`publish` has made it, has one or two files damaged, and is given to one command that reads it.

Counted are tracebacks, answers that took more than 5 s (of this process, whatever else the machine does; or
60 s by the clock), and numbers that changed without a word: settings of an accepted file that are not what
the file says; a report that differs and names nothing. Each is printed with its number, by which
`--only NUMBER` makes it again. The address space is limited, so that a mutated width does not take the whole
machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "inputs"))

import subjects  # noqa: E402

SLOW_SECONDS, HANGING_SECONDS = 5.0, 60.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--results", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first of each")
    parser.add_argument("--only", type=int, help="just this number, with all that it prints")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many for each kind")
    parser.add_argument("--gigabytes", type=float, default=8.0)
    chosen = parser.parse_args()
    size = int(chosen.gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    with tempfile.TemporaryDirectory() as name:
        os.environ["BOTTLENECK_LAB_CACHE"] = str(Path(name) / "cache")
        os.chdir(name)
        _count("experiment files", subjects.experiments(Path(name)), chosen.experiments, chosen)
        _count("damaged results", subjects.damaged_results(Path(name)), chosen.results, chosen)


def _count(title: str, made: subjects.Subject, count: int, chosen: argparse.Namespace) -> None:
    numbers: Iterator[int] = iter(range(chosen.first, chosen.first + count))
    if chosen.only is not None:
        numbers = iter([chosen.only] if count else [])
    found: Counter[str] = Counter()
    slowest, done, begin = 0.0, 0, time.monotonic()
    for number in numbers:
        words, ended, silent = made(number)
        done += 1
        slow = ended.seconds > SLOW_SECONDS or ended.waited > HANGING_SECONDS
        slowest = max(slowest, ended.seconds)
        problems = {
            "tracebacks": ended.traceback,
            "slow answers": f"{ended.seconds:.1f} s, {ended.waited:.1f} s by the clock" if slow else None,
            "silent changes": silent,
        }
        found[f"exit code {ended.code}" if ended.traceback is None else "no exit code"] += 1
        for kind, what in problems.items():
            if what is not None:
                found[kind] += 1
                print(f"{title} {number}: {kind}: {' '.join(words)[:300]}\n{what[-1500:]}", flush=True)
        if chosen.only is not None:
            print(" ".join(words)[:2000], ended.said[-3000:], f"{ended.seconds:.2f} s", sep="\n")
        if done % 500 == 0:
            print(f"{title}: {done} after {time.monotonic() - begin:.0f} s", flush=True)
        if time.monotonic() - begin > 60 * chosen.minutes:
            break
    said = ", ".join(f"{what}: {times}" for what, times in sorted(found.items()))
    print(
        f"{title}: {done}; {said}; slowest {slowest:.1f} s, in all {time.monotonic() - begin:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
