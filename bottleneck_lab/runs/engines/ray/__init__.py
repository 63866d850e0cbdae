"""Ray: jobs as tasks on the nodes of a cluster."""

from bottleneck_lab.runs.engines.ray.engine import NEEDS, Options, start

__all__ = ["NEEDS", "Options", "start"]
