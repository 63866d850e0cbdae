"""How settings were chosen, and what the length of training does."""

from __future__ import annotations

from bottleneck_lab.config.ablations.tuning import Tuned
from bottleneck_lab.records.results.summary import BudgetFinding
from bottleneck_lab.report.document import Block, Bullets, Cell, Code, Column, Section, Strong, Table, Text
from bottleneck_lab.report.findings.budget import stretch_ends, stretch_text
from bottleneck_lab.report.sentences import numbers
from bottleneck_lab.stats.best_of import expected_best


def tuning(tuned: Tuned, table_id: str) -> Section:
    """The section of a record of tuning."""
    arms, trials = tuned.chosen, len(tuned.trials) // len(tuned.chosen)
    own = {arm: tuned.mean(arm, value) for arm, value in arms.items()}
    grid = tuple(
        (
            Cell(arm),
            *(
                Cell(numbers.percent(mean) + (" (chosen)" if value == arms[arm] else ""), mean)
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
            Cell(numbers.percent(own[arm]), own[arm]),
            *(_shared_cell(tuned, arm),),
            *(
                Cell(numbers.percent(found), found)
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
                    f"nothing else uses ({numbers.seeds(seeds)}).{edge} Every arm had {trials} trials. "
                    "Accuracies here are of these short trials, and those of chosen values are too good, as "
                    "the best of several are. This record is ",
                    Code(tuned.hash),
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
        return Cell(numbers.DASH)
    mean = tuned.mean(arm, tuned.shared)
    return Cell(numbers.percent(mean), mean)


def budget(found: BudgetFinding, table_id: str) -> Section:
    """The section of what the length of training does."""
    fast, slow = found.fast, found.slow
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
            Cell(f"{row.epochs:g}", row.epochs),
            Cell(str(row.n_seeds), row.n_seeds),
            Cell(numbers.points(row.gap), row.gap),
            Cell(numbers.interval(row.ends.ci_low, row.ends.ci_high) if row.ends else numbers.DASH),
            Cell(stretch_text(row.stretch), row.stretch.estimate if row.stretch else None),
            Cell(stretch_ends(row.stretch)),
        )
        for row in found.lengths
    )
    blocks: list[Block] = [
        Table(
            table_id,
            f"{fast} and {slow} after trainings of every length on {found.dataset}",
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
    if found.rules:
        blocks.append(Bullets(tuple((line,) for line in found.rules.said)))
        blocks.append(Text((Strong(found.rules.verdict),)))
    return Section(f"budget-{found.dataset}", f"Training length: {found.dataset}", tuple(blocks))
