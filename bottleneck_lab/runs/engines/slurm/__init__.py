"""Slurm: jobs in its queue, one for each job of ours, or for several that share a GPU."""

from bottleneck_lab.runs.engines.slurm.engine import NEEDS, Options, start

__all__ = ["NEEDS", "Options", "start"]
