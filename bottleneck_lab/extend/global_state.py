"""What one file can change for a whole process: precision, threads, chance, locale, folder.

Results depend on it, and no run's settings speak of it. So whatever comes from outside has to leave it alone.
"""

from __future__ import annotations

import contextlib
import functools
import locale
import os
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bottleneck_lab.errors import LabError

# Environment variables that numbers, or the places where we look, depend on.
_VARIABLES = (
    "BOTTLENECK_LAB_", "CUBLAS_", "CUDA_VISIBLE_", "MKL_", "NVIDIA_TF32_", "OMP_", "OPENBLAS_",
    "PYTHONHASHSEED", "TORCH_", "XDG_CACHE_HOME",
)  # fmt: skip


class ChangedError(LabError):
    """Something from outside has changed what holds for the whole process."""


@dataclass(frozen=True)
class _State:
    """Something that is set for the whole process: what it is called, how it is looked up and put back."""

    name: str
    get: Callable[[], Any]
    put: Callable[[Any], object]


def _attribute(owner: Any, name: str, called: str) -> _State | None:
    """A flag of one of torch's backends; None where this version of torch has none of that name."""
    if not hasattr(owner, name):
        return None
    return _State(
        f"torch.backends.{called}.{name}", lambda: getattr(owner, name), lambda v: setattr(owner, name, v)
    )


@functools.cache
def _settings() -> tuple[_State, ...]:
    """What results depend on. Importing torch is part of it: else its own values would not be known."""
    import numpy as np
    import torch

    backends = torch.backends
    flags = [
        *(_attribute(backends.cudnn, name, "cudnn") for name in ("enabled", "benchmark", "deterministic")),
        *(
            _attribute(backends.cuda.matmul, f"allow_{name}", "cuda.matmul")
            for name in ("fp16_reduced_precision_reduction", "bf16_reduced_precision_reduction")
        ),
        *(_attribute(backends.mkldnn, name, "mkldnn") for name in ("enabled", "deterministic")),
    ]
    return (
        _State("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
        _State("torch's default device", torch.get_default_device, _put_device),
        _State("torch's gradients", torch.is_grad_enabled, torch.set_grad_enabled),
        _State("torch's threads", torch.get_num_threads, torch.set_num_threads),
        _State("torch's interop threads", torch.get_num_interop_threads, _put_interop_threads),
        _State(
            "torch's deterministic mode",
            torch.get_deterministic_debug_mode,
            torch.set_deterministic_debug_mode,
        ),
        _State(
            "torch's precision of matrix products",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
        ),
        _State("torch's anomaly detection", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        _State(
            "torch's autocast",
            lambda: torch.is_autocast_enabled("cuda"),
            lambda v: torch.set_autocast_enabled("cuda", v),
        ),
        _State(
            "torch's autocast on CPUs",
            lambda: torch.is_autocast_enabled("cpu"),
            lambda v: torch.set_autocast_enabled("cpu", v),
        ),
        _State("torch's flushing of denormal numbers", _flushes_denormals, torch.set_flush_denormal),
        *(flag for flag in flags if flag is not None),
        _State("numpy's handling of errors", np.geterr, lambda v: np.seterr(**v)),
        _State("numpy's print options", np.get_printoptions, lambda v: np.set_printoptions(**v)),
        _State(
            "the locale",
            lambda: locale.setlocale(locale.LC_ALL),
            functools.partial(locale.setlocale, locale.LC_ALL),
        ),
        _State("the working directory", os.getcwd, os.chdir),
        _State("the environment", _variables, _put_variables),
    )


def _chance() -> tuple[_State, ...]:
    """What may be changed without a word, since every run seeds it, or nothing depends on it: put back."""
    import numpy as np
    import torch

    return (
        _State("torch's chance", torch.get_rng_state, torch.set_rng_state),
        _State("numpy's chance", np.random.get_state, np.random.set_state),
        _State("Python's chance", random.getstate, random.setstate),
        _State(
            "warnings", lambda: warnings.filters[:], _put_filters
        ),  # libraries add to it as they are imported
    )


@contextlib.contextmanager
def left_alone() -> Iterator[None]:
    """Put back what something from outside changes inside of this, and refuse it.

    Raises:
        ChangedError: naming everything that was changed, in words that go on from the name of who did it.
    """
    settings = [(state, state.get()) for state in _settings()]
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
    changed = []
    for state, before in settings:
        now = state.get()
        if now != before:
            changed.append(f"{state.name} ({_shown(before, now)})")
            state.put(before)
    if changed and (error is None or isinstance(error, Exception)):  # which may well come of the change
        raise ChangedError(
            f"changes {', '.join(changed)} for the whole process, and so the results of runs that do not use "
            "it; leave that out"
        ) from error
    if error is not None:
        raise error


@contextlib.contextmanager
def chance_left_alone() -> Iterator[None]:
    """Put back, after this, every global source of random numbers, and the filters of warnings."""
    states = [(state, state.get()) for state in _chance()]
    try:
        yield
    finally:
        for state, before in states:
            state.put(before)


def seed_everything(seed: int) -> None:
    """Seed every global source of random numbers: what was added may draw from any of them."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _shown(before: Any, now: Any) -> str:
    if isinstance(before, dict):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return ", ".join(f"{key}: {before.get(key)} to {now.get(key)}" for key in keys)
    return f"{before} to {now}"


def _put_device(device: Any) -> None:
    import torch

    torch.set_default_device(None if device == torch.device("cpu") else device)


def _put_interop_threads(count: int) -> None:
    import torch

    with contextlib.suppress(RuntimeError):  # which can be set once only
        torch.set_num_interop_threads(count)


def _flushes_denormals() -> bool:
    import torch

    return bool((torch.tensor([1e-310], dtype=torch.float64, device="cpu") * 1.0).item() == 0)


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}


def _put_variables(before: dict[str, str]) -> None:
    for name in _variables().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _put_filters(before: list[Any]) -> None:
    if warnings.filters != before:
        warnings.filters[:] = before  # type: ignore[index]
        getattr(warnings, "_filters_mutated", lambda: None)()
