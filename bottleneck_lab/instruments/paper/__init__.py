"""Every table and countable claim of Sandler et al. 2018 beside what is computed here."""

from __future__ import annotations

from bottleneck_lab.instruments.paper import appendix, block, costs
from bottleneck_lab.instruments.paper.row import Row

__all__ = ["CAPTIONS", "NOT_COMPUTED", "Row", "compare_with_paper"]

CAPTIONS = {**block.CAPTIONS, **costs.CAPTIONS, **appendix.CAPTIONS}

NOT_COMPUTED = (
    "Not here: whatever was measured (accuracies, times), NASNet-A, and Tables 5 to 7 (detection and "
    "segmentation)."
)


def compare_with_paper() -> list[Row]:
    """The rows of all tables, in the order of the paper's sections."""
    parts = (
        block.separable_saving,
        block.block_cost,
        block.table_1,
        block.table_2,
        costs.sizes,
        costs.table_3,
        costs.table_4,
        costs.figure_5,
        appendix.appendix,
    )
    return [row for part in parts for row in part()]
