"""Accuracy over two axes of an ablation, as a map with a number in every cell."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bottleneck_lab.records.results.summary import Summary
from bottleneck_lab.report.drawing.lettering import plain
from bottleneck_lab.report.drawing.style import styled, subplots
from bottleneck_lab.report.reading.results import Results
from bottleneck_lab.report.sentences.numbers import half_width


def accuracy_map(results: Results, summary: Summary, dataset: str) -> Figure | None:
    """Mean final held-out accuracy of every variant, in percent, with half its 95 % interval.

    The part's `heat_map` says which axis goes down and which across; combinations that were left out, or of
    which no run is finished, stay empty. None for a part without it, or before any run is finished.
    """
    variants = summary.on(dataset)
    axes = results.plan.part_on(dataset).heat_map
    if axes is None or all(v.mean is None for v in variants):
        return None
    down, across = (list(dict.fromkeys(v.levels[axis] for v in variants)) for axis in axes)
    means = np.full((len(down), len(across)), np.nan)
    texts = {}
    for variant in variants:
        cell = down.index(variant.levels[axes[0]]), across.index(variant.levels[axes[1]])
        if variant.mean is not None:
            means[cell] = 100 * variant.mean
            texts[cell] = half_width(variant.mean, variant.ci_low, variant.ci_high).replace("±", "\n±")
    with styled():
        size = 1.9 + 0.72 * len(across), 1.1 + 0.46 * len(down)
        figure, panel = subplots(figsize=size)
        image = panel.imshow(means, cmap="viridis", aspect="auto")
        for (row, column), text in texts.items():
            red, green, blue, _ = image.to_rgba(means[row, column])
            dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5  # luma, Rec. 709
            ink = "white" if dark else "black"
            panel.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
        panel.set_xticks(range(len(across)), list(map(plain, across)))
        panel.set_yticks(range(len(down)), list(map(plain, down)))
        panel.set_xlabel(axes[1].replace("_", " "))
        panel.set_ylabel(axes[0].replace("_", " "))
        panel.tick_params(length=0)
        panel.grid(visible=False)
        figure.colorbar(image, label="held-out accuracy (%)")
    return figure
