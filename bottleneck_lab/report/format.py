"""Numbers and verdicts as people read them. Accuracies are 0 to 1 inside, percent and points outside."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bottleneck_lab.report.reading.collect import Run

DASH = "-"


def percent(value: float | None) -> str:
    """An accuracy: 0.875 is `87.5 %`."""
    return DASH if value is None else f"{points(value, sign=False)} %"


def points(value: float | None, sign: bool = True) -> str:
    """A difference of accuracies: 0.0613 is `+6.1`, in percentage points."""
    if value is None:
        return DASH
    rounded = round(100 * value, 1) + 0.0  # never -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"


def short(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point."""
    return DASH if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # never -0.0


def ends(low: float | None, high: float | None, digits: int) -> str:
    """An interval with so many digits behind the point."""
    return DASH if low is None or high is None else f"[{short(low, digits)}, {short(high, digits)}]"


def amount(value: float | None, share: bool = True, sign: bool = True) -> str:
    """What shares differ by, in percentage points; another number to three digits, in its own unit."""
    if value is None or share:
        return points(value, sign)
    return f"{value:+.3g}" if sign else f"{value:.3g}"


def interval(row: dict[str, Any], sign: bool = True) -> str:
    """The 95 % interval of a variant, a measure or a claim over seeds: in percent or points if a share."""
    if row["ci_low"] is None:
        return DASH
    share = row.get("share", True)  # the accuracy of a variant is one
    return f"[{amount(row['ci_low'], share, sign)}, {amount(row['ci_high'], share, sign)}]"


def level(claim: dict[str, Any]) -> str:
    """The level of a claim's interval: `95 %`, or that at which its verdict was found, `99.17 %`."""
    percent = f"{100 * claim.get('level', 0.95):.2f}"
    return f"{percent.rstrip('0').rstrip('.')} %"


def decided(claim: dict[str, Any]) -> str:
    """After which of the planned looks: ` (look 2 of 3)`; nothing for fixed seeds, or before the first."""
    if not claim.get("looks") or claim["look"] is None:
        return ""
    return f" (look {claim['look']} of {len(claim['looks'])})"


def to_decide(claim: dict[str, Any]) -> str:
    """What it takes to decide an open claim, by its design: `some 40 new seeds (80 runs)`."""
    if not claim.get("to_decide"):
        return ""
    runs = claim["to_decide"] * len(claim["contrast"])
    return f"some {claim['to_decide']:,} new seeds ({runs:,} runs)"


def promises(summary: dict[str, Any]) -> list[str]:
    """What verdicts by a design promise, in sentences; none where no claim was judged by one."""
    judged = [claim for claim in summary["claims"] if "family" in claim]
    families = Counter((claim["family"], claim["dataset"]) for claim in judged)
    if not families:
        return []
    names = [f"{name} on {dataset} ({count})" for (name, dataset), count in families.items()]
    whole = f", and at most {5 * len(names)} % of any in this report" if len(names) > 1 else ""
    found = [
        f"Claims of a family share a chance of at most 5 % of any wrong verdict{whole}. "
        f"{'Families' if len(names) > 1 else 'Family'}: {', '.join(names)}."
    ]
    if heavy := [
        claim["id"] for claim in judged if claim["weight"] > 1 / families[claim["family"], claim["dataset"]]
    ]:
        parts = ", ".join(f"{name}" for name in dict.fromkeys(heavy))
        found.append(f"A larger part of these 5 % is for {parts}.")
    normal = any(claim["bounds"] is None for claim in judged)
    bounded = any(claim["bounds"] is not None for claim in judged)
    if normal and bounded:
        on = dict.fromkeys(claim["dataset"] for claim in judged if claim["bounds"] is not None)
        found.append(
            "That takes contrasts for normal over seeds (Student's t), but for accuracies on "
            f"{', '.join(on)}, of which nothing is assumed but that they are 0 to 1 (bets)."
        )
    elif normal:
        found.append("That takes contrasts for normal over seeds (Student's t).")
    else:
        found.append("That assumes nothing of accuracies but that they are 0 to 1 (bets).")
    return found


def over_examples(claim: dict[str, Any]) -> str:
    """The 95 % interval of a claim on accuracy over held-out examples, in points."""
    if claim["examples_low"] is None:
        return DASH
    return f"[{points(claim['examples_low'])}, {points(claim['examples_high'])}]"


def estimate(claim: dict[str, Any]) -> str:
    """What a claim's contrast comes to, with its unit: `+22.2 points`."""
    found = amount(claim["estimate"], claim["share"])
    return f"{found} points" if claim["share"] and claim["estimate"] is not None else found


def in_paper(claim: dict[str, Any]) -> str:
    """The same contrast in the paper: `+0.6 points (ImageNet)`."""
    if claim["paper"] is None:
        return DASH
    sign = "+" if claim["paper"] > 0 else ""
    return f"{sign}{as_reported(claim['paper'])} points ({claim['paper_data']})"


def as_reported(value: float) -> str:
    """A number of the paper with its decimals, at least one: `72.0`, `71.06`."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def top1(variant: dict[str, Any]) -> str:
    """A variant's accuracy in the paper: `72.0 %`."""
    return DASH if variant["paper_top1"] is None else f"{as_reported(variant['paper_top1'])} %"


def measured(measure: dict[str, Any]) -> str:
    """The mean of a measure with its interval: `12.3 % [11.0, 13.6]`."""
    if measure["mean"] is None:
        return DASH
    mean = percent(measure["mean"]) if measure["share"] else amount(measure["mean"], False, sign=False)
    return mean if measure["ci_low"] is None else f"{mean} {interval(measure, sign=False)}"


def half_width(row: dict[str, Any]) -> str:
    """A mean and half its 95 % interval (its longer half, if cut), in percent if a share: `72.6±9.5`."""
    if row["mean"] is None:
        return DASH
    share = row.get("share", True)
    mean = amount(row["mean"], share, sign=False)
    if row["ci_low"] is None:
        return mean
    half = max(row["mean"] - row["ci_low"], row["ci_high"] - row["mean"])
    return f"{mean}±{100 * half:.{0 if half >= 0.1 else 1}f}" if share else f"{mean}±{half:.2g}"


def p_value(value: float | None) -> str:
    """A p-value to two digits, `< 0.0001` below that."""
    if value is None:
        return DASH
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def tested(claim: dict[str, Any]) -> str:
    """A claim's p-value after Holm's correction, and what it is of: `p (within ±1.0 points) = 0.024`."""
    margin = f"±{amount(claim['margin'], claim['share'], sign=False)}{' points' if claim['share'] else ''}"
    what = f"p (within {margin})" if claim["kind"] == "equivalence" else "p"
    return f"{what} = {p_value(claim['p_holm'])}".replace("= <", "<")


def aligned(rows: Sequence[Sequence[str | float]]) -> list[list[str]]:
    """The rows of a table as text, each column's numbers with as many decimals as its longest has."""
    columns = []
    for column in zip(*rows, strict=True):
        decimals = max(len(f"{value:g}".partition(".")[2]) for value in (*_floats(column), 0.0))
        columns.append([value if isinstance(value, str) else f"{value:.{decimals}f}" for value in column])
    return [list(row) for row in zip(*columns, strict=True)]


def _floats(values: Sequence[str | float]) -> list[float]:
    return [value for value in values if not isinstance(value, str)]


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in one line: neither HTML, nor a link or picture, nor emphasis."""
    return _markdown(re.sub(r"\s*[\n\r]\s*", " ", text).replace("*", "\\*"))


def cell(text: str) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return _markdown(" ".join(text.split())).replace("|", "\\|")


def _markdown(text: str) -> str:
    # What else `<` and `]` stand before is no HTML and no link, and is left as it reads best.
    return re.sub(r"(<(?=[A-Za-z/!?])|](?=[(\[:]))", r"\\\1", text)


def code(text: str) -> str:
    """Text as code in Markdown, whatever is in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def settings(values: dict[str, Any]) -> str:
    """Settings in a line: `epochs = 20, optimizer = adam`."""
    return ", ".join(
        f"{key} = {_ABSENT.get(key, 'none') if value is None else _setting(value)}"
        for key, value in values.items()
    )


# What it means that a setting is absent.
_ABSENT = {
    "batch_size": "all",
    "train_images": "all",
    "held_out_images": "all",
    "resolution": "the images' own",
}


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else _toml(value)


def _toml(value: Any) -> str:
    """A value as an experiment file and `--set` have it."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def stages(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of Table 2, each as (t, c, n, s); `t` where the network's own expansion holds."""
    return ", ".join(
        f"({'t' if row['t'] is None else format(row['t'], 'g')}, {row['c']}, {row['n']}, {row['s']})"
        for row in rows
    )


def changed(overrides: dict[str, Any]) -> str:
    """Nested settings as `--set` has them: `train.epochs=3, model.width=2`."""
    return ", ".join(assignments(overrides))


def assignments(overrides: dict[str, Any]) -> list[str]:
    """Nested settings, each as `--set` has it: `train.epochs=3`."""
    return [f"{key}={_setting(value)}" for key, value in _flat(overrides)]


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def contrast(weights: dict[str, float]) -> str:
    """A claim's contrast in words: `(linear) - (relu)`."""
    terms = []
    for name, weight in weights.items():
        factor = "" if abs(weight) == 1 else f"{abs(weight):g} "
        terms.append(f"{'-' if weight < 0 else '+'} {factor}({name})")
    return " ".join(terms).removeprefix("+ ")


def small(claim: dict[str, Any]) -> str:
    """A remark on a difference that is there but within the margin that was set for one that matters."""
    if claim["verdict"] in ("supported", "contradicted") and claim["kind"] == "difference":
        within = max(abs(claim["ci_low"]), abs(claim["ci_high"])) < claim["margin"]
        return " (but smaller than the margin)" if within else ""
    return ""


def outlook(claims: Sequence[dict[str, Any]]) -> str:
    """What it would take to know better: on each data set, the seeds that would halve the intervals."""
    needed = {
        claim["dataset"]: (claim["seeds_for_half_interval"], claim["n_seeds"])
        for claim in claims
        if claim["seeds_for_half_interval"]
    }
    if not needed:
        return ""
    seeds = ", ".join(f"{more} on {dataset} (there were {now})" for dataset, (more, now) in needed.items())
    return f"Seeds that would halve the intervals: {seeds}."


def answer(claims: Sequence[dict[str, Any]]) -> str:
    """How the claims came out, in a sentence."""
    if not claims:
        return "This ablation makes no claims."
    if len(claims) == 1:
        return f"The one claim is {claims[0]['verdict']}."
    counts = Counter(claim["verdict"] for claim in claims)
    parts = [f"{count} {verdict}" for verdict, count in counts.most_common()]
    return f"Of {len(claims)} claims: {', '.join(parts)}."


def headline(claim: dict[str, Any]) -> str:
    """How one claim came out, in a sentence with its interval."""
    statement = " ".join(claim["statement"].split()).rstrip(".")
    mark = "" if claim["complete"] else "*"
    if claim["estimate"] is None:
        return f"{statement}: {claim['verdict']}{mark}, no seed on {claim['dataset']} has both sides."
    of = "" if claim["measure"] == "accuracy" else f"{claim['label']} "
    found = f"{of}{estimate(claim)} {interval(claim)}".replace(f" {DASH}", "")
    over = "one seed" if claim["n_seeds"] == 1 else f"{level(claim)} over {claim['n_seeds']} seeds"
    return f"{statement}: {claim['verdict']}{mark}, {found}{mark} on {claim['dataset']} ({over})."


def seeds(numbers: Sequence[int]) -> str:
    """Seeds as `--seeds` has them, what is next to each other together: `0-7,10`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ",".join(f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups)


# What variants must have in common to be matched, and how it is called.
MATCHED = {
    "params": "parameters",
    "madds": "MAdds",
    "shortcuts": "shortcuts",
    "depthwise": "depthwise convolutions",
}


def matching(variants: Sequence[dict[str, Any]], facet: str | None) -> str:
    """Whether variants that are compared (with a facet, those of equal level) cost the same."""
    known = [key for key in MATCHED if any(variant[key] is not None for variant in variants)]
    levels: dict[str, list[dict[str, Any]]] = {}
    for variant in variants:
        levels.setdefault(variant["levels"][facet] if facet else "", []).append(variant)
    differ = [key for key in known if any(differing(group, key) for group in levels.values())]
    equal = [key for key in known if key not in differ]
    who = f"Variants of equal {facet}" if facet else "All variants"
    if not differ:
        return f"{who} have equal {_listed(equal)}."
    which = f"variants of equal {facet}" if facet else "variants"
    rest = f"; they have equal {_listed(equal)}" if equal else ""
    return f"The {which} are NOT matched: they differ in {_listed(differ)}, as the table shows{rest}."


def differing(variants: Sequence[dict[str, Any]], key: str) -> bool:
    """Whether variants differ in a quantity."""
    return len({variant[key] for variant in variants}) > 1


def _listed(keys: Sequence[str]) -> str:
    names = [MATCHED[key] for key in keys]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def unfinished(counts: dict[str, int]) -> str:
    """What is missing, in a sentence; empty if nothing is."""
    done = counts.get("done", 0)
    if done == counts["planned"]:
        return ""
    others = [f"{count} {name}" for name, count in counts.items() if name not in ("planned", "done")]
    return f"{done} of {counts['planned']} runs are done ({', '.join(others)})."


def counts(statuses: Sequence[str]) -> str:
    """How many of each: `12 done, 2 unfinished`."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common())


def trouble(run: Run) -> str:
    """A run that did not end well: what happened, which one it was, and why."""
    which = f"{run.status}: {run.variant}, {run.dataset}, seed {run.seed}"
    return f"{which}: {run.reason}" if run.reason else which


def duration(seconds: float) -> str:
    """A time as people say it: `42 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
