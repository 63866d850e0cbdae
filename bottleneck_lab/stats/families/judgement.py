"""From the per-seed contrasts of an ablation's claims to its verdicts, by rules fixed before any result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bottleneck_lab.stats.families.planning import detectable_effect, seeds_needed
from bottleneck_lab.stats.intervals import mean_interval
from bottleneck_lab.stats.sample import describe
from bottleneck_lab.stats.significance import beyond_margin_test, check_margin, equivalence_test, holm, t_test

Kind = Literal["difference", "equivalence"]
Verdict = Literal["supported", "contradicted", "equivalent", "inconclusive"]

SEEDS_FOR_A_VERDICT = 3


@dataclass(frozen=True)
class Question:
    """One claim and its evidence.

    Args:
        values: the contrast of each seed, in the unit of the margin.
        kind: "difference" claims that the mean contrast is > 0, "equivalence" that it is within ± margin.
        margin: the smallest contrast that matters, written before the results; positive.

    Raises ValueError for another kind or margin.
    """

    values: tuple[float, ...]
    kind: Kind
    margin: float

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"a claim is one of {get_args(Kind)}, got {self.kind!r}")
        check_margin(self.margin)


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on; what too few seeds cannot tell is None.

    Args:
        estimate: the mean contrast over seeds, in the unit of the contrasts.
        ci_low: lower end of its interval; by `judge`, of the 95 % t interval, not adjusted for the claims.
        ci_high: upper end of the same.
        p_value: of the test that could support the claim: two-sided t, or TOST for an equivalence claim;
            None, as are the next and `detectable`, with fewer than `SEEDS_FOR_A_VERDICT`.
        p_holm: the same after Holm's correction over the ablation's claims.
        n_seeds: the number of contrasts.
        detectable: the smallest true contrast that a two-sided t test with this spread and this many seeds
            finds with 80 % power at alpha divided by the number of claims, so whatever the other claims show.
        verdict: by the rules of `judge`, or of `judge_family`.
        level: that of the interval, which only `judge_family` adjusts.
        look: the number of the planned look that this rests on, from 1; None before it, and for `judge`.
    """

    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_holm: float | None
    n_seeds: int
    detectable: float | None
    verdict: Verdict
    level: float = 0.95
    look: int | None = None


def judge(questions: Sequence[Question], alpha: float = 0.05) -> list[Judgement]:
    """Judge all claims of one ablation together, in the order given.

    The rules, where "Holm" is `holm` over the family named and a claim with fewer than three seeds counts
    in no family and is inconclusive:

    1. Every claim has one main p: the two-sided t test of contrast 0 for a difference claim, the two
       one-sided tests of |contrast| >= margin for an equivalence claim. Holm over all claims gives `p_holm`.
    2. A difference claim with `p_holm` < alpha is supported if the estimate is > 0, contradicted if < 0.
       Otherwise it is equivalent if its two one-sided tests, Holm over the difference claims, give < alpha.
       Otherwise it is inconclusive.
    3. An equivalence claim with `p_holm` < alpha is supported. Otherwise it is contradicted if the test of
       |contrast| <= margin, Holm over the equivalence claims, gives < alpha. Otherwise it is inconclusive.

    What this promises, for contrasts that are normal over seeds, whichever claims are true: each of the
    three families (main, equivalent, contradicted equivalence) has a wrong rejection with a chance of at
    most alpha. They are three families: the chance of any wrong verdict of any kind is bounded by their
    sum only. The promise needs a number of seeds that was fixed beforehand, and contrasts fine enough that
    seeds do not tie: without spread every p is 0 or 1. Two seeds on a few hundred held-out images tie by
    chance often enough to break it, hence the three.

    A difference claim can be supported by a contrast smaller than its margin; the estimate and the margin
    tell. The interval is the unadjusted 95 % t interval whatever alpha is.

    Raises ValueError for an alpha outside (0, 0.5) and for a contrast that is not finite.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, got {alpha}")
    p_main = [_main_p(question) for question in questions]
    p_main_holm = holm(p_main)
    p_second_holm = _holm_by_kind(questions, [_second_p(question) for question in questions])
    n_claims = sum(p is not None for p in p_main)
    return [
        _judgement(question, p, p_holm, second, alpha, n_claims)
        for question, p, p_holm, second in zip(questions, p_main, p_main_holm, p_second_holm, strict=True)
    ]


def seeds_to_decide(
    kind: Kind, estimate: float, sd: float, margin: float, claims: float, of_kind: float, alpha: float = 0.05
) -> int | None:
    """With how many seeds `judge` would decide a claim, if what was found were true, at its strictest level.

    Args:
        kind: that of the claim.
        estimate: mean of the per-seed contrasts.
        sd: their standard deviation.
        margin: that of the claim.
        claims: how many are judged together.
        of_kind: how many of them are of this kind.
        alpha: as for `judge`.

    None where some millions would not do, because the estimate lies on the border between two verdicts.
    """
    shown = abs(estimate)
    if kind == "difference":
        ways = [(shown, 1 - alpha / claims), (margin - shown, 1 - 2 * alpha / of_kind)]
    else:
        ways = [(margin - shown, 1 - 2 * alpha / claims), (shown - margin, 1 - alpha / of_kind)]
    numbers = [seeds_needed(sd, half_width, level) for half_width, level in ways if half_width > sd / 1000]
    return max(SEEDS_FOR_A_VERDICT, min(numbers)) if numbers else None


def _main_p(question: Question) -> float | None:
    if len(question.values) < SEEDS_FOR_A_VERDICT:
        return None
    if question.kind == "difference":
        return t_test(question.values)
    return equivalence_test(question.values, question.margin)


def _second_p(question: Question) -> float | None:
    if len(question.values) < SEEDS_FOR_A_VERDICT:
        return None
    if question.kind == "difference":
        return equivalence_test(question.values, question.margin)
    return beyond_margin_test(question.values, question.margin)


def _holm_by_kind(questions: Sequence[Question], p_values: Sequence[float | None]) -> list[float | None]:
    families = {
        kind: holm([p if q.kind == kind else None for q, p in zip(questions, p_values, strict=True)])
        for kind in get_args(Kind)
    }
    return [families[question.kind][index] for index, question in enumerate(questions)]


def _judgement(
    question: Question,
    p_value: float | None,
    p_holm: float | None,
    second_p_holm: float | None,
    alpha: float,
    n_claims: int,
) -> Judgement:
    sample = describe(question.values)
    if sample is None or p_holm is None or second_p_holm is None:
        return not_judged(question.values)
    interval = mean_interval(question.values)
    return Judgement(
        estimate=sample.mean,
        ci_low=interval.low,
        ci_high=interval.high,
        p_value=p_value,
        p_holm=p_holm,
        n_seeds=sample.n,
        detectable=detectable_effect(sample.sd, sample.n, alpha=alpha / n_claims),
        verdict=_verdict(question.kind, sample.mean, p_holm < alpha, second_p_holm < alpha),
    )


def not_judged(values: Iterable[float | None]) -> Judgement:
    """What contrasts that carry no verdict come to, as far as they are known: their mean and its interval."""
    known = [value for value in values if value is not None]
    if not known:
        return Judgement(None, None, None, None, None, 0, None, "inconclusive")
    mean = mean_interval(known)
    return Judgement(mean.estimate, mean.low, mean.high, None, None, len(known), None, "inconclusive")


def _verdict(kind: Kind, estimate: float, main_rejects: bool, second_rejects: bool) -> Verdict:
    if kind == "difference":
        if main_rejects:
            return "supported" if estimate > 0 else "contradicted"
        return "equivalent" if second_rejects else "inconclusive"
    if main_rejects:
        return "supported"
    return "contradicted" if second_rejects else "inconclusive"
