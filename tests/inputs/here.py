"""Doing jobs on this machine, without a command around them."""

from bottleneck_lab.runs.engines import local
from bottleneck_lab.runs.execute import drive


def execute(jobs, place, workers, listener):
    """Do the jobs in this process, or in several."""
    with local.start(place, workers, local.Options()) as engine:
        drive(jobs, engine, listener)
