"""What hypotheses predicted beside what was measured."""

from __future__ import annotations

from bottleneck_lab.records.results.summary import Prediction, PredictionsFinding, Rank
from bottleneck_lab.report.document import Block, Cell, Column, Section, Table, Text
from bottleneck_lab.report.sentences import numbers

_VERDICT_MARKS = {"excluded": " excluded", "met": " met", "open": "", None: ""}


def predictions(found: PredictionsFinding, table_id: str) -> Section:
    """What hypotheses predicted beside what was measured, and which of them are excluded."""
    names = [hypothesis.name for hypothesis in found.hypotheses]
    arms = tuple(
        (
            Cell(arm.variant),
            Cell(numbers.short(arm.lost, 1), arm.lost),
            Cell(numbers.ends(arm.ci_low, arm.ci_high, 1)),
            *(_predicted(arm.predicted.get(name)) for name in names),
        )
        for arm in found.arms
    )
    beyond = tuple(
        (Cell(arm.variant), *(_beyond(arm.predicted.get(name)) for name in names)) for arm in found.arms
    )
    columns = (Column("arm"), Column("lost", True), Column("95 % interval", True))
    covariates = tuple(
        (
            Cell(arm.variant),
            *(Cell(numbers.short(value, 3), value) for value in arm.covariates.values()),
        )
        for arm in found.arms
        if arm.covariates is not None
    )
    hypotheses = tuple(
        (
            Cell(hypothesis.name.replace("_", " ")),
            Cell(hypothesis.says or numbers.DASH),
            Cell(hypothesis.verdict),
            Cell("; ".join(hypothesis.excluded_by) or numbers.DASH),
            _rank(hypothesis.rank),
        )
        for hypothesis in found.hypotheses
    )
    ranks = tuple((Cell(one.label), _rank(one.rank)) for one in found.covariates)
    rank_column = Column("rank correlation with what is lost", True)
    scaled = f", as proportions of what {found.anchor} loses" if found.anchor else ""
    blocks: list[Block] = [
        Table(
            table_id,
            f"Accuracy lost on {found.dataset} and what was predicted, in points",
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
                f"what was lost beyond it lies more than {found.tolerance:g} points off, met where it "
                "lies within; the interval, in the next table, has a level of 1 - 5 % over the number of the "
                "hypothesis's predictions (with planned looks, 1 - a look's share of these 5 %), and is that "
                "of the look which excluded it, or else of the last that is complete. A hypothesis is "
                "excluded if one of its predictions is. Rank correlations have 95 % bootstrap intervals over "
                "arms and seeds.",
            )
        ),
        Table(
            f"{table_id}-beyond",
            "What was lost beyond the predictions, in points",
            (Column("arm"), *(Column(name.replace("_", " "), True) for name in names)),
            beyond,
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
    return Section(f"predictions-{found.dataset}", f"Predictions: {found.dataset}", tuple(blocks))


def _predicted(found: Prediction | None) -> Cell:
    if found is None:
        return Cell(numbers.DASH)
    return Cell(f"{found.points:.1f}{_VERDICT_MARKS[found.verdict]}", found.points)


def _beyond(found: Prediction | None) -> Cell:
    if found is None or found.beyond is None:
        return Cell(numbers.DASH)
    ends = numbers.ends(found.low, found.high, 1)
    return Cell(f"{numbers.short(found.beyond, 1)} {ends}{_VERDICT_MARKS[found.verdict]}", found.beyond)


def _rank(found: Rank | None) -> Cell:
    if found is None:
        return Cell(numbers.DASH)
    ends = numbers.ends(found.low, found.high, 2)
    return Cell(f"{found.estimate:.2f} {ends}, {found.arms} arms", found.estimate)
