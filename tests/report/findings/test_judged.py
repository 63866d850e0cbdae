"""Intervals beside verdicts: what they show and what was decided are one thing."""

import pytest
from findings_by_hand import a_claim
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.report.findings.judged import with_intervals_as_judged
from bottleneck_lab.stats import Question, judge

spread = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=6)
values = st.one_of(spread, st.sampled_from([-1.0, 0.0, 0.05, 0.2]).map(lambda x: [x] * 4))  # some all equal
questions = st.builds(
    lambda contrasts, kind, margin: Question(tuple(contrasts), kind, margin),
    values,
    st.sampled_from(["difference", "equivalence"]),
    st.sampled_from([0.05, 0.5, 2.0]),
)


def claims_of(asked):
    """The claims of a summary, as far as intervals go."""
    return [
        a_claim(
            kind=question.kind,
            margin=question.margin,
            estimate=judged.estimate,
            ci_low=judged.ci_low,
            ci_high=judged.ci_high,
            p_value=judged.p_value,
            n_seeds=judged.n_seeds,
            verdict=judged.verdict,
        )
        for question, judged in zip(asked, judge(asked), strict=True)
    ]


@given(st.lists(questions, min_size=1, max_size=6))
def test_an_interval_shows_the_verdict_that_it_stands_beside(asked):
    for claim in with_intervals_as_judged(claims_of(asked)):
        if claim.level is None:
            continue
        low, high, margin = claim.ci_low, claim.ci_high, claim.margin
        off_zero, within = low > 0 or high < 0, -margin < low and high < margin
        beyond = low > margin or high < -margin
        near = min(abs(low), abs(high), abs(high - margin), abs(low + margin)) < 1e-9
        shown = {
            ("difference", "supported"): low > 0,
            ("difference", "contradicted"): high < 0,
            ("difference", "equivalent"): within,
            ("difference", "inconclusive"): not off_zero and not within,
            ("equivalence", "supported"): within,
            ("equivalence", "contradicted"): beyond,
            ("equivalence", "inconclusive"): not within and not beyond,
        }
        assert near or shown[claim.kind, claim.verdict]


def test_one_claim_alone_keeps_its_95_percent_and_an_open_one_says_what_would_decide_it():
    held, is_open = (
        with_intervals_as_judged(claims_of([Question(contrasts, "difference", 0.01)]))[0]
        for contrasts in ((0.1, 0.11, 0.12), (0.1, -0.02, 0.12))
    )
    assert held.level == pytest.approx(0.95)
    assert held.to_decide is None
    assert is_open.to_decide > 3


def test_claims_that_were_judged_by_a_design_or_not_at_all_are_left_as_they_are():
    designed = a_claim(level=0.99, p_value=0.1, ci_low=0.0, ci_high=1.0)
    few = a_claim()
    assert with_intervals_as_judged([designed, few]) == [designed, few]


def test_claims_without_spread_count_among_those_that_were_judged_together():
    tied = Question((0.0, 0.0, 0.0, 0.0), "difference", 0.01)
    is_open, nothing = with_intervals_as_judged(
        claims_of([Question((0.1, 0.14, 0.2, 0.05), "difference", 0.01), tied])
    )
    assert is_open.verdict == "inconclusive"
    assert is_open.ci_low < 0 < is_open.ci_high
    assert is_open.level == pytest.approx(0.975)  # Holm's first of two
    assert is_open.to_decide > 4
    assert nothing.level is None
