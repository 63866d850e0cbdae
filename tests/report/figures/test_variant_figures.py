"""Figures of many variants: a map, accuracy against MAdds, measures over training; of runs made by hand."""

from dataclasses import replace

import pytest

from bottleneck_lab.report.figures.curves.accuracy import accuracy_against_facet, accuracy_curves
from bottleneck_lab.report.figures.curves.cost import accuracy_against_madds
from bottleneck_lab.report.figures.curves.differences import accuracy_differences
from bottleneck_lab.report.figures.curves.measures import measure_curves
from bottleneck_lab.report.figures.heat_map import accuracy_map
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

# Student's sleep data (1908), three patients, as accuracies around one half: mean 0.49633.
SLEEP = (0.507, 0.484, 0.498)


def slept(run):
    return {"accuracy": SLEEP[run.seed] if run.variant == "t=2, bottlenecks" else 0.75}


def measured_twice(run):
    return [
        {
            "epoch": epoch,
            "accuracy": 0.5,
            "measures": {"below_zero": 0.25 * epoch, "lost_int8": SLEEP[run.seed]},
        }
        for epoch in (1, 2)
    ]


def drawn(folder, draw):
    results = collect(folder)
    return draw(results, summarise(results), "digits")


def test_every_cell_of_the_map_has_its_number(leave_runs):
    panel = drawn(leave_runs(slept), accuracy_map).axes[0]
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("expansion", "placement")
    assert [label.get_text() for label in panel.get_yticklabels()] == ["t=2", "t=4"]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["bottlenecks", "nowhere", "sandglass"]
    numbers = {text.get_position(): text.get_text().split("\n")[0] for text in panel.texts}
    assert numbers[0, 0] == "49.6"  # (50.7 + 48.4 + 49.8) / 3
    assert (1, 1) not in numbers  # left out by the experiment
    assert {number for place, number in numbers.items() if place != (0, 0)} == {"75.0"}
    shown = panel.get_images()[0].get_array()
    assert shown.mask.tolist() == [[False, False, False], [False, True, False]]


def test_numbers_are_black_on_light_and_white_on_dark(leave_runs):
    panel = drawn(leave_runs(slept), accuracy_map).axes[0]
    inks = {text.get_position(): text.get_color() for text in panel.texts}
    assert inks[0, 0] == "white"  # the least accurate: the dark end of viridis
    assert {ink for place, ink in inks.items() if place != (0, 0)} == {"black"}


def test_without_two_axes_or_a_finished_run_there_is_no_map(leave_runs):
    assert drawn(leave_runs(lambda run: {"status": "failed"}), accuracy_map) is None
    folder = leave_runs()
    plan = folder / "plan.json"
    plan.write_text(plan.read_text().replace('"heat_map": [\n', '"hidden": [\n'))
    assert drawn(folder, accuracy_map) is None


def bars(panel):
    """The x and y of every line of a figure with error bars, by its name."""
    return {bar.get_label(): bar.lines[0].get_xydata() for bar in panel.containers}


def test_accuracy_is_joined_along_the_expansion_ratio_against_its_madds(leave_runs):
    folder = leave_runs(slept)
    costs = {v.name: v.madds for v in collect(folder).plan.variants}
    panel = drawn(folder, accuracy_against_madds).axes[0]
    lines = bars(panel)
    assert panel.get_xscale() == "log"
    assert set(lines) == {"bottlenecks", "nowhere", "sandglass"}
    assert lines["bottlenecks"][:, 1] == pytest.approx([100 * sum(SLEEP) / 3, 75])
    for name, line in lines.items():
        madds = [cost for variant, cost in sorted(costs.items()) if variant.endswith(name)]
        assert line[:, 0].tolist() == madds


def test_placements_have_nothing_in_between_and_are_not_joined(leave_runs):
    folder = leave_runs()
    plan = folder / "plan.json"
    plan.write_text(plan.read_text().replace('"expansion": 2\n', '"kernel": "x"\n'))  # no axis of numbers
    lines = bars(drawn(folder, accuracy_against_madds).axes[0])
    assert [len(line) for line in lines.values()] == [1] * 5


# As in the ablation of expansion ratios: t = 2 is what the others are matched to, and is not trained twice.
MATCHED = """
question = "Is a ratio of 4 or 6 better than 2, at its natural cost and at equal cost?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.images]
title = "Images"
facet = "expansion"
without = ["t=2, equal"]
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 3, train.epochs = 2 }
axes.expansion."t=2" = { model.expansion = 2 }
axes.expansion."t=4" = { model.expansion = 4 }
axes.expansion."t=6" = { model.expansion = 6 }
axes.cost.natural = {}
axes.cost.equal = { model.madds_of_expansion = 2 }
"""


@pytest.fixture
def matched(leave_runs):
    """Results and summary; accuracies are those of sleep at t = 2, and else 0.75."""
    reference = {seed: {"accuracy": accuracy} for seed, accuracy in enumerate(SLEEP)}
    results = collect(
        leave_runs(lambda run: reference[run.seed] if run.variant == "t=2, natural" else {}, text=MATCHED)
    )
    return results, summarise(results)


def test_a_line_of_equal_cost_passes_through_what_it_was_matched_to(matched):
    (panel,) = accuracy_against_facet(*matched, "digits").axes
    lines = {line.get_label(): line.get_xydata() for line in panel.get_lines()}
    assert lines["equal"][:, 0].tolist() == [2, 4, 6]
    assert lines["equal"][0, 1] == pytest.approx(100 * sum(SLEEP) / 3)
    (lent,) = (line for line in panel.get_lines() if line.get_fillstyle() == "none")
    assert lent.get_xydata().tolist() == [lines["equal"][0].tolist()]


def test_points_of_equal_cost_are_not_joined_and_stand_apart_in_their_order(matched):
    panel = accuracy_against_madds(*matched, "digits").axes[0]
    drawn = {bar.get_label(): bar.lines[0] for bar in panel.containers}
    assert drawn["equal"].get_linestyle() == "None"
    assert drawn["natural"].get_linestyle() == "-"
    costs = {v.name: v.madds for v in matched[0].plan.variants}
    aside = drawn["equal"].get_xdata() / [costs["t=4, equal"], costs["t=6, equal"]]
    assert 0.98 < aside[0] < 1 < aside[1] < 1.02


def test_one_epoch_has_one_tick(leave_runs):
    folder = leave_runs(records=lambda run: measured_twice(run)[:1])
    panel = accuracy_curves(collect(folder), "digits").axes[0]
    shown = [tick for tick in panel.get_xticks() if panel.get_xlim()[0] <= tick <= panel.get_xlim()[1]]
    assert shown == [1]


def test_variants_of_equal_cost_have_no_figure_of_it(leave_runs):
    folder = leave_runs()
    results = collect(folder)
    summary = summarise(results)
    for factor, drawn in ((1.04, False), (1.06, True)):
        variants = [
            replace(variant, madds=1_000_000 if place else 1_000_000 * factor)
            for place, variant in enumerate(summary.variants)
        ]
        costly = replace(summary, variants=variants)
        assert (accuracy_against_madds(results, costly, "digits") is not None) == drawn


def test_measures_have_a_row_each_and_a_line_a_variant(leave_runs):
    figure = drawn(leave_runs(slept, measured_twice), measure_curves)
    below, lost = figure.axes
    assert below.get_ylabel().replace("\n", " ").startswith("bottleneck pre- activations below 0 (%)")
    assert lost.get_ylabel().replace("\n", " ") == "accuracy lost with 8 bits (%)"
    assert [len(panel.get_lines()) for panel in figure.axes] == [5, 5]
    assert below.get_lines()[0].get_xydata().tolist() == [[1, 25], [2, 50]]
    band = lost.collections[0].get_paths()[0].vertices[:, 1]
    # Student's t for 2 degrees of freedom is 4.302653; the standard deviation of these three is 1.159.
    assert (band.max() - band.min()) / 2 == pytest.approx(4.302653 * 1.159023 / 3**0.5, rel=1e-5)


def test_what_was_measured_at_the_end_only_is_no_curve(leave_runs):
    assert drawn(leave_runs(records=lambda run: measured_twice(run)[1:]), measure_curves) is None
    assert drawn(leave_runs(), measure_curves) is None


def test_the_report_shows_them_and_the_same_folder_gives_the_same_bytes(leave_runs):
    folder = leave_runs(slept, measured_twice)
    names = [f"{figure}-digits.svg" for figure in ("heatmap", "madds", "measures")]
    text = write_report(folder)[0].read_text()
    assert all(f"]({name})" in text for name in names)
    first = [(folder / name).read_bytes() for name in names]
    assert all((folder / name).with_suffix(".png").exists() for name in names)
    write_report(folder)
    assert first == [(folder / name).read_bytes() for name in names]


def test_of_more_lines_than_have_room_those_that_claims_are_about_are_drawn(leave_runs):
    text = """
question = "Which rate?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.images]
title = "Images"
model.network = "mobilenet_v2_digits"
train = { batch_size = 32, learning_rate = 0.1 }
datasets.digits.tiers.smoke = { seeds = 3, train.epochs = 2 }

[[parts.images.claims]]
id = "faster"
statement = "Faster is better."
source = "nowhere"
contrast = { "rate 3" = 1, "rate 7" = -1 }
margin = 0.01

[parts.images.axes.rate]
""" + "\n".join(f'"rate {k}" = {{ train.learning_rate = {k / 100} }}' for k in range(1, 20))
    results = collect(leave_runs(records=measured_twice, text=text))
    [panel] = accuracy_differences(results, "digits").axes
    assert [text.get_text() for text in panel.texts] == ["rate 7"]
