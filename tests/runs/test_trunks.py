"""Trainings of several lengths: what they have in common is done once, and no bit tells that it was."""

import json
import math

import pytest
import torch
from here import execute
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.config import TrainSettings, load
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace, do
from bottleneck_lab.training import checkpoint as checkpoint_module
from bottleneck_lab.training import images as images_module
from bottleneck_lab.training import trunks as trunks_module

BUDGETS = {2: 1, 4: 3, 8: 6}  # epochs, and those of them before the last quarter, in which the rate falls


@pytest.fixture
def budgets(mini):
    """The mini ablation with a budget as a second axis."""
    axis = "\n".join(f'"{epochs} epochs" = {{ train.epochs = {epochs} }}' for epochs in BUDGETS)
    tiers = "[parts.images.datasets.cifar10.tiers]"
    text = mini.read_text()
    for old, new in {
        "learning_rate = 0.1 }": 'learning_rate = 0.1, schedule = "wsd", warmup_epochs = 0.5 }',
        tiers: f"[parts.images.axes.budget]\n{axis}\n\n{tiers}",
        '{ "linear" = 1, "relu6" = -1 }': ('{ "linear, 8 epochs" = 1, "relu6, 8 epochs" = -1 }'),
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    mini.write_text(text)
    return mini


def plan_of(path, overrides=None, seeds=(0,)):
    return make_plan(load(str(path)), "smoke", Data(("digits",)), list(seeds), overrides or {})


def weights_of(results, runs):
    return {run.id: torch.load(results / "runs" / run.id / "weights.pt") for run in runs}


def equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[run][name], other[run][name]) for run in one for name in one[run])


def train_alone(run, results):
    """A run in a folder where nothing is that it could go on from."""
    place = Workplace(results / run.id, "cpu")
    [job] = plan_jobs([run])
    assert do(job, place)
    return torch.load(place.results / "runs" / run.id / "weights.pt")


@pytest.fixture(scope="module")
def once():
    """What is made once for all tests of this module."""
    return {}


@pytest.fixture
def alone(budgets, tmp_path, once):
    """What every run ends in that has trained all of its epochs itself."""
    for run in plan_of(budgets).runs():
        if run.id not in once:
            once[run.id] = train_alone(run, tmp_path / "alone")
    return once


@pytest.fixture
def epochs_trained(monkeypatch):
    """Every epoch that is trained, as it is."""
    trained = []
    train_epoch = images_module.train_epoch

    def watched(*arguments):
        trained.append(arguments[6])
        return train_epoch(*arguments)

    monkeypatch.setattr(images_module, "train_epoch", watched)
    return trained


def test_budgets_of_one_variant_and_seed_are_one_job_the_shortest_first(budgets):
    jobs = plan_jobs(plan_of(budgets, seeds=(0, 1)).runs())
    assert [[run.train.epochs for run in job.runs] for job in jobs] == [list(BUDGETS)] * 4
    assert all(len({(run.variant.split(",")[0], run.seed) for run in job.runs}) == 1 for job in jobs)


def test_runs_that_go_on_from_a_trunk_end_in_the_bits_of_those_that_train_alone(budgets, tmp_path, alone):
    plan = plan_of(budgets)
    execute(plan_jobs(plan.runs()), Workplace(tmp_path, "cpu"), 1, lambda event: None)
    assert equal(weights_of(tmp_path, plan.runs()), alone)


def test_every_epoch_in_common_is_trained_once(budgets, tmp_path, epochs_trained):
    plan = plan_of(budgets)
    shares = []
    execute(plan_jobs(plan.runs()), Workplace(tmp_path, "cpu"), 1, lambda event: shares.append(event.share))
    assert epochs_trained == [0, 1, *range(1, 4), *range(3, 8)] * 2
    assert [share for share in shares if share > 0] == pytest.approx(
        [*(done / 10 for done in range(1, 11)), 1] * 2
    )


def test_a_run_names_the_trunk_it_went_on_from_and_counts_its_own_time(budgets, tmp_path):
    runs = [run for run in plan_of(budgets).runs() if run.variant.startswith("linear")]
    execute(plan_jobs(runs), Workplace(tmp_path, "cpu"), 1, lambda event: None)
    for run, taken_over in zip(runs, (None, 1, 3), strict=True):
        folder = RunFolder(tmp_path, run.id)
        environment, records = folder.environment(), folder.records()
        assert environment.get("trunk_epochs") == taken_over
        assert environment.get("trunk") == (None if taken_over is None else runs[0].trunk)
        own = sum(record["seconds"] for record in records[taken_over or 0 :])
        assert environment["wall_seconds"] == pytest.approx(own, abs=0.002)
        assert [record["epoch"] for record in records] == list(range(1, run.train.epochs + 1))


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("moment", [2, 6])
@pytest.mark.parametrize("between", [0.0, math.inf])
def test_a_job_that_was_killed_goes_on_and_ends_in_the_same_bits(
    budgets, tmp_path, monkeypatch, alone, moment, between
):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", between)
    job = plan_jobs(plan_of(budgets).runs())[0]
    place = Workplace(tmp_path, "cpu")
    told = []

    def kill(share, record):
        told.append(share)
        if len(told) == moment:
            raise KilledError

    with pytest.raises(KilledError):
        do(job, place, kill)
    do(job, place)
    assert equal(weights_of(tmp_path, job.runs), {run.id: alone[run.id] for run in job.runs})
    assert not list((tmp_path / "checkpoints").glob("*.pt"))


def test_a_longer_budget_that_is_added_later_goes_on_from_what_is_there(budgets, tmp_path, epochs_trained):
    runs = [run for run in plan_of(budgets).runs() if run.variant.startswith("linear")]
    longer = runs[-1].model_copy(update={"train": runs[-1].train.model_copy(update={"epochs": 12})})
    place = Workplace(tmp_path, "cpu")
    execute(plan_jobs(runs), place, 1, lambda event: None)
    epochs_trained.clear()
    execute(plan_jobs([*runs, longer]), place, 1, lambda event: None)
    assert epochs_trained == list(range(6, 12))
    alone = {longer.id: train_alone(longer, tmp_path / "alone")}
    assert equal(weights_of(tmp_path, [longer]), alone)


def test_averaging_at_the_end_leaves_the_trunk_as_it_is(budgets, tmp_path, epochs_trained):
    runs = plan_of(budgets, {"train": {"average_share": 0.5}}).runs()[:3]
    execute(plan_jobs(runs), Workplace(tmp_path, "cpu"), 1, lambda event: None)
    assert epochs_trained == [0, 1, *range(1, 4), *range(2, 8)]  # the last half is a run's own
    assert equal(weights_of(tmp_path, runs), {run.id: train_alone(run, tmp_path / "alone") for run in runs})


def test_what_was_made_elsewhere_is_not_gone_on_from(budgets, tmp_path, monkeypatch, epochs_trained):
    short, _, long = plan_of(budgets).runs()[:3]
    place = Workplace(tmp_path, "cpu")
    execute(plan_jobs([short]), place, 1, lambda event: None)
    monkeypatch.setattr(trunks_module.torch, "__version__", "another")
    execute(plan_jobs([long]), place, 1, lambda event: None)
    assert epochs_trained == [0, 1, *range(8)]


def test_a_damaged_trunk_costs_time_and_no_result(budgets, tmp_path, alone):
    short, _, long = plan_of(budgets).runs()[:3]
    place = Workplace(tmp_path, "cpu")
    execute(plan_jobs([short]), place, 1, lambda event: None)
    [path] = (tmp_path / "trunks").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    execute(plan_jobs([long]), place, 1, lambda event: None)
    assert equal(weights_of(tmp_path, [long]), {long.id: alone[long.id]})


def test_a_trunk_is_that_of_one_seed_variant_and_rate(budgets):
    runs = plan_of(budgets, seeds=(0, 1)).runs()
    trunks = {(run.variant.split(",")[0], run.seed): run.trunk for run in runs}
    assert len(set(trunks.values())) == len(trunks) == 4
    assert all(trunks[run.variant.split(",")[0], run.seed] == run.trunk for run in runs)
    faster = plan_of(budgets, {"train": {"learning_rate": 0.2}}).runs()
    assert not {run.trunk for run in faster} & set(trunks.values())


@given(st.integers(1, 400), st.integers(1, 400))
def test_only_whole_epochs_at_the_full_rate_are_shared(epochs, share):
    settings = TrainSettings(epochs=epochs, schedule="wsd", cooldown_share=share / 400)
    assert settings.shared_epochs == epochs * (400 - share) // 400
    assert TrainSettings(epochs=epochs).shared_epochs == 0  # the cosine falls from the beginning


def test_no_run_carries_a_trunk_where_none_is_shared(mini, tmp_path):
    plan = plan_of(mini)
    execute(plan_jobs(plan.runs()), Workplace(tmp_path, "cpu"), 1, lambda event: None)
    assert not (tmp_path / "trunks").exists()
    for run in plan.runs():
        environment = json.loads((tmp_path / "runs" / run.id / "environment.json").read_text())
        assert "trunk" not in environment


def test_networks_that_change_over_their_training_have_nothing_in_common_with_longer_ones(budgets):
    changing = {"kind": "leaky", "slope": {"from": 1.0, "to": 0.0, "until": 0.5}}
    runs = plan_of(budgets).runs()[:3]
    models = [run.model.model_dump() | {"projection_activation": changing} for run in runs]
    changed = [
        type(run).model_validate_json(json.dumps(run.model_dump() | {"model": model}))
        for run, model in zip(runs, models, strict=True)
    ]
    assert [run.shared_epochs for run in runs] == [1, 3, 6]
    assert [run.shared_epochs for run in changed] == [0, 0, 0]
    assert len(plan_jobs(changed)) == 3
