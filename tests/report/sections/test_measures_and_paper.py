"""What stands beside the accuracy: measures of networks, the cost of variants, the paper's numbers."""

import csv
import json
import math

import pytest
from findings_by_hand import a_variant

from bottleneck_lab.cli.text import print_answer, print_details
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.results.summary import read_summary
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.sections import measures
from bottleneck_lab.report.sentences.matching import matching
from bottleneck_lab.report.sentences.numbers import aligned, amount, half_width, measured, points
from bottleneck_lab.report.write import write_report

# Student's sleep data (1908), three patients, in hours. His t is 4.302653 for 2 degrees of freedom.
LOST = {"t=2, bottlenecks": (1.9, 0.8, 1.1), "t=2, nowhere": (0.7, -1.6, -0.2)}
MEAN = (1.2 + 2.4 + 1.3) / 3
HALF = 4.302653 * math.sqrt(sum((difference - MEAN) ** 2 for difference in (1.2, 2.4, 1.3)) / 2 / 3)


def with_measures(run):
    lost = LOST.get(run.variant, (0, 0, 0))[run.seed] / 100
    return {"measures": {"below_zero": 0.25, "lost_int8": lost}}


def claim(folder, name):
    return next(c for c in summarise(collect(folder)).claims if c.id == name)


def rows(text, first):
    """The cells of the rows of the report's table whose first column is called `first`."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return [found[0], *found[2:]]


def test_a_claim_on_a_measure_is_judged_on_that_measure(leave_runs):
    bits = claim(leave_runs(with_measures), "bits")
    assert (bits.measure, bits.n_seeds, bits.reason) == ("lost_int8", 3, None)
    assert bits.estimate == pytest.approx(MEAN / 100)
    assert (bits.ci_low, bits.ci_high) == pytest.approx(((MEAN - HALF) / 100, (MEAN + HALF) / 100), abs=1e-7)


def test_a_claim_may_be_on_the_difference_of_two_measures(leave_runs):
    folder = leave_runs(with_measures)
    plan = (folder / "plan.json").read_text()
    assert plan.count('"measure": "lost_int8"') == 2  # of the claim, and of the design that judges it
    (folder / "plan.json").write_text(
        plan.replace('"measure": "lost_int8"', '"measure": "lost_int8 - below_zero"')
    )
    bits = claim(folder, "bits")
    assert bits.label == "accuracy lost with 8 bits less bottleneck pre-activations below 0"
    assert bits.share
    assert bits.estimate == pytest.approx(MEAN / 100)  # as much is below 0 in both variants
    run = collect(folder).of("t=2, nowhere", "digits")[1]
    assert run.value_of("lost_int8 - below_zero") == pytest.approx(-0.016 - 0.25)
    assert run.value_of("lost_int8 - unknown") is None


def test_of_many_measures_each_is_a_row(leave_runs, monkeypatch):
    monkeypatch.setattr(measures, "MOST_COLUMNS", 1)
    head, first, second = rows(write_report(leave_runs(with_measures))[0].read_text(), "measure")
    assert head[:2] == ["measure", "t=2, bottlenecks"]
    assert first[:2] == ["bottleneck pre-activations below 0", "25.0 % [25.0, 25.0]"]
    assert second[0] == "accuracy lost with 8 bits"


@pytest.mark.parametrize("value", [None, "x", True, float("nan"), float("inf"), [1.0]])
def test_a_finished_run_without_the_measure_makes_its_pair_missing(leave_runs, value):
    folder = leave_runs(with_measures)
    run = collect(folder).of("t=2, nowhere", "digits")[1]
    path = folder / "runs" / run.id / "result.json"
    measures = {"below_zero": 0.25, "lost_int8": value}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"measures": measures}))
    bits = claim(folder, "bits")
    assert (bits.n_seeds, bits.verdict) == (2, "inconclusive")
    assert bits.reason == "2 of 3 pairs: 1 without lost_int8"
    assert claim(folder, "shortcuts").reason is None
    assert "Not every finished run has them all." in write_report(folder)[0].read_text()


def test_the_summary_has_costs_measures_and_the_papers_numbers(leave_runs):
    folder = leave_runs(with_measures)
    write_report(folder)
    variants = {v.name: v for v in read_summary(folder).variants}
    # 7 blocks, of which 3 are the second of their stage; a sandglass has two depthwise convolutions.
    assert [variants[f"t=2, {name}"].shortcuts for name in ("bottlenecks", "nowhere")] == [3, 0]
    assert [variants[f"t=2, {name}"].depthwise for name in ("bottlenecks", "sandglass")] == [7, 14]
    assert (variants["t=2, nowhere"].paper_top1, variants["t=4, sandglass"].paper_top1) == (69.55, None)
    lost = variants["t=2, bottlenecks"].measures["lost_int8"]
    assert (lost.label, lost.share) == ("accuracy lost with 8 bits", True)
    assert lost.mean == pytest.approx(sum(LOST["t=2, bottlenecks"]) / 300)
    assert lost.ci_low < lost.mean < lost.ci_high
    assert claim(folder, "shortcuts").paper == 1.51


def test_the_report_sets_the_papers_numbers_beside_ours_and_names_their_data(leave_runs):
    text = write_report(leave_runs(with_measures))[0].read_text()
    head, first, second, *_ = rows(text, "variant")
    paper = head.index("paper (ImageNet)")
    assert (first[paper], second[paper]) == ("71.06 %", "69.55 %")
    assert "top-1 accuracy on ImageNet, from Fig. 6b" in text
    assert "+1.51 points (ImageNet)" in text
    assert "Table 4, in part (ImageNet; Fig. 6b)" in text.partition("## Beside the paper")[2]
    assert rows(text, "network")[1:] == [["MobileNetV1", "70.6", "575M"], ["MobileNetV2", "72.0", "300M"]]


def test_the_report_shows_measures_levels_and_what_was_left_out(leave_runs):
    text = write_report(leave_runs(with_measures))[0].read_text()
    assert "| t=4, sandglass | 25.0 % [25.0, 25.0] | 0.0 % [0.0, 0.0] |" in text
    assert "| placement | nowhere | model.residual=none |" in text
    assert "leaves out: t=4, nowhere." in text
    assert "(accuracy lost with 8 bits)" in text


def test_shortcuts_and_depthwise_convolutions_have_columns_where_they_differ(leave_runs):
    head, *variants = rows(write_report(leave_runs(with_measures))[0].read_text(), "variant")
    place = head.index("shortcuts"), head.index("depthwise convolutions")
    cells = {row[0]: tuple(row[column] for column in place) for row in variants}
    assert cells["t=2, nowhere"] == ("0", "7")
    assert cells["t=2, sandglass"][1] == "14"


def test_a_plan_without_counts_of_shortcuts_is_read_as_it_is(leave_runs):
    folder = leave_runs()
    plan = json.loads((folder / "plan.json").read_text())
    for variant in plan["variants"]:
        del variant["shortcuts"], variant["depthwise"]
    for key in ("without", "heat_map", "measures", "paper"):
        del plan["ablation"]["parts"]["images"][key]
    for of in plan["ablation"]["parts"]["images"]["claims"]:
        del of["measure"], of["paper"]
    files.write_json(folder / "plan.json", plan)
    path, summary = write_report(folder)
    assert summary.variants[0].shortcuts is None
    assert summary.claims[0].paper is None
    assert "shortcuts |" not in path.read_text()
    assert "Beside the paper" not in path.read_text()


def test_a_map_of_axes_that_are_not_there_is_refused(leave_runs):
    folder = leave_runs()
    plan = json.loads((folder / "plan.json").read_text())
    plan["ablation"]["parts"]["images"]["heat_map"] = ["expansion", "depth"]
    files.write_json(folder / "plan.json", plan)
    with pytest.raises(LabError, match="no place in the map"):
        collect(folder)


def test_a_measure_that_nobody_has_added_here_has_its_name_and_no_unit(leave_runs):
    folder = leave_runs(lambda run: {"measures": {"flat_minima": 3.25 + run.seed / 4}})
    text = (folder / "plan.json").read_text().replace('"lost_int8"', '"flat_minima"')
    (folder / "plan.json").write_text(text)
    path, summary = write_report(folder)
    assert summary.variants[0].measures["flat_minima"].label == "flat minima"
    bits = next(c for c in summary.claims if c.id == "bits")
    assert (bits.estimate, bits.share) == (0, False)
    assert "| +0 (flat minima) |" in path.read_text()


def test_measures_are_columns_of_the_table_of_runs(leave_runs):
    folder = leave_runs(with_measures)
    write_report(folder)
    with (folder / "results.csv").open() as stream:
        found = list(csv.DictReader(stream))
    of = next(row for row in found if row["variant"] == "t=2, bottlenecks" and row["seed"] == "1")
    assert float(of["measures.lost_int8"]) == pytest.approx(0.008)


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl"])
@pytest.mark.parametrize("measures", [3, [1], "x", {"lost_int8": {}}])
def test_measures_of_the_wrong_type_are_absent(leave_runs, name, measures):
    folder = leave_runs(with_measures)
    run = collect(folder).runs[0]
    content = {"epoch": 1, "accuracy": 0.75, "status": "done", "measures": measures}
    (folder / "runs" / run.id / name).write_text(json.dumps(content) + "\n")
    assert collect(folder).measured(run) == {}
    write_report(folder)


def test_the_terminal_shows_it_all_in_eighty_columns(leave_runs, capsys):
    summary = write_report(leave_runs(with_measures))[1]
    print_details(summary)
    print_answer(summary)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    for shown in ("(ImageNet)", "71.06 %", "shortcuts", "depthwise", "lost_int8", "1.3±1.4"):
        assert shown in printed
    flowing = " ".join(printed.split())
    assert "paper: +1.51 points (ImageNet)" in flowing
    assert "digits, accuracy lost with 8 bits, in percentage points" in flowing
    assert "] +1.6 points [" in flowing


def variant(params=1, madds=1, shortcuts=1, depthwise=1, level="x"):
    costs = {"params": params, "madds": madds, "shortcuts": shortcuts, "depthwise": depthwise}
    return a_variant(levels={"width": level}, **costs)


def test_the_sentence_on_matching_says_what_differs():
    equal = "All variants have equal parameters, MAdds, shortcuts and depthwise convolutions."
    assert matching([variant(), variant()], None) == equal
    fewer = matching([variant(), variant(shortcuts=0)], None)
    assert "NOT matched: they differ in shortcuts, as the table shows" in fewer
    assert "equal parameters, MAdds and depthwise convolutions" in fewer
    wider = [variant(), variant(params=9, madds=9, level="y")]
    assert matching(wider, "width").startswith("Variants of equal width have equal parameters, MAdds")
    assert "differ in parameters and MAdds" in matching(wider, None)
    unknown = [variant(shortcuts=None, depthwise=None)] * 2
    assert matching(unknown, None) == "All variants have equal parameters and MAdds."


def test_numbers_have_their_unit():
    share, plain = (0.123, 0.11, 0.13, True), (1.25, 1.0, 1.5, False)
    assert (measured(*share), measured(*plain)) == ("12.3 % [11.0, 13.0]", "1.25 [1, 1.5]")
    assert (half_width(*share), half_width(*plain)) == ("12.3±1.3", "1.25±0.25")
    assert (amount(0.012), amount(0.012, share=False)) == ("+1.2", "+0.012")
    assert (points(-0.0001), points(-0.0001, sign=False)) == ("+0.0", "0.0")
    assert aligned([["a", 70.6, 3.0], ["b", 72.0, "-"]]) == [["a", "70.6", "3"], ["b", "72.0", "-"]]
