"""Do planned looks need fewer seeds than a fixed number of them with the same chance of a verdict?

    python benchmarks/fixed_or_planned.py 2000     # made-up families for each number; a minute

Contrasts are normal. The fixed design is the smallest that decides as many claims as the looks do: an
advantage that nobody has who does not know the effect beforehand.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bottleneck_lab.stats import Claimed, decide_family, planned_looks

LOOKS = (4, 8, 16)
EFFECTS = {  # of each claim of a family, in standard deviations of its contrast
    "one claim, 0.8": (0.8,),
    "one claim, 1": (1.0,),
    "one claim, 1.5": (1.5,),
    "one claim, 2": (2.0,),
    "one claim, 3": (3.0,),
    "12 claims, all 1.5": (1.5,) * 12,
    "12 claims, all 3": (3.0,) * 12,
    "12 claims, six 3 and six 1": (3.0,) * 6 + (1.0,) * 6,
    "12 claims, eleven 4 and one 1.2": (4.0,) * 11 + (1.2,),
}
MOST = LOOKS[-1] + 4


def made_up(effects: Sequence[float], families: int) -> NDArray[np.float64]:
    """Contrasts `[families, claims, seeds]` of standard deviation 1."""
    generator = np.random.default_rng(zlib.crc32(repr(effects).encode()))
    noise = generator.normal(0, 1, (families, len(effects), MOST))
    return noise + np.array(effects)[None, :, None]


def decided(contrasts: NDArray[np.float64], looks: Sequence[int]) -> tuple[float, float]:
    """The share of claims that are decided, and after how many seeds, open ones too, on average."""
    planned, last = planned_looks(looks), looks[-1]
    found, seeds = 0, 0
    for family in contrasts:
        claims = [Claimed(tuple(values[:last]), "difference", 0.1) for values in family]
        for verdict, after in decide_family(claims, planned):
            found += verdict != "inconclusive"
            seeds += last if verdict == "inconclusive" else after
    claims_in_all = contrasts.shape[0] * contrasts.shape[1]
    return found / claims_in_all, seeds / claims_in_all


def main() -> None:
    """Print the table."""
    families = int(sys.argv[1])
    print("effects | decided by looks | seeds on average | fixed seeds for as much | ratio")
    for name, effects in EFFECTS.items():
        contrasts = made_up(effects, max(1, math.ceil(families / len(effects))))
        power, seeds = decided(contrasts, LOOKS)
        fixed = next((n for n in range(4, MOST + 1) if decided(contrasts, (n,))[0] >= power), None)
        ratio = "" if fixed is None else f"{seeds / fixed:.2f}"
        print(f"{name} | {power:.3f} | {seeds:.1f} | {fixed} | {ratio}", flush=True)


if __name__ == "__main__":
    main()
