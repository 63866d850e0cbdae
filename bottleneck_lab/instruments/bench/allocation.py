"""Peak activation memory of what is really executed on a CPU, measured in two ways that check each other."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def allocator_peak(call: Callable[[], object]) -> int:
    """Bytes by which torch's CPU allocator is above its start at most, while `call` runs.

    Counted from the allocator's own record of every block that it gives out and takes back. That holds all
    tensors made, and what kernels ask the allocator for: copies in another layout, oneDNN's scratch memory.
    It does not hold what was there before (weights, the images), nor what libraries get from the system by
    themselves (MKL packs matrices in buffers of its own).
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recording:
        call()
    profiler = recording.profiler
    assert profiler is not None
    events = [
        event
        for event in profiler.kineto_results.events()
        if event.name() == "[memory]" and event.device_type().name == "CPU"
    ]
    above, most = 0, 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        above += event.nbytes()
        most = max(most, above)
    return most


def live_peak(call: Callable[[], object]) -> int:
    """Bytes of the tensors made by `call` and alive at the same time, at most.

    Follows the memory behind every tensor that an operator returns until it is freed. What a kernel needs
    only while it runs is not seen, so this is at most `allocator_peak`, and equal where there is no scratch
    memory. Autograd is off meanwhile.
    """
    tensors = _LiveTensors()
    with torch.no_grad(), tensors:
        call()
    return tensors.most


class _LiveTensors(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._live = 0
        self._alive: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in given and storage not in self._alive:
                self._alive.add(storage)
                self._live += storage.nbytes()
                weakref.finalize(storage, self._free, storage.nbytes())
        self.most = max(self.most, self._live)
        return result

    def _free(self, size: int) -> None:
        self._live -= size


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
