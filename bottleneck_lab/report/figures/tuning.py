"""How a setting was chosen for each arm: accuracy by value, and the expected best of a number of trials."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bottleneck_lab.report.drawing.lines import drawn_as, legend
from bottleneck_lab.report.drawing.style import COLOURS, styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.stats.best_of import expected_best


def tuning_figure(results: Results, dataset: str) -> Figure | None:
    """To the left every trial and their means by value, the chosen ones filled; to the right the best of n.

    None where nothing was chosen on this data set.
    """
    tuned = next((each for each in results.plan.tuning if each.dataset == dataset), None)
    if tuned is None:
        return None
    with styled():
        figure, (curve, best) = subplots(1, 2, figsize=(6.6, 3.0), sharey=True)
        for place, (arm, chosen) in enumerate(tuned.chosen.items()):
            colour, marker = drawn_as(arm, place)
            means = [100 * tuned.mean(arm, value) for value in tuned.grid]
            curve.plot(tuned.grid, means, marker=marker, color=colour, fillstyle="none", label=arm)
            curve.plot(chosen, 100 * tuned.mean(arm, chosen), marker, color=colour, markersize=6)
            for value in tuned.grid:
                scores = [100 * score for score in tuned.scores(arm, value)]
                curve.plot([value] * len(scores), scores, ".", color=colour, alpha=0.5, markersize=3)
            every = tuned.scores(arm)
            counts = range(1, len(every) + 1)
            expected = [100 * expected_best(every, count) for count in counts]
            best.plot(counts, expected, marker=marker, color=colour, label=arm)
        curve.axvline(tuned.shared, color=COLOURS[-1], linewidth=0.8, linestyle=":")
        curve.set_xscale("log", base=2)
        curve.set_xticks(tuned.grid, [f"{value:g}" for value in tuned.grid], fontsize=7, rotation=45)
        curve.minorticks_off()
        curve.set_xlabel(f"{tuned.setting} (dotted: shared)")
        curve.set_ylabel("accuracy on tuning images (%)")
        best.set_xlabel("trials, of which the best is expected")
        best.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, [curve])
    return figure
