"""What a report says, in order and in plain words; templates only dress it, so that no two disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bottleneck_lab import __version__
from bottleneck_lab.config import TIERS
from bottleneck_lab.config.tuning import Tuned
from bottleneck_lab.report import format as fmt
from bottleneck_lab.report.figures.tuning import tuned_of
from bottleneck_lab.report.findings.budget import stretch_ends, stretch_text
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.findings.summary import ORIGIN
from bottleneck_lab.report.reading.collect import Results, Run
from bottleneck_lab.stats import Interval, mean_interval, paired_contrast
from bottleneck_lab.stats.best_of import expected_best


@dataclass(frozen=True)
class Code:
    """A name of a file or setting."""

    text: str


@dataclass(frozen=True)
class Strong:
    """What nobody may overlook."""

    text: str


@dataclass(frozen=True)
class Link:
    """The file beside the report, or the address, that a text leads to."""

    text: str
    href: str


Span = str | Code | Strong | Link


@dataclass(frozen=True)
class Cell:
    """One cell: as it is read, the number it sorts by, whether it may change, and the verdict that it is."""

    text: str
    value: float | None = None
    open: bool = False
    verdict: str | None = None


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers stand to the right."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells, one for every column, and what they are of."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    spans: tuple[Span, ...]
    kind: str = "text"


@dataclass(frozen=True)
class Note:
    """A paragraph that nobody may overlook, and the word that it begins with."""

    word: str
    text: str
    kind: str = "note"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[tuple[Span, ...], ...]
    kind: str = "bullets"


@dataclass(frozen=True)
class Picture:
    """A figure that lies beside the report as `stem`.svg and `stem`.png, and what it shows in words."""

    stem: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Listing:
    """Lines that are to be copied as they are, and what they are."""

    id: str
    title: str
    text: str
    kind: str = "listing"


Block = Text | Note | Bullets | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """A heading (level 2, or 3 within the one before it) and what stands below it."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True)
class Content:
    """A report: what was asked, how it came out, and the sections below."""

    name: str
    tier: str
    question: str
    preamble: tuple[Block, ...]
    sections: tuple[Section, ...]


def content_of(
    results: Results, summary: dict[str, Any], pictures: Mapping[str, Sequence[Picture]]
) -> Content:
    """The report of a results folder.

    Args:
        results: as collected.
        summary: of them.
        pictures: what was drawn of each data set, and under `collapse` what is the same in every report (it
            may be left out).
    """
    ablation = results.plan["ablation"]
    sections = [Section("answer", "Answer", tuple(_answer(results, summary)))]
    for place, dataset in enumerate(summary["datasets"]):
        sections.append(_outcome(results, summary, dataset, f"table-{place + 1}"))
    for place, record in enumerate(results.plan["tuning"]):
        sections.append(_tuning(record, f"tuning-{place + 1}"))
    for place, found in enumerate(summary.get("budgets", ())):
        sections.append(_budget(found, f"budget-{place + 1}"))
    for place, found in enumerate(summary.get("predictions", ())):
        sections.append(_predictions(found, f"predictions-{place + 1}"))
    sections.append(Section("claims", "All claims", tuple(_claims(results, summary))))
    for dataset in summary["datasets"]:
        if pictures[dataset]:
            sections.append(Section(f"curves-{dataset}", f"Figures: {dataset}", tuple(pictures[dataset])))
    for place, dataset in enumerate(summary["datasets"]):
        sections += _measures(results, summary, dataset, f"measures-{place + 1}")
    sections += _beside_paper(results)
    if collapse := pictures.get("collapse"):
        sections.append(Section("collapse", "The collapse that this is about", _collapse(collapse)))
    sections += _lost(results, summary)
    sections.append(Section("cost", "What it cost", (Text((_cost(results.runs),)),)))
    sections.append(Section("method", "How it was done", tuple(_method(results, summary))))
    for place, dataset in enumerate(summary["datasets"]):
        sections.append(_settings(results, dataset, f"settings-{place + 1}"))
    sections.append(Section("outlook", "What would change the verdict", tuple(_outlook(summary))))
    sections.append(Section("cite", "How to cite", tuple(_citations(summary))))
    return Content(
        name=ablation["name"],
        tier=summary["tier"],
        question=ablation["question"],
        preamble=tuple(_preamble(ablation, summary)),
        sections=tuple(sections),
    )


def _oneline(text: str) -> str:
    return " ".join(text.split())


def _preamble(ablation: dict[str, Any], summary: dict[str, Any]) -> Iterator[Block]:
    yield Text((f"Source: {ablation['source']}.",))
    yield Text((f"The paper reports: {_oneline(ablation['reported'])}",))
    yield Text((f"What would count against it: {_oneline(ablation['against'])}",))
    for notice in summary["notices"]:
        yield Note("NOTE", notice)
    if len(summary["origins"]) > 1:
        machines = f"{len(summary['origins'])} different codes or machines"
        yield Note("NOTE", f"The finished runs come from {machines}, listed at the end.")
    if unfinished := fmt.unfinished(summary["runs"]):
        changing = any(not variant["complete"] for variant in summary["variants"])
        rest = " Numbers with * may change, and so may the figures; what is missing is listed below."
        yield Note("PARTIAL", unfinished + (rest if changing else ""))
    if strays := summary["strays"]:
        files = f"{len(strays)} {'file' if len(strays) == 1 else 'files'}"
        yield Note(
            "LEFT OUT", f"{files} in the folder could not be read or are not of this plan; listed below."
        )


def _answer(results: Results, summary: dict[str, Any]) -> Iterator[Block]:
    claims = summary["claims"]
    for claim in headline_claims(results.plan, claims):
        yield Text((Strong(fmt.headline(claim)),))
    mark = "" if all(variant["complete"] for variant in summary["variants"]) else "*"
    spans: tuple[Span, ...] = (
        f"{fmt.answer(claims)}{mark} Tier ",
        Code(summary["tier"]),
        f": {TIERS[summary['tier']]}.",
    )
    if changed := fmt.changed(summary["overrides"]):
        spans += (" ", Strong(f"Changed with --set: {changed}."))
    yield Text(spans)


@dataclass(frozen=True)
class _Difference:
    """What a variant differs by from the one that it is compared with, and the claim that says so."""

    against: str
    interval: Interval | None
    verdict: str | None
    complete: bool


def _outcome(results: Results, summary: dict[str, Any], dataset: str, table_id: str) -> Section:
    shape = _part(results, dataset)
    variants = [variant for variant in summary["variants"] if variant["dataset"] == dataset]
    claims = [
        claim for claim in summary["claims"] if (claim["dataset"], claim["measure"]) == (dataset, "accuracy")
    ]
    tested = any(variant["test_mean"] is not None for variant in variants)
    paper = shape["paper"] if any(variant["paper_top1"] is not None for variant in variants) else None
    uneven = [key for key in ("shortcuts", "depthwise") if fmt.differing(variants, key)]
    columns = [Column("variant"), Column("parameters", True), Column("MAdds", True)]
    columns += [Column(fmt.MATCHED[key], True) for key in uneven]
    columns += [Column("seeds", True), Column("held-out accuracy", True), Column("95 % interval")]
    columns += [Column("test accuracy", True)] if tested else []
    columns += [Column(f"paper ({paper['data']})", True)] if paper else []
    columns += [Column("difference, points", True), Column("to"), Column("verdict")]
    rows = []
    for variant in variants:
        still = not variant["complete"]
        cells = [Cell(variant["name"]), *(_count(variant[key]) for key in ("params", "madds", *uneven))]
        cells += [
            Cell(_seeds(variant), variant["n_seeds"]),
            Cell(fmt.percent(variant["mean"]), variant["mean"], still),
            Cell(fmt.interval(variant, sign=False), open=still),
        ]
        if tested:
            cells.append(Cell(fmt.percent(variant["test_mean"]), variant["test_mean"], still))
        if paper:
            cells.append(Cell(fmt.top1(variant), variant["paper_top1"]))
        cells += _difference_cells(_difference(results, variants, claims, variant))
        rows.append(tuple(cells))
    from_paper = (
        f' What stands under "paper" is top-1 accuracy on {paper["data"]}, from {paper["source"]}.'
        if paper
        else ""
    )
    blocks: list[Block] = [
        Table(table_id, f"Every variant on {dataset}", tuple(columns), tuple(rows)),
        Text((f"{fmt.matching(variants, shape['facet'])} {_split(results, dataset)}{from_paper}",)),
        Text(
            (
                "A difference is paired by seed, over the seeds that both variants have, with its 95 % "
                "interval. A verdict is that of the claim about these two; without a claim there is none, "
                "and the interval is not corrected for being one of many.",
            )
        ),
    ]
    if shape["without"]:
        blocks.append(Text((f"Combinations that the experiment leaves out: {'; '.join(shape['without'])}.",)))
    return Section(f"outcome-{dataset}", f"{shape['title']}: {dataset}", tuple(blocks))


def _count(value: int | None) -> Cell:
    return Cell(fmt.DASH) if value is None else Cell(f"{value:,}", value)


def _seeds(row: dict[str, Any]) -> str:
    few = row["n_seeds"] != row["n_planned"]
    return f"{row['n_seeds']} of {row['n_planned']}" if few else str(row["n_seeds"])


def _difference_cells(found: _Difference | None) -> list[Cell]:
    if found is None:
        return [Cell("reference"), Cell(fmt.DASH), Cell(fmt.DASH)]
    if (interval := found.interval) is None:
        return [Cell(fmt.DASH), Cell(found.against), Cell(fmt.DASH)]
    still = not found.complete
    ends = fmt.interval({"ci_low": interval.low, "ci_high": interval.high})
    text = fmt.points(interval.estimate) + ("" if interval.low is None else f" {ends}")
    verdict = Cell("", None, still, found.verdict) if found.verdict else Cell(fmt.DASH)
    return [Cell(text, interval.estimate, still), Cell(found.against), verdict]


def _difference(
    results: Results,
    variants: Sequence[dict[str, Any]],
    claims: Sequence[dict[str, Any]],
    variant: dict[str, Any],
) -> _Difference | None:
    """What there is to say of a variant beside the one it is compared with; None where it is that one."""
    name, dataset = variant["name"], variant["dataset"]
    against = reference_of(variant, variants, claims)
    if against["name"] == name:
        return None
    for claim in claims:
        sign = claim["contrast"].get(name)
        if claim["contrast"] in ({against["name"]: 1, name: -1}, {against["name"]: -1, name: 1}):
            ends = claim["ci_low"], claim["ci_high"]
            interval = _turned(claim["estimate"], *ends, sign)
            return _Difference(against["name"], interval, claim["verdict"], claim["complete"])
    accuracies = {
        each: {run.seed: run.accuracy for run in results.of(each, dataset) if run.accuracy is not None}
        for each in (name, against["name"])
    }
    pairs = paired_contrast(accuracies, {name: 1, against["name"]: -1})
    interval = mean_interval(list(pairs.values())) if pairs else None
    return _Difference(against["name"], interval, None, variant["complete"] and against["complete"])


def _turned(estimate: float | None, low: float | None, high: float | None, sign: float) -> Interval | None:
    """The interval of a contrast, or of its opposite."""
    if estimate is None:
        return None
    if low is None or high is None:
        return Interval(sign * estimate, None, None)
    low, high = sorted((sign * low, sign * high))
    return Interval(sign * estimate, low, high)


def reference_of(
    variant: dict[str, Any], variants: Sequence[dict[str, Any]], claims: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The variant that another is compared with: in all else equal, where there is one.

    Claims about two variants that differ on one axis say which axis is in question, and which of its levels
    is the better one if they are right. Where no claim does, it is the variant that most claims begin with,
    or else the first.
    """
    by_name = {each["name"]: each for each in variants}
    found: Counter[tuple[str, str]] = Counter()
    first: Counter[str] = Counter()
    for claim in claims:
        ahead = [name for name, weight in claim["contrast"].items() if weight == 1]
        behind = [name for name, weight in claim["contrast"].items() if weight == -1]
        first.update(ahead)
        if len(claim["contrast"]) == 2 and len(ahead) == len(behind) == 1:
            better, worse = by_name[ahead[0]]["levels"], by_name[behind[0]]["levels"]
            axes = [axis for axis in better if better[axis] != worse[axis]]
            if len(axes) == 1:
                found[axes[0], better[axes[0]]] += 1
    if found:
        axis, level = found.most_common(1)[0][0]
        levels = {**variant["levels"], axis: level}
        for each in variants:
            if each["levels"] == levels:
                return each
    return by_name[first.most_common(1)[0][0]] if first else variants[0]


def _claims(results: Results, summary: dict[str, Any]) -> Iterator[Block]:
    claims = summary["claims"]
    if not claims:
        yield Text((fmt.answer(claims),))
        return
    paper = any(claim["paper"] is not None for claim in claims)
    columns = [Column("claim"), Column("source"), Column("data"), Column("estimate", True)]
    designed = [claim for claim in claims if "level" in claim]
    over_seeds = "over seeds (level)" if designed else "95 % over seeds"
    columns += [Column(over_seeds), Column("95 % over examples"), Column("p (Holm)", True)]
    columns += [Column("seeds", True)]
    columns += [Column("paper", True)] if paper else []
    columns += [Column("verdict")]
    yield Table("table-claims", "Every claim", tuple(columns), tuple(_claim(each, paper) for each in claims))
    yield Text((_claims_explained(results, summary),))
    meaning = (
        "Verdicts rest on the seeds. A claim of a difference says that its contrast is above 0; one of "
        "equivalence, that it is within its margin."
    )
    if len(designed) < len(claims):
        which = f" of the claims on {_listed_datasets(claims)}" if designed else ""
        yield Text(
            (
                f"{meaning} Verdicts{which} hold after Holm's correction over all claims of this report, at "
                "5 % for each kind of verdict; fewer than three seeds carry none, and neither does a claim "
                "that misses a pair that was planned.",
            )
        )
    if designed:
        said = "" if len(designed) < len(claims) else f"{meaning} "
        yield Text(
            (
                f"{said}{' '.join(fmt.promises(summary))} An interval over seeds is of the level at which "
                "its claim was judged, among the claims of its family and at its look, so that it shows the "
                "verdict; p is to be compared with 5 %. Fewer than four seeds carry no verdict, and neither "
                "does a claim that misses a pair.",
            )
        )
    for claim in designed:
        if claim["far_from_normal"]:
            yield Note(
                "CAUTION",
                f"The contrasts of {claim['id']} on {claim['dataset']} are far from normal over seeds "
                "(Shapiro-Wilk, p < 1 %), which its interval takes them for.",
            )
    yield Bullets(tuple(_contrast(claim) for claim in claims))


def _claim(claim: dict[str, Any], paper: bool) -> tuple[Cell, ...]:
    still, changing = not claim["estimate_complete"], not claim["complete"]
    of = f" ({claim['label']})" if claim["measure"] != "accuracy" else ""
    equivalence = claim["kind"] == "equivalence" and claim["p_holm"] is not None
    p = fmt.tested(claim) if equivalence else fmt.p_value(claim["p_holm"])
    remark = fmt.small(claim) + (f" ({claim['reason']})" if claim["reason"] else "")
    cells = [
        Cell(_oneline(claim["statement"])),
        Cell(claim["source"]),
        Cell(claim["dataset"]),
        Cell(fmt.estimate(claim) + of, claim["estimate"], still),
        Cell(_with_level(claim), open=still),
        Cell(fmt.over_examples(claim), open=still),
        Cell(p, claim["p_holm"], changing),
        Cell(_seeds(claim) + fmt.decided(claim), claim["n_seeds"]),
    ]
    if paper:
        cells.append(Cell(fmt.in_paper(claim), claim["paper"]))
    return (*cells, Cell(remark, None, changing, claim["verdict"]))


def _whose(summary: dict[str, Any]) -> str:
    """Whose intervals those over seeds are."""
    bounded = [claim["bounds"] is not None for claim in summary["claims"] if "bounds" in claim]
    if not any(bounded):
        return "Student's"
    return (
        "that of bets"
        if len(bounded) == len(summary["claims"]) and all(bounded)
        else "Student's, or that of bets,"
    )


def _with_level(claim: dict[str, Any]) -> str:
    """An interval, with its level where that is its own."""
    found = fmt.interval(claim)
    return f"{found} ({fmt.level(claim)})" if "level" in claim and found != fmt.DASH else found


def _listed_datasets(claims: Sequence[dict[str, Any]]) -> str:
    """The data sets whose claims are judged together."""
    return " and ".join(dict.fromkeys(claim["dataset"] for claim in claims if "level" not in claim))


def _claims_explained(results: Results, summary: dict[str, Any]) -> str:
    drawn = any(_draws_points(results, dataset) for dataset in summary["datasets"])
    return (
        "An estimate is the mean over seeds of a contrast that is paired by seed. The interval over seeds is "
        f"{_whose(summary)} and generalises over repetitions of training on this data"
        f"{' (on points: over new draws of them, too)' if drawn else ''}. The interval over examples is a "
        "bootstrap, paired by example, and generalises over held-out examples for these very networks, the "
        "mean over their seeds. Neither does both, and neither speaks of other data sets."
    )


def _contrast(claim: dict[str, Any]) -> tuple[Span, ...]:
    of = f", of {claim['label']}" if claim["measure"] != "accuracy" else ""
    margin = fmt.amount(claim["margin"], claim["share"], sign=False)
    return (
        Code(claim["id"]),
        f" on {claim['dataset']}: {fmt.contrast(claim['contrast'])}; {claim['kind']}, margin {margin}{of}.",
    )


def _draws_points(results: Results, dataset: str) -> bool:
    """Whether every seed has points of its own; networks for points are toys."""
    first = next(v for v in results.plan["variants"] if v["dataset"] == dataset)
    return bool(first["settings"]["model"].get("family") == "toy")


def _measures(results: Results, summary: dict[str, Any], dataset: str, table_id: str) -> Iterator[Section]:
    names = _part(results, dataset)["measures"]
    if not names:
        return
    variants = [variant for variant in summary["variants"] if variant["dataset"] == dataset]
    finished = [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
    missing = any(name not in run.measures for run in finished for name in names)
    labels = [variants[0]["measures"][name]["label"] for name in names]
    rows = tuple(
        (
            Cell(variant["name"]),
            *(
                Cell(fmt.measured(of), of["mean"], not variant["complete"])
                for of in (variant["measures"][name] for name in names)
            ),
        )
        for variant in variants
    )
    said = "Measures are of the trained networks: mean over seeds and 95 % interval."
    columns = (Column("variant"), *(Column(label, True) for label in labels))
    yield Section(
        f"measures-{dataset}",
        f"Measures: {dataset}",
        (
            Table(table_id, f"Measures on {dataset}", columns, rows),
            Text((said + (" Not every finished run has them all." if missing else ""),)),
        ),
    )


def _beside_paper(results: Results) -> Iterator[Section]:
    parts = dict.fromkeys(variant["part"] for variant in results.plan["variants"])
    papers = [results.plan["ablation"]["parts"][part]["paper"] for part in parts]
    tables = [(paper, table) for paper in papers if paper is not None for table in paper["tables"]]
    blocks = []
    for place, (paper, table) in enumerate(tables):
        columns = tuple(Column(name, index > 0) for index, name in enumerate(table["columns"]))
        rows = tuple(
            tuple(
                Cell(text, None if isinstance(value, str) else value)
                for text, value in zip(texts, values, strict=True)
            )
            for texts, values in zip(fmt.aligned(table["rows"]), table["rows"], strict=True)
        )
        caption = f"{table['title']} ({paper['data']}; {paper['source']})"
        blocks.append(Table(f"paper-{place + 1}", caption, columns, rows))
    if blocks:
        yield Section("paper", "Beside the paper", tuple(blocks))


def _tuning(record: dict[str, Any], table_id: str) -> Section:
    tuned = tuned_of(record)
    arms, trials = tuned.chosen, len(tuned.trials) // len(tuned.chosen)
    own = {arm: tuned.mean(arm, value) for arm, value in arms.items()}
    grid = tuple(
        (
            Cell(arm),
            *(
                Cell(fmt.percent(mean) + (" (chosen)" if value == arms[arm] else ""), mean)
                for value in tuned.grid
                for mean in [tuned.mean(arm, value)]
            ),
        )
        for arm in arms
    )
    counts = sorted({1, 2, 3, trials} & set(range(1, trials + 1)))
    best = tuple(
        (
            Cell(arm),
            Cell(f"{arms[arm]:g}", arms[arm]),
            Cell(fmt.percent(own[arm]), own[arm]),
            *(_shared_cell(tuned, arm),),
            *(
                Cell(fmt.percent(found), found)
                for count in counts
                for found in [expected_best(tuned.scores(arm), count)]
            ),
        )
        for arm in arms
    )
    seeds = sorted({trial.seed for trial in tuned.trials})
    edge = f" The best value of {' and '.join(tuned.at_edge)} lies at the edge." if tuned.at_edge else ""
    return Section(
        f"tuning-{tuned.dataset}",
        f"Tuning: {tuned.dataset}",
        (
            Text(
                (
                    f"{tuned.setting} was chosen for each {tuned.arms} by mean accuracy on {tuned.images:,} "
                    "images of the training part, which these trials did not train on, with seeds that "
                    f"nothing else uses ({fmt.seeds(seeds)}).{edge} Every arm had {trials} trials. "
                    "Accuracies here are of these short trials, and those of chosen values are too good, as "
                    "the best of several are. This record is ",
                    Code(record["hash"]),
                    ".",
                )
            ),
            Table(
                table_id,
                f"Mean accuracy on the tuning images, by {tuned.setting}",
                (Column(tuned.arms), *(Column(f"{value:g}", True) for value in tuned.grid)),
                grid,
            ),
            Table(
                f"{table_id}-best",
                f"At own values and at the shared one ({tuned.shared:g}), and the expected best of n trials",
                (
                    Column(tuned.arms),
                    Column("chosen", True),
                    Column("at its own", True),
                    Column("at the shared", True),
                    *(Column(f"best of {count}", True) for count in counts),
                ),
                best,
            ),
        ),
    )


def _shared_cell(tuned: Tuned, arm: str) -> Cell:
    if tuned.shared not in tuned.grid:
        return Cell(fmt.DASH)
    mean = tuned.mean(arm, tuned.shared)
    return Cell(fmt.percent(mean), mean)


def _budget(found: dict[str, Any], table_id: str) -> Section:
    fast, slow = found["fast"], found["slow"]
    columns = (
        "epochs",
        "seeds",
        f"{fast} - {slow}, points",
        "95 % over seeds",
        "time stretch",
        "95 % over pairs",
    )
    rows = tuple(
        (
            Cell(f"{row['epochs']:g}", row["epochs"]),
            Cell(str(row["n_seeds"]), row["n_seeds"]),
            Cell(fmt.points(row["gap"]), row["gap"]),
            Cell(fmt.interval(row["ends"]) if row["ends"] else fmt.DASH),
            Cell(stretch_text(row["stretch"], "estimate"), row["stretch"] and row["stretch"]["estimate"]),
            Cell(stretch_ends(row["stretch"])),
        )
        for row in found["lengths"]
    )
    blocks: list[Block] = [
        Table(
            table_id,
            f"{fast} and {slow} after trainings of every length on {found['dataset']}",
            tuple(Column(name, True) for name in columns),
            rows,
        ),
        Text(
            (
                f"The time stretch is the factor by which {fast} may train shorter for the held-out loss "
                f"that {slow} ends with; between two lengths the loss is linear in their logarithm. The "
                "intervals of gaps are not corrected for being many. What no length tells is a bound.",
            )
        ),
    ]
    if found["rules"]:
        blocks.append(Bullets(tuple((line,) for line in found["rules"]["said"])))
        blocks.append(Text((Strong(found["rules"]["verdict"]),)))
    return Section(f"budget-{found['dataset']}", f"Training length: {found['dataset']}", tuple(blocks))


_VERDICT_MARKS = {"excluded": " excluded", "met": " met", "open": "", None: ""}


def _predictions(found: dict[str, Any], table_id: str) -> Section:
    """What hypotheses predicted beside what was measured, and which of them are excluded."""
    names = [hypothesis["name"] for hypothesis in found["hypotheses"]]
    arms = tuple(
        (
            Cell(arm["variant"]),
            Cell(fmt.short(arm["lost"], 1), arm["lost"]),
            Cell(fmt.ends(arm["ci_low"], arm["ci_high"], 1)),
            *(_predicted(arm["predicted"].get(name)) for name in names),
        )
        for arm in found["arms"]
    )
    columns = (Column("arm"), Column("lost", True), Column("95 % interval", True))
    covariates = tuple(
        (
            Cell(arm["variant"]),
            *(Cell(fmt.short(value, 3), value) for value in arm["covariates"].values()),
        )
        for arm in found["arms"]
        if arm["covariates"] is not None
    )
    hypotheses = tuple(
        (
            Cell(hypothesis["name"].replace("_", " ")),
            Cell(hypothesis["says"] or fmt.DASH),
            Cell(hypothesis["verdict"]),
            Cell("; ".join(hypothesis["excluded_by"]) or fmt.DASH),
            _rank(hypothesis["rank"]),
        )
        for hypothesis in found["hypotheses"]
    )
    ranks = tuple((Cell(one["label"]), _rank(one["rank"])) for one in found["covariates"])
    rank_column = Column("rank correlation with what is lost", True)
    scaled = f", as proportions of what {found['anchor']} loses" if found["anchor"] else ""
    blocks: list[Block] = [
        Table(
            table_id,
            f"Accuracy lost on {found['dataset']} and what was predicted, in points",
            (*columns, *(Column(name.replace("_", " "), True) for name in names)),
            arms,
        ),
        Table(
            f"{table_id}-hypotheses",
            "The hypotheses",
            (Column("hypothesis"), Column("says"), Column("verdict"), Column("excluded by"), rank_column),
            hypotheses,
        ),
        Text(
            (
                f"Predictions were written before the runs{scaled}. One is excluded where the interval of "
                f"what was lost beyond it lies more than {found['tolerance']:g} points off, met where it "
                "lies within; the interval has a level of 1 - 5 % over the number of the hypothesis's "
                "predictions. A hypothesis is excluded if one of its predictions is. Rank correlations "
                "have 95 % bootstrap intervals over arms and seeds.",
            )
        ),
        Table(
            f"{table_id}-covariates",
            "What the activations do to a standard normal variable behind batch norm, at the start",
            (
                Column("arm"),
                Column("R^2, best decoder", True),
                Column("R^2, linear decoder", True),
                Column("growth of gradients", True),
            ),
            covariates,
        ),
        Table(
            f"{table_id}-ranks",
            "How well these order what is lost",
            (Column("covariate"), rank_column),
            ranks,
        ),
    ]
    return Section(f"predictions-{found['dataset']}", f"Predictions: {found['dataset']}", tuple(blocks))


def _predicted(found: dict[str, Any] | None) -> Cell:
    if found is None:
        return Cell(fmt.DASH)
    return Cell(f"{found['points']:.1f}{_VERDICT_MARKS[found['verdict']]}", found["points"])


def _rank(found: dict[str, Any] | None) -> Cell:
    if found is None:
        return Cell(fmt.DASH)
    ends = fmt.ends(found["low"], found["high"], 2)
    return Cell(f"{found['estimate']:.2f} {ends}, {found['arms']} arms", found["estimate"])


def _collapse(pictures: Sequence[Picture]) -> tuple[Block, ...]:
    return (
        Text(
            (
                "A spiral in two dimensions is put into more channels by a random matrix, then through a "
                "ReLU. In few channels its points fall onto each other (Fig. 1 and Theorem 1 of the paper). "
                "The page ",
                Link("collapse.html", "collapse.html"),
                " beside this report lets one slide the number of channels.",
            )
        ),
        *pictures,
    )


def _lost(results: Results, summary: dict[str, Any]) -> Iterator[Section]:
    if summary["missing"]:
        items = tuple(_missing(lost) for lost in summary["missing"])
        yield Section("missing", "What is missing", (Bullets(items),))
    if troubled := results.troubled():
        said = Text(("They take no part in any number above.",))
        items = tuple(_trouble(run) for run in troubled)
        yield Section("troubled", "Runs that did not end well", (Bullets(items), said))
    left_out: list[tuple[Span, ...]] = [
        (Code(stray["file"]), f": {stray['why']}") for stray in summary["strays"]
    ]
    if count := summary["other_plans"]:
        runs = "run" if count == 1 else "runs"
        left_out.append((f"{count} {runs} of other plans of this ablation in ", Code("runs/"), "."))
    if left_out:
        said = Text(("Nothing of this is counted above.",))
        yield Section("left-out", "What was left out", (Bullets(tuple(left_out)), said))


def _missing(lost: dict[str, Any]) -> tuple[Span, ...]:
    seeds = f"{'seed' if len(lost['seeds']) == 1 else 'seeds'} {', '.join(map(str, lost['seeds']))}"
    return (f"{lost['variant']} on {lost['dataset']}: {seeds} ({lost['status']})",)


def _trouble(run: Run) -> tuple[Span, ...]:
    which = f"{run.status}: {run.variant}, {run.dataset}, seed {run.seed} ("
    return (which, Code(f"runs/{run.run}"), f"){f': {run.reason}' if run.reason else ''}")


def _cost(runs: Sequence[Run]) -> str:
    done = [run for run in runs if run.wall_seconds is not None]
    wall = sum(run.wall_seconds or 0.0 for run in done)
    cpu = sum(run.cpu_seconds or 0.0 for run in done)
    count = f"{len(done)} {'run' if len(done) == 1 else 'runs'}"
    return f"{count} took {fmt.duration(wall)} in all ({fmt.duration(cpu)} of CPU time)."


_PER_RUN = ("checksums", "wall_seconds", "cpu_seconds", "trained_together", "trunk", "trunk_epochs")


def _method(results: Results, summary: dict[str, Any]) -> Iterator[Block]:
    yield Bullets(tuple((line,) for line in _provenance(results, summary)))
    yield Text(
        (
            "Every run's settings are in ",
            Code("runs/*/config.json"),
            ", its epochs in ",
            Code("metrics.jsonl"),
            ", its predictions of the held-out examples in ",
            Code("predictions.npy"),
            ", whether they are right in ",
            Code("correct.npy"),
            "; ",
            Code("results.csv"),
            " has a row a run, ",
            Code("summary.json"),
            " every number of this page.",
        )
    )


def _provenance(results: Results, summary: dict[str, Any]) -> Iterator[str]:
    for dataset in summary["datasets"]:
        seeds = sorted({run.seed for run in results.runs if run.dataset == dataset})
        yield f"seeds on {dataset}: {fmt.seeds(seeds)}"
    for origin in summary["origins"]:
        made = ", ".join(
            f"{'' if key == 'bottleneck_lab' else 'commit ' if key == 'commit' else f'{key} '}"
            f"{f'bottleneck_lab {value}' if key == 'bottleneck_lab' else value}"
            for key, value in ((key, origin[key] or "unknown") for key in ORIGIN)
        )
        yield f"{origin['runs']} finished {'run' if origin['runs'] == 1 else 'runs'}: {made}"
    environment = next((results.environment(run) for run in results.runs if run.status == "done"), {})
    for name, value in environment.items():
        if name not in (*_PER_RUN, *ORIGIN) and value is not None and value != {}:
            yield f"{name}: {value}"
    for name, value in _checksums(results).items():
        yield f"md5 of {name}: {value}"


def _checksums(results: Results) -> dict[str, str]:
    found: dict[str, str] = {}
    for dataset in results.plan["datasets"]:
        run = next((r for r in results.runs if r.dataset == dataset and r.status == "done"), None)
        if run is not None:
            checksums = results.environment(run).get("checksums")
            found |= checksums if isinstance(checksums, dict) else {}
    return found


def _settings(results: Results, dataset: str, table_id: str) -> Section:
    shape = _part(results, dataset)
    variants = [v["settings"] for v in results.plan["variants"] if v["dataset"] == dataset]
    levels = tuple(tuple(map(Cell, row)) for row in _levels(shape["axes"]))
    shared = tuple((Cell(name), Cell(line)) for name, line in _shared_settings(variants).items())
    axes = (Column("axis"), Column("level"), Column("settings"))
    return Section(
        f"settings-{dataset}",
        f"Settings: {dataset}",
        (
            Table(f"{table_id}-levels", "What the levels of the axes set", axes, levels),
            Table(table_id, "What all variants share", (Column("of"), Column("settings")), shared),
        ),
        level=3,
    )


def _levels(axes: dict[str, dict[str, dict[str, Any]]]) -> Iterator[tuple[str, str, str]]:
    """What every level of every axis sets: axis, level, settings in a line."""
    for axis, levels in axes.items():
        for level, overrides in levels.items():
            kept = {section: values for section, values in overrides.items() if values}
            yield axis, level, fmt.changed(kept) or "nothing"


def _shared_settings(variants: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What all variants of a data set have in common, a line for each section; stages have their own."""
    lines = {}
    for section in ("train", "data", "model"):
        shared = {
            key: value
            for key, value in variants[0][section].items()
            if key not in ("family", "dataset")
            and all(key in other[section] and other[section][key] == value for other in variants)
        }
        stages = shared.pop("stages", None)
        if shared:
            lines[section] = fmt.settings(shared)
        if stages is not None:
            lines["stages (t, c, n, s; a bare t is the expansion)"] = fmt.stages(stages)
    return lines


def _split(results: Results, dataset: str) -> str:
    if dataset not in ("cifar10", "cifar100"):
        return "Accuracy is that of the last epoch on held-out examples that took no part in training."
    held_out = (
        "Accuracy is that of the last epoch on training images 40,001 to 50,000, held out from training."
    )
    done = [run for run in results.runs if (run.dataset, run.status) == (dataset, "done")]
    tested = sum(run.test_accuracy is not None for run in done)
    if not tested:
        return f"{held_out} The official test part was not at hand."
    whose = "" if tested == len(done) else f" for {tested} of {len(done)} runs"
    return f"{held_out} The official test part was at hand{whose} and used once, after the last epoch."


def _outlook(summary: dict[str, Any]) -> Iterator[Block]:
    claims = summary["claims"]
    if not claims:
        yield Text(("There is no verdict to change.",))
        return
    columns = (
        Column("claim"),
        Column("data"),
        Column("verdict"),
        Column("detectable", True),
        Column("seeds", True),
        Column("seeds for half the interval", True),
    )
    rows = tuple(
        (
            Cell(_oneline(claim["statement"])),
            Cell(claim["dataset"]),
            Cell("", None, not claim["complete"], claim["verdict"]),
            Cell(_detectable(claim), claim["detectable"], not claim["complete"]),
            Cell(str(claim["n_seeds"]), claim["n_seeds"]),
            Cell(str(claim["seeds_for_half_interval"] or fmt.DASH), claim["seeds_for_half_interval"]),
        )
        for claim in claims
    )
    yield Table("table-outlook", "What it would take to know better", columns, rows)
    said = '"Detectable" is the smallest true contrast that this many seeds find with 80 % power.'
    yield Text((f"{said} {fmt.outlook(claims)}".strip(),))
    still_open = [(claim, more) for claim in claims if (more := fmt.to_decide(claim))]
    if still_open:
        yield Text(
            (
                "What would decide the open claims in a new plan of fixed seeds, among as many claims, if "
                "what was found were true:",
            )
        )
        yield Bullets(
            tuple((Code(claim["id"]), f" on {claim['dataset']}: {more}.") for claim, more in still_open)
        )


def _detectable(claim: dict[str, Any]) -> str:
    found = fmt.amount(claim["detectable"], claim["share"], sign=False)
    return f"{found} points" if claim["share"] and claim["detectable"] is not None else found


PAPER = """\
@inproceedings{sandler2018mobilenetv2,
  title     = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  author    = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and
               Chen, Liang-Chieh},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {4510--4520},
  year      = {2018},
  eprint    = {1801.04381},
  eprinttype = {arXiv}
}"""


def _citations(summary: dict[str, Any]) -> Iterator[Block]:
    origin = summary["origins"][0] if summary["origins"] else {}
    commit = f",\n  note    = {{commit {origin['commit']}}}" if origin.get("commit") else ""
    software = (
        "@software{bottleneck_lab,\n"
        "  author  = {{The bottleneck\\_lab authors}},\n"
        "  title   = {bottleneck\\_lab: Matched, replicated experiments on linear bottlenecks},\n"
        "  year    = {2026},\n"
        f"  version = {{{origin.get('bottleneck_lab') or __version__}}}{commit}\n"
        "}"
    )
    yield Listing("cite-paper", "The paper", PAPER)
    yield Listing("cite-software", "This software", software)


def _part(results: Results, dataset: str) -> dict[str, Any]:
    part = next(v["part"] for v in results.plan["variants"] if v["dataset"] == dataset)
    shape: dict[str, Any] = results.plan["ablation"]["parts"][part]
    return shape
