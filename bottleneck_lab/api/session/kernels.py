"""What is said before a training of the kernel that does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottleneck_lab.api.session.host import Host
    from bottleneck_lab.config import RunSettings


def say_kernels(runs: Iterable[RunSettings], device: str, host: Host) -> None:
    """Say what trains the image networks among `runs` on this machine's CPU, and why; compile it if need be.

    Nothing is said of what was asked for to be eager, or is on a GPU.

    Raises:
        LabError: `train.kernel = "fused"` where there is no such kernel.
    """
    import torch

    from bottleneck_lab.models import fused
    from bottleneck_lab.training.device import settle_process
    from bottleneck_lab.training.images import build
    from bottleneck_lab.training.kernel import choose_kernel, is_eager_by_choice

    place = torch.device(device)
    kinds = {
        (run.model, run.data, run.train.batch_size, run.train.precision, run.train.kernel): run
        for run in runs
        if run.data.OF_IMAGES and not is_eager_by_choice(run)
    }
    if not kinds or place.type != "cpu":
        return
    settle_process()  # as the processes are that train, so that what is measured holds for them
    compiling = fused.must_be_compiled()
    told: Counter[tuple[str, str]] = Counter()
    for run in kinds.values():
        network = build(run, place)
        if compiling and fused.has_blocks(network):
            host.notice("Compiling the training kernel: once on this machine, about half a minute.")
            compiling = False
        kernel = choose_kernel(run, network, place)
        told[kernel.name, kernel.why] += 1
    for (name, why), count in sorted(told.items(), reverse=True):
        which = "" if len(told) == 1 else f" of {count} networks"
        host.say(f"  kernel{which}: {name} ({why})")
