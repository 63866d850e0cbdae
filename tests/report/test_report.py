"""From run folders to numbers and verdicts, without training: the folders are written by hand."""

import csv
import dataclasses
import json
import re

import pytest

from bottleneck_lab.cli.text import cost_table, print_answer, print_details
from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.records import files
from bottleneck_lab.report.drawing.style import save
from bottleneck_lab.report.figures.curves.accuracy import accuracy_against_facet, accuracy_curves
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.sentences.numbers import duration, p_value, percent, points
from bottleneck_lab.report.write import write_report
from bottleneck_lab.runs.plan import Data, make_plan

NOTICE = "CIFAR-10 was not found"


@pytest.fixture
def plan(mini):
    data = Data(("spiral", "digits"), notices=(NOTICE,))
    plan = make_plan(load(str(mini)), "smoke", data, range(10), {})
    return dataclasses.replace(plan, designs={})  # as it was before plans had designs


# Student's sleep data (1908), in hours: the differences have the mean 1.58 and the interval 0.7001 to 2.4599.
DRUG_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
DRUG_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def accuracy_of(run):
    """Sleep data as accuracies (hours / 100 around one half) for the claim `narrow`; all else is equal."""
    if run.variant == "linear, d=2":
        return 0.5 + DRUG_2[run.seed] / 100
    if run.variant == "relu, d=2":
        return 0.5 + DRUG_1[run.seed] / 100
    return 0.75


def write_runs(plan, results, keep=lambda run: True, change=lambda run: {}):
    """Every run that is to `keep` as it leaves its folder, with what is to `change` in its result."""
    plan.write(results)
    for run in filter(keep, plan.runs()):
        folder = results / "runs" / run.id
        accuracy = accuracy_of(run)
        records = [{"epoch": epoch, "accuracy": accuracy * epoch / 3} for epoch in (1, 2, 3)]
        files.write_json_lines(folder / "metrics.jsonl", records)
        files.write_json(folder / "environment.json", {"wall_seconds": 2.0, "cpu_seconds": 1.0})
        result = {"status": "done", "accuracy": accuracy, "epochs": 3}
        files.write_json(folder / "result.json", {**result, **change(run)})


def claim(summary, name):
    return next(c for c in summary.claims if c.id == name)


def test_a_claim_has_the_interval_and_p_value_of_the_paired_t_test(plan, tmp_path):
    write_runs(plan, tmp_path)
    narrow = claim(summarise(collect(tmp_path)), "narrow")
    assert narrow.estimate == pytest.approx(0.0158)
    assert (narrow.ci_low, narrow.ci_high) == pytest.approx((0.007001142, 0.024598858), abs=1e-8)
    assert narrow.p_value == pytest.approx(0.002833, abs=5e-7)
    assert narrow.p_holm == pytest.approx(0.002833, abs=5e-7)  # the larger of two p-values
    assert (narrow.n_seeds, narrow.verdict) == (10, "supported")


def test_variants_that_always_agree_are_equivalent(plan, tmp_path):
    write_runs(plan, tmp_path)
    images = claim(summarise(collect(tmp_path)), "images")
    assert (images.estimate, images.verdict, images.dataset) == (0.0, "supported", "digits")


def test_the_summary_has_every_field_that_was_promised(plan, tmp_path):
    write_runs(plan, tmp_path)
    write_report(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {"ablation", "tier", "datasets", "variants", "claims"} <= summary.keys()
    assert summary["datasets"] == ["spiral", "digits"]
    promised = {"name", "dataset", "params", "madds", "n_seeds", "mean", "ci_low", "ci_high"}
    assert all(promised <= variant.keys() for variant in summary["variants"])
    promised = {"id", "statement", "source", "dataset", "estimate", "ci_low", "ci_high", "p_value", "n_seeds"}
    assert all(promised | {"detectable", "verdict"} <= claim.keys() for claim in summary["claims"])


def test_a_seed_that_one_variant_lacks_is_left_out_of_the_pairs(plan, tmp_path):
    write_runs(plan, tmp_path, keep=lambda run: not (run.variant == "relu, d=2" and run.seed == 0))
    summary = summarise(collect(tmp_path))
    differences = [b - a for a, b in zip(DRUG_1[1:], DRUG_2[1:], strict=True)]
    assert claim(summary, "narrow").n_seeds == 9
    assert claim(summary, "narrow").estimate == pytest.approx(sum(differences) / 900)


def diverge(run):
    """Half of the runs of one variant have no end."""
    diverged = run.variant == "relu, d=2" and run.seed >= 5
    return {"status": "diverged", "accuracy": None} if diverged else {}


def test_a_claim_with_diverged_runs_has_an_estimate_but_no_verdict(plan, tmp_path):
    write_runs(plan, tmp_path, change=diverge)
    path, summary = write_report(tmp_path)
    narrow = claim(summary, "narrow")
    differences = [b - a for a, b in zip(DRUG_1[:5], DRUG_2[:5], strict=True)]
    assert narrow.estimate == pytest.approx(sum(differences) / 500)
    assert narrow.ci_low < narrow.estimate < narrow.ci_high
    assert (narrow.p_value, narrow.p_holm, narrow.detectable) == (None, None, None)
    assert (narrow.verdict, narrow.n_seeds, narrow.n_planned) == ("inconclusive", 5, 10)
    assert narrow.reason == "5 of 10 pairs: 5 diverged"
    assert "**inconclusive** (5 of 10 pairs: 5 diverged)" in path.read_text()


def test_the_terminal_says_why_a_claim_has_no_verdict(plan, tmp_path, capsys):
    write_runs(plan, tmp_path, change=diverge)
    print_answer(summarise(collect(tmp_path)))
    assert "5 of 10 pairs: 5 diverged" in " ".join(capsys.readouterr().out.split())


def test_a_claim_without_all_its_pairs_does_not_weigh_on_the_others(plan, tmp_path):
    def lose_the_images(run):
        return {"status": "failed"} if run.dataset == "digits" and run.seed == 0 else {}

    def differ(run):
        return {"accuracy": 0.75 + run.seed % 2 / 50} if run.variant == "relu6" else {}

    write_runs(plan, tmp_path / "all", change=differ)
    both = claim(summarise(collect(tmp_path / "all")), "images")
    assert both.p_holm > both.p_value  # in the family, with the smaller of two p-values
    write_runs(plan, tmp_path / "lost", change=lose_the_images)
    summary = summarise(collect(tmp_path / "lost"))
    alone = claim(summary, "narrow")
    assert alone.p_holm == alone.p_value
    assert claim(summary, "images").reason == "9 of 10 pairs: 2 failed"


def test_diverged_runs_have_no_part_in_a_mean(plan, tmp_path):
    write_runs(plan, tmp_path, change=lambda run: diverge(run) and {"status": "diverged", "accuracy": 0.1})
    summary = summarise(collect(tmp_path))
    relu = next(variant for variant in summary.variants if variant.name == "relu, d=2")
    assert relu.n_seeds == 5
    assert relu.mean == pytest.approx(0.5 + sum(DRUG_1[:5]) / 500)
    assert summary.runs == {"planned": 60, "done": 55, "diverged": 5}


@pytest.mark.parametrize("accuracy", [None, "x", True, -0.1, 1.5, float("nan"), [0.5]])
def test_a_finished_run_without_an_accuracy_is_damaged_and_never_zero(plan, tmp_path, accuracy):
    write_runs(plan, tmp_path)
    damaged = plan.runs()[0]
    result = {"status": "done", "accuracy": accuracy}
    (tmp_path / "runs" / damaged.id / "result.json").write_text(json.dumps(result))
    path, summary = write_report(tmp_path)
    assert summary.runs == {"planned": 60, "damaged": 1, "done": 59}
    assert claim(summary, "narrow").reason == "9 of 10 pairs: 1 damaged"
    assert summary.variants[0].n_seeds == 9
    assert f"- damaged: {damaged.variant}, spiral, seed 0" in path.read_text()


def test_five_percent_is_the_level_of_every_verdict(plan, tmp_path):
    # A mean of 1 and a standard deviation of sqrt(10/9) * 1.5 over 10 seeds: t = 2, so p = 0.0766 (9 df).
    def differ(run):
        return {"accuracy": 0.5 + 0.01 + 0.015 * (-1) ** run.seed} if run.variant == "linear, d=2" else {}

    def equal(run):
        return differ(run) or ({"accuracy": 0.5} if run.variant == "relu, d=2" else {})

    write_runs(plan, tmp_path, keep=lambda run: run.dataset == "spiral", change=equal)
    narrow = claim(summarise(collect(tmp_path)), "narrow")
    assert narrow.p_holm == pytest.approx(0.0766, abs=5e-5)
    assert (narrow.verdict, narrow.reason) == ("inconclusive", None)


def test_a_test_accuracy_is_shown_only_where_every_run_has_one(plan, tmp_path):
    def tested(run):
        return {"test_accuracy": 0.25} if (run.variant, run.seed) != ("relu6", 4) else {}

    write_runs(plan, tmp_path, change=tested)
    means = {v.name: v.test_mean for v in summarise(collect(tmp_path)).variants}
    assert (means["linear"], means["relu6"]) == (0.25, None)


def test_an_unfinished_ablation_says_so_and_judges_nothing_on_two_seeds(plan, tmp_path):
    write_runs(plan, tmp_path, keep=lambda run: run.seed < 2)
    path, summary = write_report(tmp_path)
    assert "PARTIAL: 12 of 60 runs are done (48 not started)" in path.read_text()
    assert {c.verdict for c in summary.claims} == {"inconclusive"}


def test_nothing_finished_is_reported_too(plan, tmp_path):
    plan.write(tmp_path)
    path, summary = write_report(tmp_path)
    assert "0 of 60 runs are done" in path.read_text()
    assert all(variant.mean is None for variant in summary.variants)


def test_a_damaged_result_counts_as_unfinished(plan, tmp_path):
    write_runs(plan, tmp_path)
    (tmp_path / "runs" / plan.runs()[0].id / "result.json").write_text('{"status": "do')
    assert summarise(collect(tmp_path)).runs == {"planned": 60, "unfinished": 1, "done": 59}


def test_the_table_of_runs_has_a_row_for_each(plan, tmp_path):
    write_runs(plan, tmp_path)
    write_report(tmp_path)
    with (tmp_path / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 60
    assert {row["run"] for row in rows} == {run.id for run in plan.runs()}
    assert float(rows[0]["accuracy"]) == pytest.approx(accuracy_of(plan.runs()[0]))


def test_from_every_figure_of_the_page_a_link_leads_to_the_table_of_its_runs(plan, tmp_path):
    write_runs(plan, tmp_path)
    write_report(tmp_path)
    page = (tmp_path / "report.html").read_text()
    leads = ['href="results.csv"' in each for each in re.findall("<figcaption>.*?</figcaption>", page, re.S)]
    assert leads == [True] * 4 + [False] * 2  # those of the collapse lab have no runs
    assert (tmp_path / "results.csv").exists()


def test_the_report_shows_the_notice_every_variant_every_verdict_and_its_figures(plan, tmp_path):
    write_runs(plan, tmp_path)
    path, summary = write_report(tmp_path)
    text = path.read_text()
    assert f"> **NOTE: {NOTICE}**" in text
    assert all(f"| {variant.name} |" in text for variant in summary.variants)
    assert all(f"**{c.verdict}**" in text for c in summary.claims)
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    drawn = ["accuracy-spiral", "curves-digits", "curves-spiral", "madds-spiral"]
    assert linked == [f"{stem}.svg" for stem in (*drawn, "collapse-panels", "collapse-share")]
    assert all((tmp_path / name).exists() for name in linked)


def test_tables_in_the_report_have_no_gaps_and_no_ragged_rows(plan, tmp_path):
    write_runs(plan, tmp_path)
    lines = write_report(tmp_path)[0].read_text().splitlines()
    tables = "\n".join(line if line.startswith("|") else "" for line in lines).split("\n\n")
    tables = [table.strip().splitlines() for table in tables if table.strip()]
    assert len(tables) == 8
    for table in tables:
        assert len({row.count("|") for row in table}) == 1
        assert re.fullmatch(r"(\| -+:? )+\|", table[1])


def test_the_report_says_how_the_networks_were_trained(plan, tmp_path):
    write_runs(plan, tmp_path, keep=lambda run: False)
    text = write_report(tmp_path)[0].read_text()
    spiral, digits = re.findall(r"^\| train \| (.*) \|$", text, re.MULTILINE)
    assert {"epochs = 20", "optimizer = adam", "batch_size = all"} <= set(spiral.split(", "))
    assert {"epochs = 3", "batch_size = 32", "learning_rate = 0.1"} <= set(digits.split(", "))
    models = re.findall(r"^\| model \| (.*) \|$", text, re.MULTILINE)
    assert "blocks = 2" in models[0]
    assert not any("projection_activation" in line or "width = 2" in line for line in models)  # these vary
    assert "| stages (t, c, n, s; a bare t is the expansion) | (t, 4, 2, 2) |" in text
    assert "--set" not in text


def test_the_report_says_what_the_command_changed(mini, tmp_path):
    overrides = {"train": {"epochs": 2}, "images": {"model": {"inner_activation": "relu"}}}
    plan = make_plan(load(str(mini)), "smoke", Data(("spiral", "digits")), None, overrides)
    write_runs(plan, tmp_path, keep=lambda run: False)
    assert json.loads((tmp_path / "plan.json").read_text())["overrides"] == overrides
    text = write_report(tmp_path)[0].read_text()
    assert "**CHANGED: with --set: train.epochs=2, images.model.inner_activation=relu.**" in text


def test_runs_of_different_codes_or_machines_are_counted_and_noted(plan, tmp_path):
    write_runs(plan, tmp_path)
    assert "different codes or machines" not in write_report(tmp_path)[0].read_text()
    for place, run in enumerate(plan.runs()):
        made = {"bottleneck_lab": "1.0", "commit": "abc" if place < 12 else "def", "cpu": "a cpu"}
        made |= {"torch": "2.13", "device": "cpu", "host": f"node {place}"}
        files.write_json(tmp_path / "runs" / run.id / "environment.json", made)
    text = write_report(tmp_path)[0].read_text()
    assert "NOTE: The finished runs come from 2 different codes or machines" in text
    assert "- 48 finished runs: bottleneck_lab 1.0, commit def, torch 2.13, device cpu, cpu a cpu" in text
    assert "- 12 finished runs: bottleneck_lab 1.0, commit abc, torch 2.13, device cpu, cpu a cpu" in text


def test_an_equivalence_claim_says_what_its_p_is_of(plan, tmp_path, capsys):
    write_runs(plan, tmp_path)
    path, summary = write_report(tmp_path)
    print_details(summary)
    print_answer(summary)
    assert "p (within ±5.0 points) < 0.0001" in path.read_text()
    assert "p (within ±5.0 points) < 0.0001" in " ".join(capsys.readouterr().out.split())


def test_reports_and_figures_of_the_same_folder_are_the_same_to_the_byte(plan, tmp_path):
    write_runs(plan, tmp_path)
    names = ("report.md", "summary.json", "results.csv", "curves-spiral.svg", "accuracy-spiral.svg")
    write_report(tmp_path)
    first = [(tmp_path / name).read_bytes() for name in names]
    write_report(tmp_path)
    assert first == [(tmp_path / name).read_bytes() for name in names]


def test_curves_have_a_panel_a_width_and_a_line_a_variant(plan, tmp_path):
    write_runs(plan, tmp_path)
    results = collect(tmp_path)
    figure = accuracy_curves(results, "spiral")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["d=2", "d=3"]
    assert all(len(axes.get_lines()) == 2 for axes in panels)
    line = panels[0].get_lines()[0]
    mean = 0.5 + sum(DRUG_2) / 1000
    assert list(line.get_xdata()) == [1, 2, 3]
    assert list(line.get_ydata()) == pytest.approx([100 * mean / 3, 200 * mean / 3, 100 * mean])


def test_accuracy_is_drawn_against_the_numbers_in_the_facets_names(plan, tmp_path):
    write_runs(plan, tmp_path)
    results = collect(tmp_path)
    figure = accuracy_against_facet(results, summarise(results), "spiral")
    assert list(figure.axes[0].get_lines()[0].get_xdata()) == [2.0, 3.0]
    assert accuracy_against_facet(results, summarise(results), "digits") is None


def summary_of(tmp_path, *changes, dataset="spiral"):
    """The mini ablation with text exchanged, run on one data set: its plan, results and summary."""
    text = (tmp_path / "mini.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mini.toml").write_text(text)
    plan = make_plan(load(str(tmp_path / "mini.toml")), "smoke", Data((dataset,)), None, {})
    write_runs(plan, tmp_path)
    results = collect(tmp_path)
    return plan, results, summarise(results)


def against_facet(results, summary):
    """The x label and the x of every line of a data set's figure; None where there is none."""
    figure = accuracy_against_facet(results, summary, summary.datasets[0])
    if figure is None:
        return None
    axes = figure.axes[0]
    return axes.get_xlabel(), [list(line.get_xdata()) for line in axes.get_lines()]


def test_a_facet_may_be_the_only_axis(mini, tmp_path):
    other = mini.read_text().partition("[parts.spiral.axes.projection]")[2].partition("[parts.spiral.axes")[0]
    _, results, summary = summary_of(
        tmp_path,
        ("[parts.spiral.axes.projection]" + other, ""),
        ('"linear, d=2" = 1, "relu, d=2" = -1', '"d=2" = 1, "d=3" = -1'),
    )
    assert against_facet(results, summary) == ("bottleneck width d (channels)", [[2, 3]])
    write_report(tmp_path)


def test_a_facet_of_another_setting_is_drawn_against_that(mini, tmp_path):
    _, results, summary = summary_of(
        tmp_path,
        ("{ model.width = 2 }", "{ model.expansion = 6 }"),
        ("{ model.width = 3 }", "{ model.expansion = 1.5 }"),
        ("blocks = 2, expansion = 3", "blocks = 2, width = 4"),
    )
    assert against_facet(results, summary) == ("expansion ratio t", [[1.5, 6], [1.5, 6]])


def test_multipliers_are_no_channels(mini, tmp_path):
    levels = '"width x0.5" = { model.width_multiplier = 0.5 }\n"width x2" = { model.width_multiplier = 2.0 }'
    tiers = "[parts.images.datasets.cifar10.tiers]"
    _, results, summary = summary_of(
        tmp_path,
        ("[[parts.images.claims]]" + mini.read_text().partition("[[parts.images.claims]]")[2], ""),
        ('title = "Images"', 'title = "Images"\nfacet = "width"'),
        (tiers, f"[parts.images.axes.width]\n{levels}\n{tiers}"),
        dataset="digits",
    )
    assert against_facet(results, summary) == ("width multiplier", [[0.5, 2], [0.5, 2]])


def test_a_facet_of_two_settings_has_its_own_name_and_the_numbers_in_its_levels(mini, tmp_path):
    _, results, summary = summary_of(
        tmp_path, ("{ model.width = 3 }", "{ model.width = 30, model.blocks = 3 }")
    )
    assert against_facet(results, summary) == ("width", [[2, 3], [2, 3]])


def test_a_facet_without_numbers_has_panels_and_no_figure_against_it(mini, tmp_path):
    _, results, summary = summary_of(
        tmp_path,
        ("{ model.width = 2 }", '{ model.residual = "none" }'),
        ('"d=3" = { model.width = 3 }', 'thick = { model.residual = "bottleneck" }'),
        ("blocks = 2, expansion = 3", "blocks = 2, expansion = 3, width = 4"),
    )
    assert against_facet(results, summary) is None
    panels = [axes.get_title() for axes in accuracy_curves(results, "spiral").axes]
    assert panels == ["d=2", "thick"]
    write_report(tmp_path)


def test_bands_are_the_intervals_of_the_accuracy(plan, tmp_path):
    write_runs(plan, tmp_path)
    results = collect(tmp_path)
    summary = summarise(results)
    first, second = (
        next(v for v in summary.variants if v.name == name) for name in ("linear, d=2", "linear, d=3")
    )
    assert first.ci_low < first.mean < first.ci_high
    curve = accuracy_curves(results, "spiral").axes[0].collections[0].get_paths()[0].vertices
    at_the_end = curve[curve[:, 0] == 3][:, 1]
    assert (at_the_end.min(), at_the_end.max()) == pytest.approx((100 * first.ci_low, 100 * first.ci_high))
    facet = accuracy_against_facet(results, summary, "spiral").axes[0].collections[0].get_paths()[0].vertices
    for x, variant in ((2, first), (3, second)):
        band = facet[facet[:, 0] == x][:, 1]
        assert (band.min(), band.max()) == pytest.approx((100 * variant.ci_low, 100 * variant.ci_high))


def test_names_with_bars_and_brackets_are_shown_as_they_are(mini, tmp_path, capsys):
    plan, _, summary = summary_of(
        tmp_path,
        ("[parts.spiral.axes.projection]\nlinear", '[parts.spiral.axes.projection]\n"[red]a|b[/red]"'),
        ('"linear, d=2"', '"[red]a|b[/red], d=2"'),
    )
    text = write_report(tmp_path)[0].read_text()
    assert "| [red]a\\|b[/red], d=2 |" in text
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("| [red]")]
    assert len({row.count("|") for row in rows}) == 1
    print_details(summary)
    print_answer(summary)
    cost_table(plan)
    assert capsys.readouterr().out.count("[red]a|b[/red], d=2") == 2


def test_text_in_an_svg_stays_text(plan, tmp_path):
    write_runs(plan, tmp_path)
    svg, png = save(accuracy_curves(collect(tmp_path), "digits"), tmp_path / "figure")
    assert "held-out accuracy" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")


def test_two_processes_may_draw_the_same_figure(plan, tmp_path):
    write_runs(plan, tmp_path)
    (tmp_path / ".figure.svg.part").mkdir()  # another process is at it, with a part file of its own
    assert all(
        path.exists() for path in save(accuracy_curves(collect(tmp_path), "digits"), tmp_path / "figure")
    )


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(LabError, match=r"holds no plan\.json"):
        collect(tmp_path)


@pytest.mark.parametrize("content", [{}, [], 3, {"variants": 1}, {"ablation": {}, "variants": [{}]}])
def test_a_plan_of_the_wrong_form_is_refused_in_a_sentence(tmp_path, content):
    files.write_json(tmp_path / "plan.json", content)
    with pytest.raises(LabError, match=r"plan\.json: is not a plan as a run writes it"):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("tier", "huge"), ("datasets", ["mnist"]), ("variants", []), ("notices", "none")]
)
def test_a_plan_that_does_not_fit_together_is_refused(plan, tmp_path, key, value):
    plan.write(tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    files.write_json(tmp_path / "plan.json", {**content, key: value})
    with pytest.raises(LabError, match=r"plan\.json: is not a plan"):
        collect(tmp_path)


def test_a_plan_in_which_two_variants_have_one_name_is_refused(plan, tmp_path):
    plan.write(tmp_path)
    content = json.loads((tmp_path / "plan.json").read_text())
    first, second, *_ = content["variants"]
    second["name"] = first["name"]
    files.write_json(tmp_path / "plan.json", content)
    with pytest.raises(LabError, match=f"two variants on spiral are called '{first['name']}'"):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("environment.json", "[1]"),
        ("environment.json", '{"wall_seconds": "x", "cpu_seconds": [1], "checksums": 3, "commit": {"a": 1}}'),
        ("metrics.jsonl", "3\n"),
        ("metrics.jsonl", '{"accuracy": 0.5}\n{"epoch": 1}\n{"epoch": "x", "accuracy": 1}\n'),
        ("metrics.jsonl", '{"epoch": 1, "accuracy": "x"}\n'),
        (
            "result.json",
            '{"status": "done", "accuracy": 0.5, "test_accuracy": "x", "epochs": [], "loss": {}}',
        ),
    ],
)
def test_values_of_the_wrong_type_are_absent(plan, tmp_path, name, content):
    write_runs(plan, tmp_path)
    (tmp_path / "runs" / plan.runs()[0].id / name).write_text(content)
    _, summary = write_report(tmp_path)
    assert summary.runs == {"planned": 60, "done": 60}
    assert summary.variants[0].test_mean is None


@pytest.mark.parametrize("status", [3, [], {}, "finished", None])
def test_a_result_of_no_known_status_is_damaged(plan, tmp_path, status):
    write_runs(plan, tmp_path, change=lambda run: {"status": status} if run == plan.runs()[0] else {})
    _, summary = write_report(tmp_path)
    assert summary.runs == {"planned": 60, "damaged": 1, "done": 59}


def test_numbers_are_written_as_people_read_them():
    assert (percent(0.875), percent(None)) == ("87.5 %", "-")
    assert (points(0.0613), points(-0.002), points(0.0613, sign=False)) == ("+6.1", "-0.2", "6.1")
    assert [p_value(p) for p in (1e-5, 0.0033, 0.85, 1.0)] == ["< 0.0001", "0.0033", "0.85", "1.00"]
    assert (duration(42.4), duration(200), duration(7500)) == ("42 s", "3 min 20 s", "2 h 5 min")
