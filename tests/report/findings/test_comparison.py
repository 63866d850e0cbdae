"""Two results folders side by side; the runs are written by hand."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app
from bottleneck_lab.errors import LabError
from bottleneck_lab.report.findings.comparison import compare

A, B = "t=2, bottlenecks", "t=2, nowhere"
EXAMPLES = 1000


@pytest.fixture
def two_folders(leave_runs, tmp_path):
    """A function that leaves two folders of the same plan, whose runs are right about so many examples."""

    def leave(of_a, of_b):
        folders = []
        for name, count in (("a", of_a), ("b", of_b)):
            leave_runs(correct=lambda run, count=count: np.arange(EXAMPLES) < count(run))
            folders.append((tmp_path / "results").rename(tmp_path / name))
        return folders

    return leave


def row(found, name):
    return next(row for row in found.comparisons[0].accuracies if row.variant == name)


def test_a_copy_is_the_same_to_the_bit(two_folders):
    found = compare(*two_folders(lambda run: 700 + run.seed, lambda run: 700 + run.seed))
    comparison = found.comparisons[0]
    assert not comparison.shared
    assert not comparison.settings
    assert not comparison.environment
    for each in comparison.accuracies:
        assert (each.method, each.n_pairs, each.n_identical) == ("paired", 3, 3)
        assert (each.difference, each.low, each.high, each.p_holm, each.differs) == (0, 0, 0, 1, False)
    assert not any(claim.changed for claim in comparison.claims)


def test_the_same_accuracy_on_other_examples_is_not_identical(two_folders):
    a, b = two_folders(lambda run: 700, lambda run: 700)
    for path in b.glob("runs/*/correct.npy"):
        np.save(path, np.arange(EXAMPLES) >= 300)
    assert row(compare(a, b), A).n_identical == 0
    assert row(compare(a, b), A).difference == 0


def test_a_difference_beyond_the_noise_of_pairs_is_found_and_no_other(two_folders):
    lost = {0: 100, 1: 101, 2: 99}  # t = 100 / (1 / sqrt 3) = 173.2 with 2 degrees: p = 3.33e-5
    a, b = two_folders(lambda run: 700, lambda run: 700 - (lost[run.seed] if run.variant == A else 0))
    found = compare(a, b)
    assert row(found, A).difference == pytest.approx(-0.1)
    assert row(found, A).p_value == pytest.approx(3.33e-5, rel=1e-2)
    assert row(found, A).p_holm == pytest.approx(5 * 3.33e-5, rel=1e-2)  # the smallest of five
    assert [each.variant for each in found.comparisons[0].accuracies if each.differs] == [A]


def test_other_settings_make_independent_samples_and_what_all_share_is_said_once(two_folders):
    a, b = two_folders(lambda run: 700 + run.seed, lambda run: 710 + run.seed)
    plan = json.loads((b / "plan.json").read_text())
    for variant in plan["variants"]:
        variant["settings"]["train"]["epochs"] = 9
        if variant["name"] == B:
            variant["settings"]["model"]["expansion"] = 5.0
    (b / "plan.json").write_text(json.dumps(plan))
    comparison = compare(a, b).comparisons[0]
    assert comparison.shared == {"train.epochs": (2, 9)}
    assert comparison.settings == {f"{B} on digits": {"model.expansion": (2.0, 5.0)}}
    # Welch of two spreads of 0.001 with 3 each: 0.010 / (0.001 sqrt(2 / 3)) = 12.2 with 4 degrees
    assert row(compare(a, b), A).method == "welch"
    assert row(compare(a, b), A).p_value == pytest.approx(2.55e-4, rel=1e-2)


def test_a_changed_verdict_is_marked(two_folders, planned_before):
    a, b = two_folders(
        lambda run: 700 + run.seed + (50 + run.seed % 2 if run.variant == A else 0),
        lambda run: 700 + run.seed - (50 + run.seed % 2 if run.variant == A else 0),
    )
    planned_before(a), planned_before(b)  # three seeds had a verdict then
    claim = next(claim for claim in compare(a, b).comparisons[0].claims if claim.id == "shortcuts")
    assert (claim.verdicts, claim.changed) == (("supported", "contradicted"), True)
    output = CliRunner().invoke(app, ["compare", str(a), str(b)], catch_exceptions=False).output
    assert "VERDICT CHANGED: shortcuts" in output
    assert max(map(len, output.splitlines())) <= 80


def test_machines_and_seeds_that_differ_are_named(two_folders):
    a, b = two_folders(lambda run: 700, lambda run: 700)
    for path in b.glob("runs/*"):
        (path / "environment.json").write_text(json.dumps({"cpu": "an abacus", "checksums": {"x": "1"}}))
    plan = json.loads((b / "plan.json").read_text())
    for variant in plan["variants"]:
        del variant["runs"]["2"]
    for design in plan["designs"].values():
        design["looks"] = [2]
    (b / "plan.json").write_text(json.dumps(plan))
    comparison = compare(a, b).comparisons[0]
    assert comparison.environment == {"cpu": ((), ("an abacus",))}
    assert comparison.checksums == {"x": ((), ("1",))}
    assert comparison.seeds[f"{A} on digits"] == ((0, 1, 2), (0, 1))
    assert row(compare(a, b), A).p_value is None  # two pairs carry no verdict


def test_two_trees_are_compared_where_both_have_results(two_folders, tmp_path):
    a, b = two_folders(lambda run: 700, lambda run: 700)
    for place in ("one/x/smoke", "one/y/smoke"):
        shutil.copytree(a, tmp_path / place)
    for place in ("two/x/smoke", "two/z/quick"):
        shutil.copytree(b, tmp_path / place)
    found = compare(tmp_path / "one", tmp_path / "two")
    assert [one.name for one in found.comparisons] == ["x/smoke"]
    assert (found.only_in_a, found.only_in_b) == (("y/smoke",), ("z/quick",))
    done = CliRunner().invoke(app, ["compare", str(tmp_path / "one"), str(tmp_path / "two"), "--json"])
    assert json.loads(done.output)["only_in_a"] == ["y/smoke"]


def test_a_folder_without_results_is_refused_in_a_sentence(two_folders, tmp_path):
    a, _ = two_folders(lambda run: 700, lambda run: 700)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="holds no results"):
        compare(a, tmp_path / "empty")


def test_a_measure_that_differs_beyond_noise_is_found_beside_accuracies_that_do_not(leave_runs, tmp_path):
    lost = {0: 0.100, 1: 0.101, 2: 0.099}  # t = 173.2 with 2 degrees, as above
    for name, sign in (("a", 0), ("b", 1)):

        def measured(run, sign=sign):
            more = sign * lost[run.seed] if run.variant == A else 0.0
            return {"measures": {"below_zero": 0.5 + 0.01 * run.seed + more}}

        leave_runs(result=measured)
        (tmp_path / "results").rename(tmp_path / name)
    a, b = tmp_path / "a", tmp_path / "b"
    found = compare(a, b)
    rows = {(row.variant, row.measure): row for row in found.comparisons[0].measures}
    assert rows[A, "below_zero"].difference == pytest.approx(0.1)
    assert rows[A, "below_zero"].p_value == pytest.approx(3.33e-5, rel=1e-2)
    # the smallest of ten: five accuracies and five shares; no run has the other measure
    assert rows[A, "below_zero"].p_holm == pytest.approx(10 * 3.33e-5, rel=1e-2)
    assert rows[B, "lost_int8"].method == "none"
    assert [key for key, row in rows.items() if row.differs] == [(A, "below_zero")]
    assert not any(row.differs for row in found.comparisons[0].accuracies)
    output = CliRunner().invoke(app, ["compare", str(a), str(b)], catch_exceptions=False).output
    assert "digits, below_zero" in output
    assert "+10.0" in output
    assert max(map(len, output.splitlines())) <= 80
