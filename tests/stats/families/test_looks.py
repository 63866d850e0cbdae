import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottleneck_lab.stats import (
    Claimed,
    betting_interval,
    detectable_effect,
    far_from_normal,
    judge_family,
    mean_interval,
    planned_looks,
)

CLEAR = (0.021, 0.024, 0.022, 0.023, 0.020, 0.021, 0.024, 0.022)
SMALL = (0.001, -0.001, 0.0005, -0.0005, 0.0002, 0.001, -0.001, 0.0)
SPREAD = (0.03, -0.02, 0.01, -0.03, 0.02, 0.01, -0.02, 0.0)
ONCE = planned_looks([8])
values = st.lists(st.floats(-0.05, 0.05).map(lambda x: round(x, 3)), min_size=12, max_size=12).map(tuple)
claims = st.builds(
    Claimed,
    values,
    st.sampled_from(["difference", "equivalence"]),
    st.sampled_from([0.01, 0.05]),
    st.sampled_from([1.0, 4.0]),
    st.sampled_from([None, (-0.05, 0.05)]),
)


@given(seeds=st.sets(st.integers(1, 200), min_size=1, max_size=6).map(sorted))
def test_shares_of_looks_increase_and_sum_to_one(seeds):
    looks = planned_looks(seeds)
    assert [look.seeds for look in looks] == seeds
    assert sum(look.share for look in looks) == pytest.approx(1)
    assert all(later.share > look.share for look, later in itertools.pairwise(looks))


@pytest.mark.parametrize("seeds", [[], [0, 4], [4, 4], [8, 4]])
def test_looks_come_after_more_and_more_seeds(seeds):
    with pytest.raises(ValueError, match="increasing"):
        planned_looks(seeds)


@pytest.mark.parametrize(
    ("values", "kind", "verdict"),
    [
        (CLEAR, "difference", "supported"),
        (tuple(-value for value in CLEAR), "difference", "contradicted"),
        (SMALL, "difference", "equivalent"),
        (SPREAD, "difference", "inconclusive"),
        (SMALL, "equivalence", "supported"),
        (CLEAR, "equivalence", "contradicted"),
        (SPREAD, "equivalence", "inconclusive"),
    ],
)
@pytest.mark.parametrize("bounds", [None, (-0.03, 0.03)])
def test_each_kind_of_evidence_has_its_verdict(values, kind, verdict, bounds):
    repeated = 20 * values if bounds and values != SPREAD else values
    claim = Claimed(repeated, kind, 0.01, bounds=bounds)
    assert judge_family([claim], planned_looks([len(repeated)]))[0].verdict == verdict


def test_one_claim_looked_at_once_is_students_test_at_half_of_alpha(student_sleep):
    judged = judge_family([Claimed(student_sleep, "difference", 0.5)], planned_looks([10]))[0]
    assert judged.p_value == pytest.approx(0.002833, abs=5e-7)
    assert judged.p_holm == 2 * judged.p_value
    assert judged.level == pytest.approx(0.975)
    interval = mean_interval(student_sleep, 0.975)
    assert (judged.ci_low, judged.ci_high) == pytest.approx((interval.low, interval.high))
    assert judged.detectable == pytest.approx(
        detectable_effect(np.std(student_sleep, ddof=1), 10, alpha=0.025)
    )


def test_a_look_spends_its_share_and_no_more(student_sleep):
    # p = 0.0028: twice that is below 5 %, but a first look of 10 seeds out of 10 and 100 has an eleventh.
    claim = Claimed(student_sleep, "difference", 0.01)
    judged = judge_family([claim], planned_looks([10, 100]))[0]
    assert judged.p_holm == pytest.approx(11 * 2 * 0.002833, abs=1e-5)
    assert (judged.verdict, judged.look) == ("inconclusive", 1)


def test_bets_need_no_share_since_they_hold_at_all_looks_together():
    claim = Claimed(40 * (0.4, 0.5), "difference", 0.01, bounds=(-1.0, 1.0))
    once, often = (judge_family([claim], planned_looks(seeds))[0] for seeds in ([20], [20, 40, 80]))
    assert once.p_holm == often.p_holm
    assert (once.ci_low, once.ci_high) == (often.ci_low, often.ci_high)


@given(family=st.lists(claims, min_size=1, max_size=4), changed=values)
@settings(max_examples=40)
def test_what_comes_after_the_deciding_look_changes_nothing(family, changed):
    looks = planned_looks([4, 8, 12])
    for reached in (1, 2):
        before = judge_family(family, looks[:reached])
        seeds = looks[reached - 1].seeds
        other = [dataclasses.replace(each, values=each.values[:seeds] + changed[seeds:]) for each in family]
        for one, after in zip(before, judge_family(other, looks), strict=True):
            assert after == one or one.verdict == "inconclusive"


@given(family=st.lists(claims, min_size=1, max_size=4))
@settings(max_examples=40)
def test_the_interval_shows_the_verdict(family):
    for claim, judged in zip(family, judge_family(family, planned_looks([6, 12])), strict=True):
        low, high, margin = judged.ci_low, judged.ci_high, claim.margin
        is_within, is_beyond = -margin < low and high < margin, low > margin or high < -margin
        shown = {
            "difference": {"supported": low > 0, "contradicted": high < 0, "equivalent": is_within},
            "equivalence": {"supported": is_within, "contradicted": is_beyond},
        }[claim.kind]
        if judged.verdict == "inconclusive":
            assert not any(shown.values()) or low == high
        else:
            assert shown[judged.verdict]
        of_main = {"difference": ("supported", "contradicted"), "equivalence": ("supported",)}[claim.kind]
        assert (judged.p_holm < 0.05) == (judged.verdict in of_main)


def test_a_claim_with_more_weight_is_decided_where_an_equal_one_is_not(student_sleep):
    # p = 0.0028; among 12 equal claims alpha / 2 / 12 = 0.0021, with 4 of 15 parts it is 0.0067.
    others = 11 * [Claimed(10 * (1.0, -1.0), "difference", 0.01)]
    light, heavy = (
        judge_family([Claimed(student_sleep, "difference", 0.5, weight), *others], planned_looks([10]))[0]
        for weight in (1.0, 4.0)
    )
    assert (light.verdict, heavy.verdict) == ("inconclusive", "supported")
    assert heavy.p_holm == pytest.approx(2 * 15 / 4 * 0.002833, abs=1e-5)


@pytest.mark.parametrize("lost", [(*CLEAR[:7], None), CLEAR[:7], CLEAR[:3]])
def test_a_claim_without_a_pair_has_no_verdict_and_burdens_the_others_all_the_same(lost, student_sleep):
    looks = planned_looks([8])
    sleep = Claimed(student_sleep[:8], "difference", 0.5)
    missing, judged = judge_family([Claimed(lost, "difference", 0.01), sleep], looks)
    assert (missing.verdict, missing.p_value, missing.look) == ("inconclusive", None, None)
    noise = Claimed(SPREAD, "difference", 0.001)
    assert judged == judge_family([noise, sleep], looks)[1]


def test_what_is_missing_can_only_add_verdicts_when_it_comes():
    looks = planned_looks([4, 8])
    before = judge_family([Claimed(CLEAR, "difference", 0.01), Claimed(CLEAR[:3], "difference", 0.01)], looks)
    after = judge_family([Claimed(CLEAR, "difference", 0.01), Claimed(CLEAR, "difference", 0.01)], looks)
    assert before[0].verdict == after[0].verdict == "supported"


def test_three_seeds_are_too_few_for_a_look_to_decide():
    claim = Claimed((0.5, 0.5, 0.5, *SPREAD[3:]), "difference", 0.001)
    first, last = (judge_family([claim], planned_looks([3, 8])[:reached])[0] for reached in (1, 2))
    assert (first.look, first.verdict) == (None, "inconclusive")
    assert last.look == 2


def test_no_claims_have_no_judgements():
    assert judge_family([], ONCE) == []


@pytest.mark.parametrize("alpha", [0, 0.5])
def test_alpha_is_a_small_probability(alpha):
    with pytest.raises(ValueError, match=f"got {alpha}"):
        judge_family([], ONCE, alpha)


@pytest.mark.parametrize(("kind", "margin"), [("equal", 0.1), ("difference", 0.0)])
def test_a_claim_that_cannot_be_judged_cannot_be_asked(kind, margin):
    with pytest.raises(ValueError, match="got"):
        Claimed((0.1,), kind, margin)


def test_contrasts_of_which_one_failed_are_far_from_normal_and_normal_ones_are_not():
    generator = np.random.default_rng(0)
    assert far_from_normal((*SMALL, 0.25))
    assert not far_from_normal((0.0, 0.0, 0.25))  # three cannot tell
    assert not far_from_normal(8 * (0.25,))
    called = sum(far_from_normal(tuple(generator.normal(size=12))) for _ in range(500))
    assert called / 500 < 0.01 + 3 * np.sqrt(0.01 * 0.99 / 500)


def wrong_families(draw, truths, looks, n_experiments=400):
    """How often any claim of a family gets a wrong verdict: (kind, true mean, margin) each."""
    generator, wrong = np.random.default_rng(0), 0
    for _ in range(n_experiments):
        family = [
            Claimed(tuple(mean + draw(generator, looks[-1].seeds)), kind, margin)
            for kind, mean, margin in truths
        ]
        wrong += any(
            verdict_is_wrong(truth, judged.verdict)
            for truth, judged in zip(truths, judge_family(family, looks), strict=True)
        )
    return wrong / n_experiments


def verdict_is_wrong(truth, verdict):
    kind, mean, margin = truth
    right = {
        "difference": {"supported": mean > 0, "contradicted": mean < 0, "equivalent": abs(mean) < margin},
        "equivalence": {"supported": abs(mean) < margin, "contradicted": abs(mean) > margin},
    }[kind]
    return not right.get(verdict, True)


@pytest.mark.parametrize("seeds", [[8], [4, 8, 16]])
@pytest.mark.parametrize(
    "truths",
    [
        6 * [("difference", 0.0, 0.5)],
        # At margins into which the interval fits twice, one claim after the other is rightly found different,
        # and each could be called equivalent by mistake: so those that are decided must stay in that family.
        6 * [("difference", 1.6, 1.6)],
        3 * [("difference", 0.0, 0.5), ("equivalence", 1.6, 1.6)],
    ],
)
def test_in_at_most_5_of_100_families_any_verdict_is_wrong(truths, seeds):
    wrong = wrong_families(lambda generator, n: generator.normal(0, 1, n), truths, planned_looks(seeds))
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_the_interval_of_bounded_contrasts_is_that_of_bets():
    values = 4 * (0.4, 0.5, 0.6)
    judged = judge_family([Claimed(values, "difference", 0.01, bounds=(-1.0, 1.0))], planned_looks([12]))[0]
    interval = betting_interval(values, (-1.0, 1.0), judged.level)
    assert (judged.ci_low, judged.ci_high) == (interval.low, interval.high)
