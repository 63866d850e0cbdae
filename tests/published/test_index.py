"""The index of a results folder, from summaries alone."""

import pytest
import typer
from typer.testing import CliRunner

from bottleneck_lab.cli.results.report import report
from bottleneck_lab.published.index import write_index
from bottleneck_lab.report.write import write_report

app = typer.Typer()
app.command()(report)


def test_an_index_says_what_came_out_and_what_is_unfinished(leave_runs):
    folder = leave_runs(result=lambda run: {"status": "failed"} if run.seed == 0 else {})
    write_report(folder)
    page = write_index(folder.parent).read_text()
    assert 'href="results/report.html"' in page
    assert "Does a grid of variants come out in tables and figures?" in page
    assert "2 inconclusive" in page
    assert "10 of 15" in page  # five variants of three seeds
    assert ">partial<" in page


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", "{}", '{"claims": 3}', '{"claims": [{}]}'])
def test_a_folder_that_cannot_be_read_is_named_and_nothing_is_lost(leave_runs, content):
    folder = leave_runs()
    write_report(folder)
    broken = folder.parent / "broken <b>" / "quick"
    broken.mkdir(parents=True)
    (broken / "summary.json").write_text(content)
    page = write_index(folder.parent).read_text()
    assert "<code>broken &lt;b&gt;/quick</code>" in page
    assert 'href="results/report.html"' in page


def test_without_a_plan_that_can_be_read_it_says_what_the_summary_does(leave_runs):
    folder = leave_runs()
    write_report(folder)
    (folder / "plan.json").write_text("{}")
    page = write_index(folder.parent).read_text()
    assert "2 inconclusive" in page
    assert "<code>results</code>" not in page  # as folders are named that cannot be read


def test_an_index_reads_no_runs(leave_runs):
    folder = leave_runs()
    write_report(folder)
    before = write_index(folder.parent).read_text()
    (folder / "runs").rename(folder / "elsewhere")
    assert write_index(folder.parent).read_text() == before


def test_an_empty_folder_has_an_index_too(tmp_path):
    assert "There is no report here yet." in write_index(tmp_path).read_text()


def test_making_reports_again_makes_the_index_again(leave_runs):
    folder = leave_runs()
    result = CliRunner().invoke(app, [str(folder.parent)])
    assert result.exit_code == 0
    assert 'href="results/report.html"' in (folder.parent / "index.html").read_text()
