"""The exception and the warning that users are meant to see, and the file system's refusals as sentences."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LabError(Exception):
    """What went wrong, where, and what to do about it, in a sentence or two.

    Raised for anything a user can cause: a misspelt key, missing data, an impossible shape. The command
    line prints its text without a traceback and exits with code 2.
    """


class LabWarning(UserWarning):
    """What must be known of a run that is made from Python without showing anything."""


# What can be done about it, by what the file system says.
_REMEDIES: dict[tuple[int, ...], str] = {
    (errno.ENOSPC, errno.EDQUOT): "make room, or choose another place",
    (errno.EACCES, errno.EPERM): "get the right to it, or choose another place",
    (errno.EROFS,): "nothing can be written there: choose another place",
    (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP): (
        "this file system has no locks, which keep two processes apart: choose a place on another one, as a "
        "disk of this machine, or have its locks turned on"
    ),
    (errno.ENAMETOOLONG,): "choose a shorter name",
    (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP): "choose another place",
    (errno.EMFILE, errno.ENFILE): "too many files are open: allow more (ulimit -n), or lower --workers",
    (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO): "see to the disk, or the network it lies on",
}


def remedy(error: OSError) -> str:
    """What a user can do about what the file system has refused."""
    found = (advice for numbers, advice in _REMEDIES.items() if error.errno in numbers)
    return next(found, "choose another place")


@contextmanager
def writing(place: Path, advice: str = "{remedy}") -> Iterator[None]:
    """Turn what the file system refuses into a sentence that ends in `advice`, with a remedy in it."""
    try:
        yield
    except NotImplementedError as error:  # so filelock says it
        no_locks = OSError(errno.ENOLCK, str(error))
        raise LabError(
            f"{place}: has no locks ({error}); {advice.format(remedy=remedy(no_locks))}"
        ) from error
    except OSError as error:
        what = f"{place}: cannot be written to ({error.strerror or error})"
        raise LabError(f"{what}; {advice.format(remedy=remedy(error))}") from error
