"""Where training happens, and in which precision."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import torch

from bottleneck_lab.config import TrainSettings
from bottleneck_lab.errors import LabError


def find_device(name: str = "auto") -> torch.device:
    """`auto` is the first there is of cuda, mps and cpu.

    Raises:
        LabError: a device that this machine, or this build of torch, does not have.
    """
    there = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if name == "auto":
        return torch.device(next(kind for kind, count in there.items() if count))
    with contextlib.suppress(RuntimeError):  # a name that torch does not know
        device = torch.device(name)
        if (device.index or 0) < there.get(device.type, 0):
            return device
    found = ", ".join(kind for kind, count in there.items() if count)
    raise LabError(f"--device {name}: not available here; there is: {found} (or leave it at auto)")


def settle_process() -> None:
    """Make this process train fast beside others, and alike each time.

    One thread; convolutions on CUDA that give the same bits again; and memory that is freed is kept: glibc
    gives large blocks back to the system as soon as they are freed, and every new one then costs page
    faults, which doubles the time of an evaluation. Other C libraries are left alone.
    """
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Leave torch afterwards with the threads and the choice of convolutions that it had before."""
    threads, deterministic = torch.get_num_threads(), torch.backends.cudnn.deterministic
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = deterministic


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


class Precision:
    """Mixed precision where the device has it: which type, and the loss scaling that float16 needs."""

    def __init__(self, settings: TrainSettings, device: torch.device) -> None:
        self.device = device
        self.dtype = self._dtype(settings.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)

    @staticmethod
    def _dtype(name: str, device: torch.device) -> torch.dtype:
        if name != "auto":
            chosen: torch.dtype = getattr(torch, name)
            return chosen
        if device.type != "cuda":
            return torch.float32
        built_in = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if built_in else torch.float16

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context of a forward pass."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)
