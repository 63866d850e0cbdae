"""How long a plan will take, against a clock that is only pretended."""

import time

import pytest
import torch

from bottleneck_lab.config import load
from bottleneck_lab.runs import estimate
from bottleneck_lab.runs.jobs import plan_jobs


def jobs_of(mini, dataset="spiral", seeds=3, **training):
    variants = load(str(mini)).variants("smoke", [dataset], {"train": training})
    return plan_jobs([variant.with_seed(seed) for variant in variants for seed in range(seeds)])


def test_building_and_drawing_are_not_counted_with_every_step(mini, tmp_path, monkeypatch):
    clock = [0.0]

    def pretended(runs, **rest):
        clock[0] += 100.0 + 2.0 * runs[0].train.epochs

    monkeypatch.setattr(estimate, "train", pretended)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    jobs = jobs_of(mini, epochs=1000, evaluate_every=5)  # two jobs, one for each width
    assert len(jobs) == 2
    seconds = estimate.estimate_seconds(jobs, tmp_path, "cpu", workers=1)
    evaluations = 90 / 60 / 5 / 3  # held-out points for each training point, every fifth step, forwards only
    assert seconds == pytest.approx(2 * 1000 * 2.0 * (1 + evaluations), rel=0.01)


def test_groups_of_equal_networks_are_timed_once(mini, tmp_path, monkeypatch):
    timed = []
    monkeypatch.setattr(estimate, "_seconds_of_epoch", lambda runs, device: timed.append(runs) or 1.0)
    jobs = jobs_of(mini, seeds=16, epochs=10)  # two widths, 8 seeds at a time
    assert len(jobs) == 4
    estimate.estimate_seconds(jobs, tmp_path, "cpu", workers=1)
    assert len(timed) == 2


def test_an_estimate_that_fails_is_none(mini, tmp_path, monkeypatch):
    def too_large(*arguments, **rest):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(estimate, "_seconds_of_epoch", too_large)
    assert estimate.estimate_seconds(jobs_of(mini), tmp_path, "cpu", workers=1) is None


def test_nothing_left_to_train_takes_no_time(tmp_path):
    assert estimate.estimate_seconds([], tmp_path, "cpu", workers=1) == 0.0


def test_images_are_estimated_from_a_few_batches(mini, tmp_path):
    assert estimate.estimate_seconds(jobs_of(mini, "digits"), tmp_path, "cpu", workers=1) > 0
