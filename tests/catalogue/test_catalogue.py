"""The ablations that come with the project: what they promise, the paper's numbers in them, that all run."""

import itertools
import json
import os
import statistics
import subprocess
import sys

import pytest

from bottleneck_lab.config import TIERS, catalogue, load
from bottleneck_lab.models import cost_of

EVERY = {
    "linear_vs_relu",
    "linear_vs_relu_by_width",
    "linear_vs_relu_long",
    "fit_to_zero",
    "residual_placement",
    "expansion_ratio",
    "capacity_vs_expressiveness",
    "depthwise_separable",
    "few_bits",
    "relu6_low_precision",
    "other_architectures",
    "width_multiplier",
    "why_linear",
}


def paper_table(name):
    return load(name).parts["images"].paper.tables[0]


def test_every_ablation_is_there():
    assert set(catalogue()) == EVERY


@pytest.mark.parametrize("name", catalogue())
def test_each_runs_on_cifar_and_digits_in_all_tiers_with_seeds_enough_for_a_verdict(name):
    ablation = load(name)
    assert {"cifar10", "cifar100", "digits"} <= set(ablation.datasets())
    for tier, dataset in itertools.product(TIERS, ablation.datasets()):
        assert len(ablation.spending(tier, dataset).every_seed) >= (1 if tier == "smoke" else 3)


@pytest.mark.parametrize("name", catalogue())
def test_each_says_what_would_count_against_it_and_claims_something_on_every_part(name):
    ablation = load(name)
    assert ablation.question.endswith("?")
    assert ablation.source
    assert len(ablation.against) > 40
    assert all(part.claims for part in ablation.parts.values())


def test_the_gaps_of_fig_6a_are_the_differences_of_its_curves():
    for _, linear, relu6, gap in paper_table("linear_vs_relu").rows:
        assert linear - relu6 == pytest.approx(gap, abs=0.0101)  # all three are rounded


def test_the_end_of_fig_6a_is_what_the_table_and_the_claim_have_from_the_paper():
    part = load("linear_vs_relu").parts["images"]
    last = [row for row in part.paper.tables[0].rows if float(row[0]) >= 6]
    assert statistics.mean(row[1] for row in last) == pytest.approx(
        part.paper.top1["linear, shortcut"], abs=0.05
    )
    assert statistics.mean(row[2] for row in last) == pytest.approx(
        part.paper.top1["relu6, shortcut"], abs=0.05
    )
    claim = next(claim for claim in part.claims if claim.id == "images_shortcut")
    top1 = part.paper.top1
    assert claim.paper == pytest.approx(top1["linear, shortcut"] - top1["relu6, shortcut"])


def test_the_gaps_of_fig_6b_end_where_the_table_and_the_claims_say():
    part = load("residual_placement").parts["images"]
    top1 = part.paper.top1
    claims = {claim.id: claim.paper for claim in part.claims}
    assert top1["between bottlenecks"] - top1["between expansions"] == pytest.approx(claims["expansions"])
    assert top1["between bottlenecks"] - top1["none"] == pytest.approx(claims["none"])
    last = [row for row in part.paper.tables[0].rows if float(row[0]) >= 6]  # of the same window
    assert statistics.mean(row[1] for row in last) == pytest.approx(claims["expansions"], abs=0.05)
    assert statistics.mean(row[2] for row in last) == pytest.approx(claims["none"], abs=0.05)


def test_the_claims_about_the_multiplier_are_differences_of_points_of_fig_5():
    part = load("width_multiplier").parts["images"]
    row = next(row for row in part.paper.tables[0].rows if row[0] == "224")
    top1 = {
        name: float(cell.split()[0])
        for name, cell in zip(part.paper.tables[0].columns[1:], row[1:], strict=True)
    }
    claims = {claim.id: claim.paper for claim in part.claims}
    assert claims["wider"] == pytest.approx(top1["x1.0"] - top1["x0.35"])
    assert claims["wider_still"] == pytest.approx(top1["x1.4"] - top1["x1.0"])


@pytest.mark.parametrize("dataset", ["cifar10", "digits"])
def test_placements_of_shortcuts_are_matched_but_for_the_sandglass(dataset):
    costs = {v.name: cost_of(v.settings) for v in load("residual_placement").variants("quick", [dataset])}
    sandglass = costs.pop("sandglass")
    assert len({(cost.params, cost.madds, cost.depthwise) for cost in costs.values()}) == 1
    assert costs["as many as between expansions"].shortcuts == costs["between expansions"].shortcuts
    assert costs["between bottlenecks"].shortcuts > costs["between expansions"].shortcuts > 0
    assert costs["none"].shortcuts == 0
    assert sandglass.depthwise == 2 * costs["none"].depthwise


@pytest.mark.parametrize("dataset", ["cifar10", "digits", "spiral"])
def test_expansion_ratios_of_equal_cost_have_equal_cost(dataset):
    costs = {v.name: cost_of(v.settings).madds for v in load("expansion_ratio").variants("quick", [dataset])}
    reference = costs["t=6, natural cost"]
    equal = [madds for name, madds in costs.items() if name.endswith("equal MAdds")]
    assert len(equal) == (7 if dataset == "spiral" else 8)
    close = 0.12 if dataset == "spiral" else 0.01  # toy blocks are matched, stem and classifier come on top
    assert all(madds == pytest.approx(reference, rel=close) for madds in equal)


def test_the_whole_catalogue_runs_in_smoke(tmp_path):
    """Also with digits alone at hand. In one process: the other core has tests to do."""
    run = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
    done = subprocess.run(
        [*run, "--all", "--tier", "smoke", "--workers", "1"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert done.returncode == 0, done.stderr
    for name in EVERY:
        folder = tmp_path / "results" / name / "smoke"
        found = json.loads((folder / "summary.json").read_text())
        assert found["runs"]["done"] == found["runs"]["planned"] > 0
        assert f"{name}: Of {len(found['claims'])} claims:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["linear_vs_relu", "--all"], "--all runs the whole catalogue: leave out 'linear_vs_relu'"),
        (["--all", "--dataset", "nonsense"], "no ablation of the catalogue can run on it"),
        (["--all", "--dataset", "spiral", "--set", "train.epoch=3"], "unknown key; did you mean 'epochs'?"),
    ],
)
def test_what_cannot_be_meant_of_all_is_refused_before_any_is_trained(arguments, sentence, tmp_path):
    run = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
    done = subprocess.run([*run, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert not (tmp_path / "results").exists()


def test_a_dry_run_downloads_nothing(tmp_path):
    run = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]
    asked = [*run, "linear_vs_relu", "--dataset", "cifar10", "--dry-run"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "CIFAR-10 is not at hand, and --dry-run downloads nothing" in " ".join(done.stderr.split())
