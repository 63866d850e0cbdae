"""Figures with lines: over training, against a facet, against costs."""
