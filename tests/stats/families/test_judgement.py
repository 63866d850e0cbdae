import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from bottleneck_lab.stats import (
    Question,
    beyond_margin_test,
    detectable_effect,
    equivalence_test,
    judge,
    mean_interval,
    seeds_to_decide,
    t_test,
)

CLEARLY_POSITIVE = (0.021, 0.024, 0.022, 0.023, 0.020)
CLEARLY_NEGATIVE = tuple(-value for value in CLEARLY_POSITIVE)
CLEARLY_SMALL = (0.001, -0.001, 0.0005, -0.0005, 0.0002)
WIDELY_SPREAD = (0.03, -0.02, 0.01, -0.03, 0.02)


@pytest.mark.parametrize(
    ("values", "kind", "verdict"),
    [
        (CLEARLY_POSITIVE, "difference", "supported"),
        (CLEARLY_NEGATIVE, "difference", "contradicted"),
        (CLEARLY_SMALL, "difference", "equivalent"),
        (WIDELY_SPREAD, "difference", "inconclusive"),
        (CLEARLY_SMALL, "equivalence", "supported"),
        (CLEARLY_POSITIVE, "equivalence", "contradicted"),
        (CLEARLY_NEGATIVE, "equivalence", "contradicted"),
        (WIDELY_SPREAD, "equivalence", "inconclusive"),
    ],
)
def test_each_kind_of_evidence_has_its_verdict(values, kind, verdict):
    assert judge([Question(values, kind, margin=0.01)])[0].verdict == verdict


def test_a_difference_smaller_than_the_margin_is_still_a_difference():
    values = (0.0021, 0.0024, 0.0022, 0.0023, 0.0020)
    assert judge([Question(values, "difference", margin=0.01)])[0].verdict == "supported"
    assert judge([Question(values, "equivalence", margin=0.01)])[0].verdict == "supported"


def test_a_single_claim_reports_students_numbers(student_sleep):
    judgement = judge([Question(student_sleep, "difference", margin=0.5)])[0]
    assert judgement.estimate == pytest.approx(1.58)
    assert judgement.ci_low == pytest.approx(0.7001142, abs=5e-8)
    assert judgement.ci_high == pytest.approx(2.4598858, abs=5e-8)
    assert judgement.p_value == judgement.p_holm == pytest.approx(0.002833, abs=5e-7)
    assert judgement.n_seeds == 10
    assert judgement.verdict == "supported"


def test_a_difference_that_stands_alone_falls_among_enough_other_claims(student_sleep):
    # p = 0.0028 alone; among 20 claims Holm asks for 0.0025.
    sleep, noise = Question(student_sleep, "difference", 0.1), Question(WIDELY_SPREAD, "difference", 0.001)
    judgement = judge([sleep] + 19 * [noise])[0]
    assert judgement.p_holm == pytest.approx(20 * 0.002833, abs=20 * 5e-7)
    assert judgement.verdict == "inconclusive"


def test_the_interval_is_not_adjusted_for_the_number_of_claims(student_sleep):
    questions = 6 * [Question(student_sleep, "difference", 0.5)]
    interval = mean_interval(student_sleep)
    assert all((j.ci_low, j.ci_high) == (interval.low, interval.high) for j in judge(questions, alpha=0.01))


def test_differences_and_equivalences_share_the_main_family(student_sleep):
    difference = Question(student_sleep, "difference", 0.5)
    equivalence = Question(WIDELY_SPREAD, "equivalence", 0.05)
    judgements = judge([difference, equivalence])
    assert judgements[0].p_value == t_test(student_sleep)
    assert judgements[1].p_value == equivalence_test(WIDELY_SPREAD, 0.05)
    smaller, larger = sorted(j.p_value for j in judgements)
    assert sorted(j.p_holm for j in judgements) == pytest.approx([2 * smaller, max(2 * smaller, larger)])


def test_the_second_families_are_corrected_among_their_own_kind_only(student_sleep):
    # A margin at which the second p of student_sleep is 0.04: alone it decides, doubled it does not.
    spread = np.std(student_sleep, ddof=1) / np.sqrt(10)
    near = float(1.58 - stats.t.ppf(1 - 0.02, 9) * spread)
    assert beyond_margin_test(student_sleep, near) == pytest.approx(0.04)
    beyond = Question(student_sleep, "equivalence", near)
    assert judge([beyond])[0].verdict == "contradicted"
    assert judge([beyond, Question(WIDELY_SPREAD, "difference", 0.001)])[0].verdict == "contradicted"
    assert judge([beyond, Question(WIDELY_SPREAD, "equivalence", 0.001)])[0].verdict == "inconclusive"

    far = float(stats.t.ppf(1 - 0.04, 4) * np.std(WIDELY_SPREAD, ddof=1) / np.sqrt(5)) + np.mean(
        WIDELY_SPREAD
    )
    assert equivalence_test(WIDELY_SPREAD, far) == pytest.approx(0.04)
    within = Question(WIDELY_SPREAD, "difference", far)
    assert judge([within])[0].verdict == "equivalent"
    assert judge([within, Question(WIDELY_SPREAD, "equivalence", 0.001)])[0].verdict == "equivalent"
    assert judge([within, Question(WIDELY_SPREAD, "difference", 0.001)])[0].verdict == "inconclusive"


@pytest.mark.parametrize("kind", ["difference", "equivalence"])
@pytest.mark.parametrize("values", [(), (0.5,), (0.5, 0.5)])
def test_fewer_than_three_seeds_carry_no_verdict_and_do_not_burden_other_claims(kind, values, student_sleep):
    silent, sleep = judge([Question(values, kind, 0.01), Question(student_sleep, "difference", 0.5)])
    assert silent.estimate == (0.5 if values else None)
    assert (silent.ci_low is None) == (len(values) < 2)
    assert (silent.p_value, silent.p_holm, silent.detectable) == (None, None, None)
    assert (silent.n_seeds, silent.verdict) == (len(values), "inconclusive")
    assert sleep == judge([Question(student_sleep, "difference", 0.5)])[0]


def test_no_claims_have_no_judgements():
    assert judge([]) == []


def test_equal_contrasts_are_judged_by_their_value():
    margin = 0.01
    assert judge([Question((0.0, 0.0, 0.0), "difference", margin)])[0].verdict == "equivalent"
    assert judge([Question((0.02, 0.02, 0.02), "difference", margin)])[0].verdict == "supported"
    assert judge([Question((0.02, 0.02, 0.02), "equivalence", margin)])[0].verdict == "contradicted"


def test_detectable_is_what_the_claim_can_count_on_among_all_claims(student_sleep):
    questions = 4 * [Question(student_sleep, "difference", 0.5)]
    sd = float(np.std(student_sleep, ddof=1))
    assert judge(questions)[0].detectable == pytest.approx(detectable_effect(sd, 10, alpha=0.05 / 4))


def test_a_claim_of_the_detectable_size_is_supported_in_at_least_80_of_100_experiments():
    generator = np.random.default_rng(0)
    size = detectable_effect(1, 5, alpha=0.05 / 3)
    supported = 0
    for _ in range(1000):
        truths = (size, 0, 0)
        questions = [Question(tuple(generator.normal(mean, 1, 5)), "difference", 0.5) for mean in truths]
        supported += judge(questions)[0].verdict == "supported"
    assert supported / 1000 > 0.8 - 0.03


def family_wise_rate(claims, wrong_verdicts, n_experiments=1500, n_seeds=5):
    """How often any claim gets a wrong verdict: (true mean, kind, margin) each, sd 1, one variant shared."""
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(n_experiments):
        baseline = generator.normal(0, np.sqrt(0.5), n_seeds)
        questions = [
            Question(tuple(mean + generator.normal(0, np.sqrt(0.5), n_seeds) - baseline), kind, margin)
            for mean, kind, margin in claims
        ]
        wrong += any(judgement.verdict in wrong_verdicts for judgement in judge(questions))
    return wrong / n_experiments


SIMULATION_ERROR = 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_where_nothing_differs_a_difference_is_found_in_at_most_5_of_100_ablations():
    claims = 4 * [(0, "difference", 0.5)]
    assert family_wise_rate(claims, {"supported", "contradicted"}) < 0.05 + SIMULATION_ERROR


def test_where_differences_sit_at_the_margin_equivalence_is_found_in_at_most_5_of_100_ablations():
    claims = [(1.5, "difference", 1.5), (-1.5, "difference", 1.5)]
    assert family_wise_rate(claims, {"equivalent"}) < 0.05 + SIMULATION_ERROR


def test_equivalence_claims_at_the_margin_are_supported_in_at_most_5_of_100_ablations():
    claims = [(2, "equivalence", 2), (-2, "equivalence", 2), (2, "equivalence", 2)]
    assert family_wise_rate(claims, {"supported"}) < 0.05 + SIMULATION_ERROR


def test_equivalence_claims_that_hold_are_contradicted_in_at_most_5_of_100_ablations():
    claims = [(0.1, "equivalence", 0.1), (-0.1, "equivalence", 0.1), (0, "equivalence", 0.1)]
    assert family_wise_rate(claims, {"contradicted"}) < 0.05 + SIMULATION_ERROR


@pytest.mark.parametrize(
    ("kind", "margin", "complaint"),
    [
        ("equivalent", 0.1, "got 'equivalent'"),
        ("difference", 0, "got 0"),
        ("equivalence", float("nan"), "got nan"),
    ],
)
def test_a_question_that_cannot_be_judged_cannot_be_asked(kind, margin, complaint):
    with pytest.raises(ValueError, match=complaint):
        Question((0.1, 0.2), kind, margin)


@pytest.mark.parametrize("alpha", [0, 0.5, 5])
def test_alpha_is_a_small_probability(alpha):
    with pytest.raises(ValueError, match=f"got {alpha}"):
        judge([], alpha)


def contrasts(mean, sd, n):
    """Values with exactly this mean and standard deviation."""
    spread = np.linspace(-1, 1, n)
    return tuple(mean + sd * spread / spread.std(ddof=1))


@pytest.mark.parametrize("kind", ["difference", "equivalence"])
@given(
    mean=st.floats(-0.03, 0.03),
    sd=st.floats(0.002, 0.03),
    others=st.lists(st.sampled_from(["difference", "equivalence"]), max_size=11),
)
def test_seeds_to_decide_is_the_first_number_with_which_judge_would(kind, mean, sd, others):
    margin = 0.01
    assume(abs(mean) > 0.002)
    assume(abs(abs(mean) - margin) > 0.002)
    nothing = [Question((-1.0, 0.0, 1.0), other, margin) for other in others]  # p = 1, or nearly so

    def verdict(n):
        return judge([Question(contrasts(mean, sd, n), kind, margin), *nothing])[0].verdict

    n = seeds_to_decide(kind, mean, sd, margin, 1 + len(others), 1 + others.count(kind))
    assert verdict(n) != "inconclusive"
    assert n == 3 or verdict(n - 1) == "inconclusive"


@pytest.mark.parametrize(
    ("kind", "estimate"), [("equivalence", 0.01), ("equivalence", -0.01), ("equivalence", 0.01 + 1e-9)]
)
def test_on_the_border_between_two_verdicts_no_number_of_seeds_decides(kind, estimate):
    assert seeds_to_decide(kind, estimate, sd=0.01, margin=0.01, claims=1, of_kind=1) is None
