"""Where a result comes from: versions, commit, machine."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import bottleneck_lab

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pydantic")


@functools.cache
def environment(device: str) -> dict[str, object]:
    """Versions, git commit, processor, threads: all that a result can depend on besides its settings."""
    import torch

    return {
        "bottleneck_lab": bottleneck_lab.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu": _processor(),
        "device": device,
        "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "threads": torch.get_num_threads(),
    }


def data_difference(planned: Mapping[str, str], found: Mapping[str, object]) -> str | None:
    """How data differ from those that were planned: `md5 of NAME is ..., not ...`; None if nothing shows it.

    What only one of them knows is no difference: files may be missing, or not have been looked at.
    """
    for name, digest in planned.items():
        if name in found and found[name] != digest:
            return f"md5 of {name} is {found[name]}, not {digest}"
    return None


def _commit() -> str | None:
    """The commit of the checkout that this package runs from, with `+` if files were changed since."""
    here = Path(bottleneck_lab.__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _leads_git_elsewhere(variable: str) -> bool:
    """Whether git would look at another repository, index or store of objects than the folder's own."""
    return variable.startswith("GIT_") and not variable.startswith(("GIT_CONFIG", "GIT_EXEC_PATH"))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=True,
        timeout=10,
        env={name: value for name, value in os.environ.items() if not _leads_git_elsewhere(name)},
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
