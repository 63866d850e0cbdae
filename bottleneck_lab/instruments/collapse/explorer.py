"""The explorer: one HTML page on which Fig. 1 moves, and what it loses is counted."""

from __future__ import annotations

from bottleneck_lab.manifold.embedding import paper_matrix
from bottleneck_lab.report.writers.template import environment

_PAPER_DIMS = (2, 3)  # the panels of Fig. 1 whose T is known


def explorer_page() -> str:
    """The page, always the same.

    It draws and computes by itself, with a seeded generator of its own: its T are not those of `collapse`.
    """
    paper = {dim: paper_matrix(dim).tolist() for dim in _PAPER_DIMS}
    return (
        environment(autoescape=True, keep_trailing_newline=True)
        .get_template("explorer.html.j2")
        .render(paper=paper)
    )
