"""One file from the first of several sources that has it: resumed, checked, and done by a deadline.

The network belongs to a thread that hands over what it receives and touches nothing else. The caller waits
for it with a time limit, so that nothing can hold the caller up: a socket's own timeout does not cover the
look-up of a name, and begins anew with every byte.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from bottleneck_lab.errors import LabError

Progress = Callable[[int, int | None], None]  # bytes there so far, bytes in all

_CHUNK = 1 << 14  # bytes; what is lost at most when a source stalls or the time is up
_ROUNDS = 4  # how often one source is asked that breaks off but had something new each time


def download(
    sources: Sequence[str],
    path: Path,
    *,
    size: int,
    md5: str,
    until: float = math.inf,
    stall_s: float = 30.0,
    progress: Progress | None = None,
) -> None:
    """Bring `path` to the content that has `size` bytes and checksum `md5`, from the first source that can.

    Bytes already at `path` are continued, whichever source they came from, and stay there for the next call
    if this one fails. A source that does not know HTTP ranges writes over them from the start. Content with
    another size or checksum never stays.

    `until` is a time of `time.monotonic` in seconds; it bounds everything but the checksum of a finished
    file. `stall_s` is how long a source may send nothing; with a deadline, a silent source gets at most an
    equal share of the time that is left, so that the sources after it are asked too. `progress` is called
    with the number of bytes there so far and `size`; the former falls when a source starts over.

    Raises LabError with one line for each source, and OSError where `path` cannot be written.
    """
    if path.is_file() and path.stat().st_size >= size:
        if md5_of(path) == md5:
            return
        path.unlink()
    reasons: dict[str, str] = {}
    asked = list(sources)
    for _ in range(_ROUNDS):
        again = []
        for already_asked, url in enumerate(asked):
            patience_s = min(stall_s, (until - time.monotonic()) / (len(asked) - already_asked))
            if patience_s <= 0:
                reasons.setdefault(url, "not asked, the time was up")
                continue
            try:
                _transfer(url, path, size, md5, patience_s, until, progress)
                return
            except _SourceFailedError as failure:
                reasons[url] = str(failure)
                if failure.worth_another_try:
                    again.append(url)
        asked = again
    raise LabError("\n".join(f"  {url}: {reasons[url]}" for url in sources))


def md5_of(path: Path) -> str:
    """Return the md5 checksum of a file's content as 32 hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class _SourceFailedError(Exception):
    """Why one source did not give the file, in a few words."""

    def __init__(self, reason: str, *, worth_another_try: bool = False) -> None:
        super().__init__(reason)
        self.worth_another_try = worth_another_try


@dataclass(frozen=True)
class _Answer:
    """What a server says before it sends the content; the names of headers may be in any case."""

    status: int
    reason: str
    headers: Mapping[str, str]


_Received = _Answer | bytes | Exception  # an answer, then pieces of content, then b"" or what went wrong


def _transfer(
    url: str, path: Path, size: int, md5: str, patience_s: float, until: float, progress: Progress | None
) -> None:
    """Continue `path` to its end from one source, and drop it if it is not what was asked for."""
    have = path.stat().st_size if path.is_file() else 0
    received: SimpleQueue[_Received] = SimpleQueue()
    abandoned = Event()

    def wait() -> _Received:
        try:
            return received.get(timeout=max(0.0, min(patience_s, until - time.monotonic())))
        except Empty:
            return TimeoutError(
                f"silent or too slow for {patience_s:.3g} s"
                if time.monotonic() < until
                else "the time was up"
            )

    # The thread's own timeout is the longer one: it only has to end a thread that nobody waits for any more.
    Thread(target=_receive, args=(url, have, 2 * patience_s, received, abandoned), daemon=True).start()
    try:
        start = _start_of_content(wait(), have, size)
        position = start
        with path.open("r+b" if have else "wb") as file:
            file.seek(start)
            while position < size:
                piece = wait()
                if not isinstance(piece, bytes) or not piece:
                    why = f" ({piece})" if isinstance(piece, TimeoutError) else ""
                    reason = f"broke off at {position / 1e6:.1f} of {size / 1e6:.1f} MB{why}"
                    raise _SourceFailedError(reason, worth_another_try=position > have)
                position += file.write(piece[: size - position])
                if progress:
                    progress(position, size)
    finally:
        abandoned.set()
    if md5_of(path) != md5:
        path.unlink()
        if start == 0:
            raise _SourceFailedError("wrong content (its md5 differs)")
        # The bytes from before may be the wrong ones, and these right: once more, without those.
        _transfer(url, path, size, md5, patience_s, until, progress)


def _start_of_content(answer: _Received, have: int, size: int) -> int:
    """Return the position of the first byte that follows, which is 0 from a server that ignores ranges."""
    if isinstance(answer, TimeoutError):
        raise _SourceFailedError(str(answer))
    if not isinstance(answer, _Answer):
        raise _SourceFailedError(f"not reached ({_root_cause(answer)})")
    if answer.status not in (200, 206):
        raise _SourceFailedError(f"HTTP {answer.status} {answer.reason}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _SourceFailedError("wrong content (a web page)")
    if answer.status == 200:
        start, total = 0, answer.headers.get("Content-Length", "")
    else:
        content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if content_range is None or int(content_range[1]) != have:
            raise _SourceFailedError("answered with another range than the one asked for")
        start, total = have, content_range[2]
    if total.isdecimal() and int(total) != size:
        raise _SourceFailedError(f"wrong content ({total} bytes instead of {size})")
    return start


def _receive(
    url: str, have: int, timeout_s: float, received: SimpleQueue[_Received], abandoned: Event
) -> None:
    """Hand over what a server sends, to be run in a thread; the queue holds at most the rest of the file."""
    try:
        import requests  # here, because reading images that are already there must not pay for it

        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=timeout_s) as response:
            received.put(_Answer(response.status_code, response.reason, response.headers))
            # Undecoded: to some servers a .tar.gz is a gzip-encoded .tar, but the checksum is the .tar.gz's.
            for piece in response.raw.stream(_CHUNK, decode_content=False):
                if abandoned.is_set():
                    return
                received.put(piece)
        received.put(b"")
    except Exception as error:  # whatever it is, it is the caller who has to know
        received.put(error)


def _root_cause(error: object) -> str:
    """Return what the operating system or TLS said, which lies below several layers of wrapping."""
    while isinstance(error, BaseException) and (deeper := error.__cause__ or error.__context__):
        error = deeper
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
