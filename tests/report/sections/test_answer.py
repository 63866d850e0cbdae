"""How a claim is told in one sentence."""

import dataclasses

import pytest

from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.sentences import verdicts


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((-0.116, -0.017), "-6.7 points [-11.6, -1.7]."),
        ((-0.116, 0.017), "-6.7 points [-11.6, +1.7]."),
        ((None, None), "-6.7 points."),
    ],
)
def test_a_claim_is_told_with_both_ends_of_its_interval_or_none(leave_runs, ends, told):
    claim = summarise(collect(leave_runs())).claims[0]
    low, high = ends
    found = dataclasses.replace(claim, estimate=-0.067, ci_low=low, ci_high=high)
    assert verdicts.found(found).endswith(told)
