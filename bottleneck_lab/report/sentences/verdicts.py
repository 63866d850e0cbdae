"""Claims and their verdicts, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from bottleneck_lab.records.results.summary import ClaimFinding, Summary
from bottleneck_lab.report.sentences import numbers
from bottleneck_lab.report.sentences.numbers import DASH, amount, as_reported, p_value, points


def level(claim: ClaimFinding) -> str:
    """The level of a claim's interval: `95 %`, or that at which its verdict was found, `99.17 %`."""
    percent = f"{100 * (0.95 if claim.level is None else claim.level):.2f}"
    return f"{percent.rstrip('0').rstrip('.')} %"


def decided(claim: ClaimFinding) -> str:
    """After which of the planned looks: ` (look 2 of 3)`; nothing for fixed seeds, or before the first."""
    if not claim.looks or claim.look is None:
        return ""
    return f" (look {claim.look} of {len(claim.looks)})"


def to_decide(claim: ClaimFinding) -> str:
    """What it takes to decide an open claim, by its design: `some 40 new seeds (80 runs)`."""
    if not claim.to_decide:
        return ""
    runs = claim.to_decide * len(claim.contrast)
    return f"some {claim.to_decide:,} new seeds ({runs:,} runs)"


def promises(summary: Summary) -> list[str]:
    """What verdicts by a design promise, in sentences; none where no claim was judged by one."""
    judged = [claim for claim in summary.claims if claim.has_design]
    families = Counter((claim.family, claim.dataset) for claim in judged)
    if not families:
        return []
    names = [f"{name} on {dataset} ({count})" for (name, dataset), count in families.items()]
    whole = f", and at most {5 * len(names)} % of any in this report" if len(names) > 1 else ""
    found = [
        f"Claims of a family share a chance of at most 5 % of any wrong verdict{whole}. "
        f"{'Families' if len(names) > 1 else 'Family'}: {', '.join(names)}."
    ]
    if heavy := [
        claim.id for claim in judged if (claim.weight or 0) > 1 / families[claim.family, claim.dataset]
    ]:
        parts = ", ".join(f"{name}" for name in dict.fromkeys(heavy))
        found.append(f"A larger part of these 5 % is for {parts}.")
    normal = any(claim.bounds is None for claim in judged)
    bounded = any(claim.bounds is not None for claim in judged)
    if normal and bounded:
        on = dict.fromkeys(claim.dataset for claim in judged if claim.bounds is not None)
        found.append(
            "That takes contrasts for normal over seeds (Student's t), but for accuracies on "
            f"{', '.join(on)}, of which nothing is assumed but that they are 0 to 1 (bets)."
        )
    elif normal:
        found.append("That takes contrasts for normal over seeds (Student's t).")
    else:
        found.append("That assumes nothing of accuracies but that they are 0 to 1 (bets).")
    return found


def over_examples(claim: ClaimFinding) -> str:
    """The 95 % interval of a claim on accuracy over held-out examples, in points."""
    if claim.examples_low is None:
        return DASH
    return f"[{points(claim.examples_low)}, {points(claim.examples_high)}]"


def interval(claim: ClaimFinding) -> str:
    """A claim's interval over seeds."""
    return numbers.interval(claim.ci_low, claim.ci_high, claim.share)


def estimate(claim: ClaimFinding) -> str:
    """What a claim's contrast comes to, with its unit: `+22.2 points`."""
    return numbers.with_unit(claim.estimate, claim.share)


def in_paper(claim: ClaimFinding) -> str:
    """The same contrast in the paper: `+0.6 points (ImageNet)`."""
    if claim.paper is None:
        return DASH
    sign = "+" if claim.paper > 0 else ""
    return f"{sign}{as_reported(claim.paper)} points ({claim.paper_data})"


def tested(claim: ClaimFinding) -> str:
    """A claim's p-value after Holm's correction, and what it is of: `p (within ±1.0 points) = 0.024`."""
    margin = f"±{amount(claim.margin, claim.share, sign=False)}{' points' if claim.share else ''}"
    what = f"p (within {margin})" if claim.kind == "equivalence" else "p"
    return f"{what} = {p_value(claim.p_holm)}".replace("= <", "<")


def contrast(weights: dict[str, float]) -> str:
    """A claim's contrast in words: `(linear) - (relu)`."""
    terms = []
    for name, weight in weights.items():
        factor = "" if abs(weight) == 1 else f"{abs(weight):g} "
        terms.append(f"{'-' if weight < 0 else '+'} {factor}({name})")
    return " ".join(terms).removeprefix("+ ")


def small(claim: ClaimFinding) -> str:
    """A remark on a difference that is there but within the margin that was set for one that matters."""
    if claim.verdict in ("supported", "contradicted") and claim.kind == "difference":
        within = max(abs(claim.ci_low or 0), abs(claim.ci_high or 0)) < claim.margin
        return " (but smaller than the margin)" if within else ""
    return ""


def outlook(claims: Sequence[ClaimFinding]) -> str:
    """What it would take to know better: on each data set, the seeds that would halve the intervals."""
    needed = {
        claim.dataset: (claim.seeds_for_half_interval, claim.n_seeds)
        for claim in claims
        if claim.seeds_for_half_interval
    }
    if not needed:
        return ""
    seeds = ", ".join(f"{more} on {dataset} (there were {now})" for dataset, (more, now) in needed.items())
    return f"Seeds that would halve the intervals: {seeds}."


def answer(claims: Sequence[ClaimFinding]) -> str:
    """How the claims came out, in a sentence."""
    if not claims:
        return "This ablation makes no claims."
    if len(claims) == 1:
        return f"The one claim is {claims[0].verdict}."
    counts = Counter(claim.verdict for claim in claims)
    parts = [f"{count} {verdict}" for verdict, count in counts.most_common()]
    return f"Of {len(claims)} claims: {', '.join(parts)}."


def headline(claim: ClaimFinding) -> str:
    """How one claim came out, in a sentence with its interval."""
    statement = " ".join(claim.statement.split()).rstrip(".")
    mark = "" if claim.complete else "*"
    if claim.estimate is None:
        return f"{statement}: {claim.verdict}{mark}, no seed on {claim.dataset} has both sides."
    of = "" if claim.measure == "accuracy" else f"{claim.label} "
    found = f"{of}{estimate(claim)} {interval(claim)}".removesuffix(f" {DASH}")
    over = "one seed" if claim.n_seeds == 1 else f"{level(claim)} over {claim.n_seeds} seeds"
    return f"{statement}: {claim.verdict}{mark}, {found}{mark} on {claim.dataset} ({over})."


_HELD = {
    "supported": ("held", "held"),
    "contradicted": ("is contradicted", "are contradicted"),
    "equivalent": ("makes no difference that matters", "make no difference that matters"),
    "inconclusive": ("is open", "are open"),
}
_FOUND = {
    "supported": "Held",
    "contradicted": "Contradicted",
    "equivalent": "No difference that matters",
    "inconclusive": "Open",
}


def held(claims: Sequence[ClaimFinding]) -> str:
    """How many of some claims held, and what became of the others: `2 of 6 claims held, 4 are open`."""
    if len(claims) == 1:
        return f"the one claim {_HELD[claims[0].verdict][0]}"
    counts = Counter(claim.verdict for claim in claims)
    first, *others = sorted(counts, key=list(_HELD).index)
    beginning = f"{counts[first]} of {len(claims)} claims {_HELD[first][counts[first] > 1]}"
    if not others:
        return f"{'both' if len(claims) == 2 else f'all {len(claims)}'} claims {_HELD[first][1]}"
    return ", ".join([beginning, *(f"{counts[each]} {_HELD[each][counts[each] > 1]}" for each in others)])


def found(claim: ClaimFinding) -> str:
    """How one claim came out, for those who have no more time: `Held: STATEMENT: +6.2 points [4.8, 7.6].`"""
    statement = " ".join(claim.statement.split()).rstrip(".")
    mark = "" if claim.complete else "*"
    if claim.estimate is None:
        return f"{_FOUND[claim.verdict]}{mark}: {statement}: no seed has both sides yet."
    of = "" if claim.measure == "accuracy" else f"{claim.label} "
    size = f"{of}{estimate(claim)} {interval(claim)}".removesuffix(f" {DASH}")  # no interval
    return f"{_FOUND[claim.verdict]}{mark}: {statement}: {size}{mark}."


def foremost(claims: Sequence[ClaimFinding], marked: Collection[str]) -> list[ClaimFinding]:
    """Those of one data set's claims that are told first: the marked ones, else the largest that is decided.

    Args:
        claims: of one data set.
        marked: ids of those that the experiment file calls its headline.
    """
    if named := [claim for claim in claims if claim.id in marked]:
        return named
    decided = [claim for claim in claims if claim.verdict in ("supported", "contradicted")]
    return sorted(decided, key=lambda claim: (not claim.share, -abs(claim.estimate or 0)))[:1] or [
        *claims[:1]
    ]
