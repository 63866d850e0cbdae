"""What is said before a training of the kernel that does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottleneck_lab.config import RunSettings


def say_kernels(runs: Iterable[RunSettings], device: str) -> None:
    """Say what trains the image networks among `runs` on this machine, and why; compile it if need be.

    Raises:
        LabError: `train.kernel = "fused"` where there is no such kernel.
    """
    import torch

    from bottleneck_lab.cli.text import notice, say
    from bottleneck_lab.config import ImageSettings
    from bottleneck_lab.models import fused
    from bottleneck_lab.training.images import build
    from bottleneck_lab.training.kernel import choose_kernel, is_eager_by_choice

    place = torch.device(device)
    kinds = {
        (run.model, run.data, run.train.batch_size, run.train.kernel): run
        for run in runs
        if isinstance(run.data, ImageSettings)
    }
    if all(is_eager_by_choice(run) for run in kinds.values()) or place.type != "cpu":
        return
    if fused.must_be_compiled():
        notice("Compiling the training kernel: once on this machine, about half a minute.")
    told: dict[tuple[str, str], int] = {}
    for run in kinds.values():
        kernel = choose_kernel(run, build(run, place), place)
        key = (kernel.name, kernel.why)
        told[key] = told.get(key, 0) + 1
    for (name, why), count in sorted(told.items(), reverse=True):
        which = "" if len(told) == 1 else f" of {count} networks"
        say(f"  kernel{which}: {name} ({why})")
