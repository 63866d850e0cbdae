"""What was lost against what each hypothesis predicted, with the line of equality."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from bottleneck_lab.records.results.summary import HypothesisFinding, PredictionsFinding, Summary
from bottleneck_lab.report.drawing.lines import panel_grid
from bottleneck_lab.report.drawing.style import COLOURS, styled


def predictions_figure(summary: Summary, dataset: str) -> Figure | None:
    """A panel for each hypothesis: a point for each arm with its 95 % interval over seeds, in percentage
    points.

    With an anchor, predictions are scaled to what that arm has lost. Arms whose prediction is excluded are
    named. None for a data set without predictions, or before anything is measured.
    """
    found = next((one for one in summary.predictions if one.dataset == dataset), None)
    if found is None or not any(arm.lost is not None and arm.predicted for arm in found.arms):
        return None
    names = [hypothesis.name for hypothesis in found.hypotheses]
    with styled():
        figure, panels = panel_grid(names, alone=(5.4, 3.6), height=2.5)
        for panel, hypothesis in zip(panels, found.hypotheses, strict=True):
            _panel(panel, found, hypothesis)
        figure.supxlabel("predicted loss (points)", fontsize=9)
        figure.supylabel("measured loss (points)", fontsize=9)
    return figure


def _panel(panel: Any, found: PredictionsFinding, hypothesis: HypothesisFinding) -> None:
    name = hypothesis.name
    arms = [(arm, arm.lost) for arm in found.arms if name in arm.predicted and arm.lost is not None]
    anchor = next(((arm, lost) for arm, lost in arms if arm.variant == found.anchor), None)
    scale = anchor[1] / anchor[0].predicted[name].points if anchor else 1.0
    ends = [0.0]
    for arm, lost in arms:
        at = scale * arm.predicted[name].points
        verdict = arm.predicted[name].verdict
        colour = COLOURS[1] if verdict == "excluded" else COLOURS[0]
        if arm.ci_low is not None:
            panel.vlines(at, arm.ci_low, arm.ci_high, color=colour, linewidth=1, alpha=0.6)
        panel.plot(at, lost, "s" if verdict == "excluded" else "o", color=colour, markersize=3)
        if verdict == "excluded":
            panel.annotate(arm.variant, (at, lost), (3, 2), textcoords="offset points", fontsize=5.5)
        ends += [at, lost]
    panel.plot([min(ends), max(ends)], [min(ends), max(ends)], color=COLOURS[-1], linewidth=0.8, zorder=0)
    panel.set_title(f"{name.replace('_', ' ')}: {hypothesis.verdict}", fontsize=8)
