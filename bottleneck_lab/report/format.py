"""Numbers and verdicts as people read them. Accuracies are 0 to 1 inside, percent and points outside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bottleneck_lab.report.collect import Run

DASH = "-"


def percent(value: float | None) -> str:
    """An accuracy: 0.875 is `87.5 %`."""
    return DASH if value is None else f"{100 * value:.1f} %"


def points(value: float | None, sign: bool = True) -> str:
    """A difference of accuracies: 0.0613 is `+6.1`, in percentage points."""
    if value is None:
        return DASH
    return f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}"


def interval(row: dict[str, Any], sign: bool = True) -> str:
    """The 95 % interval of a variant or claim, in percent or points."""
    if row["ci_low"] is None:
        return DASH
    return f"[{points(row['ci_low'], sign)}, {points(row['ci_high'], sign)}]"


def p_value(value: float | None) -> str:
    """A p-value to two digits, `< 0.0001` below that."""
    if value is None:
        return DASH
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def tested(claim: dict[str, Any]) -> str:
    """A claim's p-value after Holm's correction, and what it is of: `p (within ±1.0 points) = 0.024`."""
    what = (
        f"p (within ±{points(claim['margin'], sign=False)} points)" if claim["kind"] == "equivalence" else "p"
    )
    return f"{what} = {p_value(claim['p_holm'])}".replace("= <", "<")


def cell(text: str) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


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
    return value if isinstance(value, str) else json.dumps(value)


def stages(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of Table 2, each as (t, c, n, s); `t` where the network's own expansion holds."""
    return ", ".join(
        f"({'t' if row['t'] is None else format(row['t'], 'g')}, {row['c']}, {row['n']}, {row['s']})"
        for row in rows
    )


def changed(overrides: dict[str, Any]) -> str:
    """What `--set` changed, as it is typed: `train.epochs=3, model.width=2`."""
    return ", ".join(f"{key}={_setting(value)}" for key, value in _flat(overrides))


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
    counts = Counter(claim["verdict"] for claim in claims)
    parts = [f"{count} {verdict}" for verdict, count in counts.most_common()]
    return f"Of {len(claims)} claims: {', '.join(parts)}."


def matching(variants: Sequence[dict[str, Any]], facet: str | None) -> str:
    """Whether variants that are compared cost the same."""
    groups: dict[str, set[tuple[int, int]]] = {}
    for variant in variants:
        level = variant["levels"][facet] if facet else ""
        groups.setdefault(level, set()).add((variant["params"], variant["madds"]))
    if facet and all(len(costs) == 1 for costs in groups.values()):
        return f"Variants of equal {facet} have equal parameters and MAdds."
    return "The variants are NOT matched: parameters or MAdds differ, as the table shows."


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
