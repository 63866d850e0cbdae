"""What the values at a place of a network are spread over, and which of it a grid should cover."""

from __future__ import annotations

import torch
from torch import Tensor

from bottleneck_lab.errors import LabError
from bottleneck_lab.quantise.grids import Grid, grid_between
from bottleneck_lab.quantise.scheme import Activations, Sign

BINS = 2048  # of a histogram
LEFT_OUT = 1e-4  # share of values beyond either end of a range by percentiles
_CANDIDATES = 16  # for each end of a range by mean squared error
_SMALLEST_SHARE = 0.05  # of the largest value that such an end may be at


class Spread:
    """Smallest and largest value, of all and of each channel, and then a histogram between the two."""

    def __init__(self) -> None:
        self.low, self.high = 0.0, 0.0  # 0 is on every grid
        self.channels: tuple[Tensor, Tensor] | None = None  # smallest and largest of each
        self.counts = torch.zeros(BINS, dtype=torch.float64)
        self._grids: dict[Activations, Grid] = {}  # a search takes a while, and schemes share grids

    def see_ends(self, values: Tensor) -> None:
        """First pass: `[n, channels, ...]`."""
        flat = values.detach().float().transpose(0, 1).flatten(1)
        ends = torch.aminmax(flat, dim=1)
        low, high = ends.min.cpu(), ends.max.cpu()
        if not (low.isfinite().all() and high.isfinite().all()):
            raise LabError("some of the values in this network are infinite or NaN, and no grid covers them")
        if self.channels is not None:
            low, high = torch.minimum(low, self.channels[0]), torch.maximum(high, self.channels[1])
        self.channels = low, high
        self.low, self.high = min(self.low, float(low.min())), max(self.high, float(high.max()))

    def see_values(self, values: Tensor) -> None:
        """Second pass, over the same values."""
        if self.high > self.low:
            flat = values.detach().float().flatten().cpu()
            self.counts += torch.histc(flat, BINS, self.low, self.high).double()

    def grid(self, wanted: Activations) -> Grid:
        """The grid that these activations are to have here; all values have been seen."""
        if wanted not in self._grids:
            self._grids[wanted] = self._grid(wanted)
        return self._grids[wanted]

    def _grid(self, wanted: Activations) -> Grid:
        low, high = self.low, self.high
        if high <= low:
            return grid_between(0.0, 0.0, wanted.bits, wanted.sign)
        if wanted.span == "percentile":
            low, high = self._percentiles()
        elif wanted.span == "mse":
            return self._of_least_error(wanted.bits, wanted.sign)
        return grid_between(low, high, wanted.bits, wanted.sign)

    def _percentiles(self) -> tuple[float, float]:
        """The ends of the middle, to the width of a bin."""
        shares = self.counts.cumsum(0) / self.counts.sum()
        edges = torch.linspace(self.low, self.high, BINS + 1, dtype=torch.float64)
        first = int(torch.searchsorted(shares, torch.tensor(LEFT_OUT, dtype=torch.float64)))
        last = int(torch.searchsorted(shares, torch.tensor(1 - LEFT_OUT, dtype=torch.float64)))
        return float(edges[first]), float(edges[min(last + 1, BINS)])

    def _of_least_error(self, bits: int, sign: Sign) -> Grid:
        """The best of 16 grids (256 with two ends to choose) for the values as the histogram has them."""
        shares = torch.logspace(0, torch.log10(torch.tensor(_SMALLEST_SHARE)).item(), _CANDIDATES).tolist()
        if sign == "asymmetric" and self.low < 0 < self.high:
            ends = [(low * self.low, high * self.high) for low in shares for high in shares]
        else:
            ends = [(share * self.low, share * self.high) for share in shares]
        grids = [grid_between(low, high, bits, sign) for low, high in ends]
        width = (self.high - self.low) / BINS
        centres = self.low + width * (torch.arange(BINS) + 0.5)
        seen = self.counts > 0
        centres, counts = centres[seen], self.counts[seen].float()
        numbers = torch.tensor([(g.step, g.zero, g.least, g.most) for g in grids])
        step, zero, least, most = (column[:, None] for column in numbers.unbind(1))
        q = torch.minimum(torch.maximum((centres / step).round() + zero, least), most)
        errors = (((q - zero) * step - centres).square() * counts).sum(1)
        return grids[int(errors.argmin())]
