"""Verdicts on a family of claims after planned looks, by rules fixed before any result.

What is promised: in a family of claims, the chance of any wrong verdict of any kind is at most alpha,
whichever claims are true, however their contrasts depend on each other, and whatever was stopped at which
look.

Why it holds. Each claim has two hypotheses that evidence can reject: that there is no difference, and that
there is one that matters. At most one of them is true, but which one is unknown, so each kind has half of
alpha, and a family of its own. Let M be the true hypotheses of one kind. A hypothesis leaves its family
only by being rejected; if its claim is decided otherwise, it stays, and is tested no more. So before the
first wrong rejection all of M are in the family, and what is rejected wrongly first, at a look with share s
of alpha, has a p below s alpha / 2 times its weight over that of M (Holm 1979). Summed over M and over the
looks, whose shares sum to 1, the chance of that is alpha / 2. For bounded values p is one over a bettor's
wealth, which holds at all looks together (Ville 1939), so there every look has all of alpha.

What it needs. Without `bounds` a p is that of Student's t: exact for contrasts that are normal over seeds,
near enough for symmetric ones, and wrong for skewed ones of few seeds (`far_from_normal` warns). With
`bounds`, only that seeds are independent of each other. A contrast that is not 0 can also be given the
wrong sign: for each claim that is at most half as likely as calling one of 0 different.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bottleneck_lab.stats.families.evidence import Claimed, Look, Test
from bottleneck_lab.stats.families.judgement import Judgement, Verdict, not_judged, seeds_to_decide
from bottleneck_lab.stats.sample import describe
from bottleneck_lab.stats.significance import holm

ALPHA = 0.05
SEEDS_FOR_A_LOOK = 4  # three networks on a few hundred images tie by chance often enough to break the promise
_MOST_SEEDS = 1_000_000


def planned_looks(seeds: Sequence[int]) -> tuple[Look, ...]:
    """Looks after these numbers of seeds; a single one is a fixed design.

    Shares are as the numbers of seeds: early looks, which few seeds could decide anyway, take little from the
    last. They increase and sum to 1.

    Raises ValueError for numbers that are not positive and increasing.
    """
    if not seeds or any(n <= before for n, before in zip(seeds, (0, *seeds), strict=False)):
        raise ValueError(f"looks come after increasing numbers of seeds, got {list(seeds)}")
    return tuple(Look(n, n / sum(seeds)) for n in seeds)


def judge_family(claims: Sequence[Claimed], looks: Sequence[Look], alpha: float = ALPHA) -> list[Judgement]:
    """Judge the claims of one family after those looks that have been reached, in the order given.

    The rules, at each look, for the claims that are still open:

    1. A claim's contrasts are those of the look's first seeds. One that lacks some is not tested (p = 1) but
       burdens the others as before; with a pair lost for good, or fewer than four seeds, it stays open.
    2. The hypothesis of no difference (|contrast| <= margin for an equivalence claim) has a two-sided p; that
       of a difference that matters (|contrast| >= margin), one of two one-sided tests. Each p is divided by
       the look's share of alpha (without bounds), and adjusted by weighted Holm over the hypotheses of its
       kind that were not rejected before. It is rejected at alpha / 2.
    3. A difference claim is supported or contradicted, by the sign of the estimate, where no difference is
       rejected, else equivalent where a difference that matters is. An equivalence claim is supported where
       the latter is, else contradicted where the former is.

    A claim that is decided stays so, as do its estimate and interval. The interval is the one that shows the
    verdict: its `level` is 1 minus the part of alpha at which the claim was tested. That of an open claim
    shows neither verdict. `p_holm` is twice the adjusted p, which is to be compared with alpha.

    Raises ValueError for an alpha outside (0, 0.5), and for contrasts not finite or out of bounds.
    """
    found = _found_at_last(claims, looks, alpha)
    return [
        found[index].judgement() if index in found else not_judged(claim.values)
        for index, claim in enumerate(claims)
    ]


def decide_family(
    claims: Sequence[Claimed], looks: Sequence[Look], alpha: float = ALPHA
) -> list[tuple[Verdict, int]]:
    """The verdicts of `judge_family`, and after how many seeds each was found; 0 for a claim never tested.

    Without intervals, so many times as fast: for simulations. Raises ValueError as that does.
    """
    found = _found_at_last(claims, looks, alpha)
    return [
        (found[index].verdict, found[index].test.look.seeds) if index in found else ("inconclusive", 0)
        for index in range(len(claims))
    ]


def _found_at_last(claims: Sequence[Claimed], looks: Sequence[Look], alpha: float) -> dict[int, _Found]:
    """What the last look that each claim was tested at has found, by its place."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha lies between 0 and 0.5, got {alpha}")
    weights = [claim.weight for claim in claims]
    no_difference, difference = _Hypotheses(weights, alpha / 2), _Hypotheses(weights, alpha / 2)
    is_open = set(range(len(claims)))
    last: dict[int, _Found] = {}
    for number, look in enumerate(looks, 1):
        tests = {
            index: Test(claims[index], values, look)
            for index in sorted(is_open)
            if (values := _all_known(claims[index], look)) is not None
        }
        no_difference.test({index: test.p_no_difference for index, test in tests.items()})
        difference.test({index: test.p_difference for index, test in tests.items()})
        for index, test in tests.items():
            found = _Found(test, number, no_difference.of(index), difference.of(index))
            last[index] = found
            if found.verdict != "inconclusive":
                is_open.discard(index)
        if not is_open:
            break
    return last


def _all_known(claim: Claimed, look: Look) -> tuple[float, ...] | None:
    """The contrasts that a look is about; None where one is missing, or they are too few for a verdict."""
    known = tuple(value for value in claim.values[: look.seeds] if value is not None)
    return known if len(known) == look.seeds >= SEEDS_FOR_A_LOOK else None


@dataclass(frozen=True)
class _Tested:
    """One hypothesis after a look: its adjusted p, the part of alpha that it had, and how it came out."""

    p_adjusted: float
    part: float
    is_rejected: bool


class _Hypotheses:
    """One hypothesis of each claim, tested by weighted Holm at look after look until it is rejected."""

    def __init__(self, weights: Sequence[float], alpha: float) -> None:
        self._weights, self._alpha = weights, alpha
        self._rejected: set[int] = set()
        self._last: dict[int, _Tested] = {}

    def test(self, p_values: Mapping[int, float]) -> None:
        """Reject what these p, each divided by its look's share, let be rejected; the others have p = 1."""
        left = [index for index in range(len(self._weights)) if index not in self._rejected]
        p = {index: min(1.0, p_values.get(index, 1.0)) for index in left}
        weights = [self._weights[index] for index in left]
        adjusted = dict(zip(left, holm([*p.values()], weights), strict=True))
        burden = math.fsum(weights)
        for index in sorted(left, key=lambda index: (p[index] / self._weights[index], index)):
            found = adjusted[index]
            assert found is not None
            self._last[index] = _Tested(
                found, self._alpha * self._weights[index] / burden, found < self._alpha
            )
            if found < self._alpha:
                self._rejected.add(index)
                burden = math.fsum(self._weights[other] for other in left if other not in self._rejected)

    def of(self, index: int) -> _Tested:
        """How the hypothesis of a claim came out at the last look."""
        return self._last[index]


@dataclass(frozen=True)
class _Found:
    """What a look has found of a claim."""

    test: Test
    number: int
    no_difference: _Tested
    difference: _Tested

    @property
    def verdict(self) -> Verdict:
        """By the rules of `judge_family`."""
        if self.test.claim.kind == "equivalence":
            if self.difference.is_rejected:
                return "supported"
            return "contradicted" if self.no_difference.is_rejected else "inconclusive"
        if self.no_difference.is_rejected:
            return "supported" if self.test.sample.mean > 0 else "contradicted"
        return "equivalent" if self.difference.is_rejected else "inconclusive"

    def judgement(self) -> Judgement:
        """The verdict, with the interval that shows it."""
        test, kind = self.test, self.test.claim.kind
        two_sided, one_sided = self.no_difference.part * test.share, self.difference.part * test.share
        if self.verdict == "inconclusive":
            alpha = min(two_sided, 2 * one_sided)  # the wider one, which shows neither
        elif self.verdict == "equivalent" or (self.verdict, kind) == ("supported", "equivalence"):
            alpha = 2 * one_sided
        else:
            alpha = two_sided
        interval = test.interval(1 - alpha)
        main, p = (
            (self.no_difference, test.p_no_difference)
            if kind == "difference"
            else (self.difference, test.p_difference)
        )
        return Judgement(
            estimate=test.sample.mean,
            ci_low=interval.low,
            ci_high=interval.high,
            p_value=min(1.0, p * test.share),
            p_holm=min(1.0, 2 * main.p_adjusted),
            n_seeds=len(test.values),
            detectable=test.detectable(two_sided),
            verdict=self.verdict,
            level=1 - alpha,
            look=self.number,
        )


def seeds_for_verdict(claim: Claimed, of_all: float, alpha: float = ALPHA) -> int | None:
    """With how many new seeds, in a fixed design, the claim would be decided if what was found were true.

    Args:
        claim: with at least two contrasts, all known.
        of_all: its part of the weights of its family; nothing is counted on from other claims.
        alpha: as for `judge_family`.

    None where some millions would not do, because the estimate lies on the border between two verdicts.
    """
    values = [value for value in claim.values if value is not None]
    part = alpha / 2 * of_all
    if claim.bounds is not None:
        return _bets_needed(claim, values, part)
    sample = describe(values)
    if sample is None:
        return None
    found = seeds_to_decide(
        claim.kind, sample.mean, sample.sd, claim.margin, 1 / of_all, 1 / of_all, alpha / 2
    )
    return None if found is None else max(SEEDS_FOR_A_LOOK, found)


def _bets_needed(claim: Claimed, values: Sequence[float], part: float) -> int | None:
    """By counting each value as often as it takes."""

    def is_decided(seeds: int) -> bool:
        test = Test(claim, tuple(values), Look(seeds, 1.0), times=seeds / len(values))
        return test.p_no_difference < part or test.p_difference < part

    high = SEEDS_FOR_A_LOOK
    while not is_decided(high):
        if high > _MOST_SEEDS:
            return None
        high *= 2
    return bisect_left(range(high), True, lo=high // 2, key=is_decided)
