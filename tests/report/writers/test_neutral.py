"""Names and texts of others are text in every format: no command, tag, link or formula."""

import csv
import io
import re
from dataclasses import replace

import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.results.table import table_of
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.sentences import plain
from bottleneck_lab.report.write import write_report

HOSTILE = [
    "\\input{/etc/passwd}",
    "</td><script>alert(1)</script><img src=x>",
    "[a](javascript:b) ![c](http://d)",
    "=HYPERLINK(1)",
    "a\n\n# Heading\n\n| b | ``` `c`",
]


def renamed(tree, before, after):
    if isinstance(tree, dict):
        return {renamed(key, before, after): renamed(value, before, after) for key, value in tree.items()}
    if isinstance(tree, list):
        return [renamed(value, before, after) for value in tree]
    return tree.replace(before, after) if isinstance(tree, str) else tree


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_or_text_of_a_plan_is_only_text_in_a_report(leave_runs, text):
    results = leave_runs()
    plan = renamed(files.read_json(results / "plan.json"), "t=2", text)
    plan["ablation"] |= dict.fromkeys(("question", "source", "reported", "against"), text)
    files.write_json(results / "plan.json", plan)
    for path in results.glob("runs/*/result.json"):
        files.write_json(path, renamed(files.read_json(path), "t=2", text))
    write_report(results)
    markdown, latex, page = ((results / f"report.{suffix}").read_text() for suffix in ("md", "tex", "html"))
    outside_code = re.sub(r"(`+).*?\1", "", markdown, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<[A-Za-z/!?]", outside_code)
    assert not re.search(r"(?<!\\)\]\((?!\S*\.(svg|png|json|csv|html|md|tex)\))", outside_code)
    assert "\n# Heading" not in markdown
    assert "\\input" not in latex.replace("\\inputenc", "").replace("{inputenc}", "")
    assert "alert(1)<" not in page
    assert "<img src=x" not in page
    rows = list(csv.reader(io.StringIO((results / "results.csv").read_text())))
    assert len(rows) == 1 + len(collect(results).runs)
    assert not [cell for row in rows for cell in row if re.match(r"\s*[=+\-@]\s*\D", cell)]


@pytest.mark.parametrize("name", ["=1", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_compute_has_an_apostrophe_before_it(leave_runs, name):
    (run, *_) = collect(leave_runs()).runs
    (_, row) = csv.reader(io.StringIO(table_of((replace(run, variant=name, loss=-0.5),)), newline=""))
    assert row[0] == "'" + name.replace("\r", " ")
    assert "-0.5" in row  # a number stays one


@pytest.mark.parametrize("name", ["\\input{x}", "../../elsewhere", "<script>", "a b", "", "x" * 5 + "\n"])
def test_a_data_set_that_no_run_can_have_is_refused_before_it_names_a_file(leave_runs, name):
    results = leave_runs()
    files.write_json(results / "plan.json", renamed(files.read_json(results / "plan.json"), "digits", name))
    with pytest.raises(LabError, match=r"plan\.json: is not a plan as a run writes it \(datasets"):
        collect(results)


@pytest.mark.parametrize("run", ["../../elsewhere", "/etc", "a/b", ""])
def test_a_run_is_looked_for_among_the_runs_only(leave_runs, run):
    results = leave_runs()
    plan = files.read_json(results / "plan.json")
    plan["variants"][0]["runs"]["0"] = run
    files.write_json(results / "plan.json", plan)
    with pytest.raises(LabError, match="is not a plan as a run writes it"):
        collect(results)


def test_code_holds_whatever_is_in_it():
    assert plain.code("plain") == "`plain`"
    assert plain.code("``` a ` b") == "```` ``` a ` b ````"


def test_what_is_no_tag_and_no_link_is_left_as_it_reads_best():
    assert (
        plain.markdown("p < 0.001, 3 <= 4, [0.1, 0.2] (Sec. 3)") == "p < 0.001, 3 <= 4, [0.1, 0.2] (Sec. 3)"
    )
