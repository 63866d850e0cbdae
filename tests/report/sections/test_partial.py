"""A report of an unfinished ablation: what is missing is said, and what may change is marked."""

import json
import shutil

import pytest

from bottleneck_lab.cli.text import print_answer, print_details
from bottleneck_lab.records.results.summary import Missing
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

NAMES = ("t=2, bottlenecks", "t=2, nowhere", "t=2, sandglass", "t=4, bottlenecks", "t=4, sandglass")


def lose(results, name, seeds):
    """Remove the folders of these runs: they are not started."""
    for variant in json.loads((results / "plan.json").read_text())["variants"]:
        if variant["name"] == name:
            for seed in seeds:
                shutil.rmtree(results / "runs" / variant["runs"][str(seed)])


def by_name(entries, key="name"):
    return {getattr(entry, key): entry for entry in entries}


def row_of(text, beginning):
    row = next(line for line in text.splitlines() if line.startswith(f"| {beginning} |"))
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_nothing_of_a_finished_ablation_may_change(leave_runs):
    results = leave_runs()
    path, summary = write_report(results)
    assert summary.missing == []
    assert all(entry.complete for entry in summary.variants + summary.claims)
    assert {(v.n_seeds, v.n_planned) for v in summary.variants} == {(3, 3)}
    assert "\\*" not in path.read_text()
    assert "What is missing" not in path.read_text()


def test_a_report_of_an_unfinished_ablation_says_what_is_missing(leave_runs):
    results = leave_runs()
    lose(results, "t=2, nowhere", [0, 2])
    path, summary = write_report(results)
    assert summary.missing == [
        Missing(dataset="digits", variant="t=2, nowhere", seeds=[0, 2], status="not started")
    ]
    assert "- t=2, nowhere on digits: seeds 0, 2 (not started)" in path.read_text()
    variants = by_name(summary.variants)
    assert (variants["t=2, nowhere"].n_seeds, variants["t=2, nowhere"].n_planned) == (1, 3)
    assert [name for name, v in variants.items() if not v.complete] == ["t=2, nowhere"]


def test_every_number_that_may_change_is_marked_and_no_other(leave_runs):
    results = leave_runs()
    lose(results, "t=2, nowhere", [0])
    text = write_report(results)[0].read_text()
    lost, kept = row_of(text, "t=2, nowhere"), row_of(text, "t=2, bottlenecks")
    assert "2 of 3" in lost
    assert "75.0 %\\*" in lost
    assert not any("\\*" in cell for cell in kept)
    assert "75.0 %" in kept
    row = row_of(text, "Shortcuts are better than none.")
    assert any(cell.strip().startswith("**inconclusive**\\*") for cell in row)


def print_all(summary):
    print_details(summary)
    print_answer(summary)


def test_a_terminal_marks_the_same_numbers_and_says_so_once(leave_runs, capsys):
    results = leave_runs()
    print_all(summarise(collect(results)))
    assert "*" not in capsys.readouterr().out
    lose(results, "t=2, nowhere", [0])
    print_all(summarise(collect(results)))
    printed = capsys.readouterr().out
    rows = {name: [line for line in printed.splitlines() if line.startswith(name)] for name in NAMES}
    assert [name for name in NAMES if "*" in "".join(rows[name])] == ["t=2, nowhere"]
    assert "75.0±0.0*" in rows["t=2, nowhere"][0]  # of accuracies; the second row is of measures
    assert "inconclusive*" in printed
    assert "+0.0 points* [" in printed
    assert printed.count("may change") == 1
    assert max(map(len, printed.splitlines())) <= 80


def test_a_claim_may_change_while_another_of_its_family_is_incomplete(leave_runs, planned_before):
    results = planned_before(leave_runs())
    plan = json.loads((results / "plan.json").read_text())
    plan["ablation"]["parts"]["images"]["claims"][1]["contrast"] = {
        "t=4, bottlenecks": 1,
        "t=4, sandglass": -1,
    }
    (results / "plan.json").write_text(json.dumps(plan))
    lose(results, "t=4, sandglass", [1])
    claims = by_name(summarise(collect(results)).claims, "id")
    found = {name: (claim.estimate_complete, claim.complete) for name, claim in claims.items()}
    assert found == {"shortcuts": (True, False), "bits": (False, False)}  # Holm's correction is over both


@pytest.mark.parametrize(
    ("status", "final"), [("diverged", True), ("failed", False), ("unheard of", False), ("done", True)]
)
def test_what_a_new_start_would_train_again_may_change(leave_runs, status, final):
    results = leave_runs(
        result=lambda run: {"status": status} if (run.variant, run.seed) == ("t=4, sandglass", 1) else {}
    )
    summary = summarise(collect(results))
    assert by_name(summary.variants)["t=4, sandglass"].complete is final
