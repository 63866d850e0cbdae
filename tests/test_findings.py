"""The numbers of docs/findings.md stand in the published records."""

import re
from pathlib import Path

import numpy as np
import pytest

from bottleneck_lab.records.results.summary import read_summary
from bottleneck_lab.report.findings.judged import with_intervals_as_judged

ROOT = Path(__file__).parents[1]
LONG = "linear_vs_relu_long_laptop"
TABLES = [
    [[cell.strip(" *`") for cell in line[1:-1].split("|")] for line in table.splitlines()]
    for table in re.findall(r"(?:^\|.*\n)+", (ROOT / "docs/findings.md").read_text("utf-8"), re.MULTILINE)
]
OF_CLAIMS = [row for head, _, *rows in TABLES if head[-1] == "record" for row in rows]


@pytest.mark.parametrize("row", OF_CLAIMS, ids=[row[0] for row in OF_CLAIMS])
def test_a_row_about_a_record_is_a_claim_of_that_record(row):
    _, points, verdict, record = row
    claims = with_intervals_as_judged(read_summary(ROOT / "figures" / record).claims)
    said = {
        (f"{100 * c.estimate:.1f} [{100 * c.ci_low:.1f}, {100 * c.ci_high:.1f}]", c.verdict) for c in claims
    }
    assert (points, verdict) in said


def test_what_controls_cost_is_what_was_published():
    [rows] = [rows for head, _, *rows in TABLES if head[0].startswith("control")]
    arms = {arm.variant: arm for arm in read_summary(ROOT / "figures/why_linear").predictions[0].arms}
    for control, _, costs in rows:
        arm = arms[control.split("`")[0].split(":")[0]]
        assert costs == f"{arm.lost:.1f} [{arm.ci_low:.1f}, {arm.ci_high:.1f}]"


def by_length():
    """The table by epochs: its numbers by the first cell of their row, and epochs."""
    [(head, _, *rows)] = [table for table in TABLES if table[0][0] == "epochs"]
    return {
        name: {int(epochs): float(cell) for epochs, cell in zip(head[1:], cells, strict=True) if cell}
        for name, *cells in rows
    }


def test_what_long_trainings_come_to_is_what_was_published():
    summary, shown = read_summary(ROOT / "figures" / LONG), by_length()
    means = {variant.name: 100 * variant.mean for variant in summary.on("cifar10")}
    for row, arm in {"linear, %": "linear", "ReLU6, %": "relu6"}.items():
        found = {epochs: means[f"{arm}, {epochs} epoch{'s' * (epochs > 1)}"] for epochs in shown[row]}
        assert shown[row] == {epochs: float(f"{mean:.1f}") for epochs, mean in found.items()}
    lengths = {row.epochs: row for row in summary.budgets[0].lengths}
    costs = {epochs: float(f"{100 * row.gap:.1f}") for epochs, row in lengths.items()}
    assert shown["ReLU6 costs, points"] == costs
    stretches = {
        epochs: float(f"{row.stretch.estimate:.1f}") for epochs, row in lengths.items() if epochs > 1
    }
    assert shown["time stretch, by loss"] == stretches


def test_the_stretch_by_accuracy_is_read_off_between_lengths():
    summary = read_summary(ROOT / "figures" / LONG)
    found = {}
    for variant in summary.on("cifar10"):
        epochs = int(variant.levels["budget"].split()[0])
        found.setdefault(variant.levels["projection"], {})[epochs] = variant.mean
    lengths = [*found["linear"]]
    for epochs, said in by_length()["time stretch, by accuracy"].items():
        as_good = 2 ** np.interp(found["relu6"][epochs], [*found["linear"].values()], np.log2(lengths))
        assert said == pytest.approx(epochs / as_good, abs=0.05)
