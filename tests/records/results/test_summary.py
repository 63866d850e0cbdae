"""`summary.json`, written and read."""

import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.records.names import SUMMARY
from bottleneck_lab.records.results.summary import read_summary
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report


def test_a_summary_is_read_as_it_was_written(leave_runs):
    folder = leave_runs()
    write_report(folder)
    assert read_summary(folder) == summarise(collect(folder))
    assert read_summary(folder).to_json() == files.read_json(folder / SUMMARY)


def test_claims_that_were_judged_together_have_no_design(leave_runs, planned_before):
    folder = leave_runs()
    assert "level" in summarise(collect(folder)).to_json()["claims"][0]
    assert "level" not in summarise(collect(planned_before(folder))).to_json()["claims"][0]


@pytest.mark.parametrize("content", [{}, [], {"claims": [{"verdict": "supported, of course"}]}])
def test_what_is_no_summary_is_refused_with_the_place_where_it_is_not(tmp_path, content):
    files.write_json(tmp_path / SUMMARY, content)
    with pytest.raises(LabError, match=r"summary\.json: is not what `bottleneck-lab` leaves \("):
        read_summary(tmp_path)


def test_a_summary_of_a_former_version_is_read(leave_runs):
    folder = leave_runs()
    write_report(folder)
    content = files.read_json(folder / SUMMARY)
    for key in ("missing", "strays", "other_plans"):
        del content[key]
    for variant in content["variants"]:
        del variant["complete"], variant["n_planned"], variant["measures"], variant["paper_top1"]
    for claim in content["claims"]:
        del claim["complete"], claim["examples_low"], claim["family"]
    files.write_json(folder / SUMMARY, content)
    assert [claim.verdict for claim in read_summary(folder).claims] == ["inconclusive", "inconclusive"]
