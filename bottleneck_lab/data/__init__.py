"""Data sets as tensors in memory. Knows nothing of models or training."""
