"""How soon a network has learnt its training images by heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FITTED = 0.01  # nats of training loss


def epochs_to_fit(records: Sequence[Mapping[str, Any]]) -> float:
    """The first epoch whose mean training loss is at most `FITTED`; the last one where none is.

    So its mean over runs is a restricted one: what has not ended counts as long as it was looked at.
    """
    fitted = (record["epoch"] for record in records if record["train_loss"] <= FITTED)
    return float(next(fitted, records[-1]["epoch"]))
