"""Trackers: what a finished run leaves in its folder is in them too, once, and none of them stops a run."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import threading
import time
import types

import pytest
from here import execute

from bottleneck_lab.config import load
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.execute import Event
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.trackers import tracking as tracking_module
from bottleneck_lab.runs.trackers.tracking import NAMES, Tracking, find_tracker, finished_run
from bottleneck_lab.runs.work import Workplace

# MLflow's, of SQLAlchemy 2.1, which goes on doing what it says will go.
chatty = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture
def plan(mini):
    return make_plan(load(str(mini)), "smoke", Data(("spiral", "digits")), [0], {})


@pytest.fixture
def results(tmp_path, plan):
    results = tmp_path / "results" / "mini" / "smoke"
    plan.write(results)
    return results


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def train(plan, results, complaints):
    """A function that starts the ablation, or goes on with it, and logs to the trackers of these names."""

    def start(*names, fresh=()):
        tracking = Tracking(names, results, fresh, complaints.append)
        execute(plan_jobs(plan.runs()), Workplace(results, "cpu"), 1, tracking)
        return tracking

    return start


@pytest.fixture
def calls_out(monkeypatch):
    """The addresses that this process has tried to reach."""
    tried = []

    def refuse(self, address):
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tried


def recorded(results, run, name):
    """By epoch, what the run's own folder has of a number."""
    return {
        record["epoch"]: record[name] for record in RunFolder(results, run.id).records() if name in record
    }


# ---------------------------------------------------------------------------------------------- TensorBoard


def test_tensorboard_reads_back_every_epoch_and_the_result_of_every_run(train, plan, results, complaints):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train("tensorboard")
    train("tensorboard")  # nothing is added
    assert complaints == []
    folders = {path.name: path for path in (results / "tensorboard").iterdir()}
    assert folders.keys() == {run.id for run in plan.runs()}
    for run in plan.runs():
        assert len(list(folders[run.id].iterdir())) == 1
        events = EventAccumulator(str(folders[run.id])).Reload()
        for name in ("accuracy", "loss", "train_loss", "learning_rate"):
            read = {event.step: event.value for event in events.Scalars(name)}
            assert read == pytest.approx(recorded(results, run, name))
        [result] = events.Scalars("result/accuracy")
        assert result.value == pytest.approx(RunFolder(results, run.id).result()["accuracy"])


def test_tensorboard_has_the_settings_as_hyperparameters(train, plan, results):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    train("tensorboard")
    run = plan.runs()[0]
    events = EventAccumulator(str(results / "tensorboard" / run.id)).Reload()
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = HParamsPluginData.FromString(content).session_start_info.hparams
    assert settings["train.learning_rate"].number_value == run.train.learning_rate
    assert settings["model.projection_activation"].string_value == run.model.projection_activation


def test_a_run_that_tensorboard_has_by_half_is_written_again(train, plan, results):
    pytest.importorskip("tensorboard")
    run = plan.runs()[0]
    half = results / "tensorboard" / f".{run.id}.part"
    half.mkdir(parents=True)
    (half / "events.out.tfevents.0").write_bytes(b"cut off")
    train("tensorboard")
    assert not half.exists()
    assert len(list((results / "tensorboard" / run.id).iterdir())) == 1


def test_what_is_trained_afresh_is_logged_afresh(train, plan, results):
    pytest.importorskip("tensorboard")
    train("tensorboard")
    first, second = (run.id for run in plan.runs()[:2])
    before = {path.name for path in (results / "tensorboard").iterdir()}
    for old in (first, second):
        (results / "tensorboard" / old / "old").touch()
    train("tensorboard", fresh=[first])
    assert before == {path.name for path in (results / "tensorboard").iterdir()}
    assert not (results / "tensorboard" / first / "old").exists()
    assert (results / "tensorboard" / second / "old").exists()


# --------------------------------------------------------------------------------------------------- MLflow


@chatty
def test_mlflow_reads_back_every_run_once_and_nothing_leaves_the_machine(
    train, plan, results, complaints, calls_out
):
    pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    train("mlflow")
    client = find_tracker("mlflow")(results)._client
    [experiment] = [each for each in client.search_experiments() if each.name == "mini/smoke"]

    def logged():
        found = client.search_runs([experiment.experiment_id])
        return {run.data.tags["bottleneck_lab.run"]: run for run in found}, len(found)

    by_id, count = logged()
    assert by_id.keys() == {run.id for run in plan.runs()}
    for run in plan.runs():
        read = by_id[run.id]
        assert read.info.status == "FINISHED"
        assert read.data.params["train.learning_rate"] == str(run.train.learning_rate)
        assert read.data.params["variant"] == run.variant
        for name in ("accuracy", "loss", "train_loss", "learning_rate"):
            history = client.get_metric_history(read.info.run_id, name)
            assert {metric.step: metric.value for metric in history} == recorded(results, run, name)
        assert read.data.metrics["result/accuracy"] == RunFolder(results, run.id).result()["accuracy"]

    half = by_id[plan.runs()[0].id].info.run_id  # as of a process that died in the middle
    client.update_run(half, status="RUNNING")
    train("mlflow")
    assert complaints == []
    by_id, again = logged()
    assert again == count == len(plan.runs())
    assert by_id[plan.runs()[0].id].info.run_id != half
    assert calls_out == []


# ----------------------------------------------------------------------------------------- Weights & Biases


@pytest.fixture
def fake_wandb(monkeypatch):
    """A module in the place of wandb that keeps what it is told, by run."""
    runs = {}

    def init(**options):
        options["dir"].joinpath("wandb", f"offline-run-1-{options['id']}").mkdir(parents=True)
        mode = os.environ["WANDB_MODE"]
        run = types.SimpleNamespace(options=options, mode=mode, logged={}, summary={}, ended=None)
        run.log = lambda numbers, step: run.logged.update({step: numbers})
        run.finish = lambda exit_code: setattr(run, "ended", exit_code)
        runs.setdefault(options["id"], []).append(run)
        return run

    module = types.ModuleType("wandb")
    module.init, module.Settings = init, types.SimpleNamespace
    ours = f"{tracking_module.trackers.__name__}.wandb"
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setitem(sys.modules, ours, module)
    del sys.modules[ours]  # to be imported anew, and gone after the test
    for name in ("WANDB_MODE", "WANDB_ERROR_REPORTING"):
        monkeypatch.setenv(name, "")
        del os.environ[name]
    return runs


def test_wandb_is_told_of_every_run_once_offline(train, plan, results, complaints, fake_wandb):
    train("wandb")
    train("wandb")
    assert complaints == []
    assert fake_wandb.keys() == {run.id for run in plan.runs()}
    for run in plan.runs():
        [told] = fake_wandb[run.id]
        assert told.mode == "offline"
        assert told.options["dir"] == results
        assert told.options["config"]["train.learning_rate"] == run.train.learning_rate
        logged = {epoch: numbers["accuracy"] for epoch, numbers in told.logged.items()}
        assert logged == recorded(results, run, "accuracy")
        assert told.summary["result/accuracy"] == RunFolder(results, run.id).result()["accuracy"]
        assert told.ended == 0


def test_wandb_goes_online_where_the_user_says_so(train, fake_wandb, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    train("wandb")
    assert {told.options["resume"] for [told] in fake_wandb.values()} == {"allow"}
    assert {told.mode for [told] in fake_wandb.values()} == {"online"}


def test_a_run_that_wandb_has_by_half_is_written_again(train, plan, results, fake_wandb):
    run = plan.runs()[0]
    half = results / "wandb" / f"offline-run-0-{run.id}"
    half.mkdir(parents=True)
    train("wandb")
    assert not half.exists()
    assert len(fake_wandb[run.id]) == 1


# ---------------------------------------------------------------------------------------------- all of them


def test_a_tracker_that_raises_says_one_sentence_and_stops_no_run(
    train, plan, results, complaints, monkeypatch
):
    asked = []

    class Broken:
        look = "nowhere"

        def __init__(self, results):
            pass

        def has(self, run_id):
            asked.append(run_id)
            raise RuntimeError("the disk\nis full")

    monkeypatch.setattr(tracking_module, "find_tracker", lambda name: Broken)
    tracking = train("broken")
    assert complaints == [
        "--tracker broken: off from here on (RuntimeError: the disk is full); the runs go on"
    ]
    assert len(asked) == 1
    assert tracking.where_to_look() == []
    assert {RunFolder(results, run.id).status() for run in plan.runs()} == {"done"}


@pytest.mark.parametrize("where", ["opening", "telling"])
def test_a_tracker_that_hangs_is_left_behind_in_time(train, plan, results, complaints, monkeypatch, where):
    told, released = [], threading.Event()

    class Good:
        look = "here"

        def __init__(self, results):
            pass

        def has(self, run_id):
            return run_id in told

        def log(self, run):
            told.append(run.id)

        def forget(self, run_id):
            pass

    class Hanging(Good):
        def __init__(self, results):
            if where == "opening":
                released.wait(600)

        def has(self, run_id):
            released.wait(600)
            return True

    monkeypatch.setattr(tracking_module, "find_tracker", {"good": Good, "hanging": Hanging}.get)
    monkeypatch.setattr(tracking_module, "MOST_SECONDS", 1.0)
    start = time.monotonic()
    tracking = train("hanging", "good")
    passed = time.monotonic() - start
    released.set()
    assert passed < 300
    assert complaints == ["--tracker hanging: off from here on (no answer within 1 s); the runs go on"]
    assert tracking.where_to_look() == ["good: here"]
    assert sorted(told) == sorted(run.id for run in plan.runs())


def test_a_tracker_that_cannot_be_opened_says_so_and_the_others_are_told(
    train, plan, results, complaints, monkeypatch
):
    told = []

    class Good:
        look = "here"

        def __init__(self, results):
            pass

        def has(self, run_id):
            return run_id in told

        def log(self, run):
            told.append(run.id)

        def forget(self, run_id):
            pass

    class Shut(Good):
        def __init__(self, results):
            raise PermissionError("not yours")

    monkeypatch.setattr(tracking_module, "find_tracker", {"good": Good, "shut": Shut}.get)
    assert train("shut", "good").where_to_look() == ["good: here"]
    assert complaints == ["--tracker shut: off from here on (PermissionError: not yours); the runs go on"]
    assert sorted(told) == sorted(run.id for run in plan.runs())


def test_a_run_is_logged_when_it_is_whole_and_a_failed_one_never(plan, results, monkeypatch):
    told = []
    kind = type(
        "Kind",
        (),
        {
            "__init__": lambda self, results: None,
            "has": lambda self, run_id: False,
            "forget": lambda self, run_id: None,
            "log": lambda self, run: told.append(run.id),
        },
    )
    monkeypatch.setattr(tracking_module, "find_tracker", lambda name: kind)
    tracking = Tracking(["kind"], results, (), pytest.fail)
    job = plan_jobs(plan.runs())[0]
    tracking(Event(job, 1.0, {"epoch": 20}))  # the last epoch is over, the result is not yet written
    assert told == []
    RunFolder(results, job.runs[0].id).fail(job.runs[0], "it was not to be")
    tracking(Event(job, 1.0))
    assert told == []


def test_measures_lists_and_what_is_not_set_come_out_flat(results, plan):
    run = next(run for run in plan.runs() if run.dataset == "digits")
    folder = RunFolder(results, run.id)
    folder.start(run)
    folder.keep_records([{"epoch": 1, "loss": None, "accuracy": 0.5, "measures": {"below_zero": 0.25}}])
    (folder.path / "result.json").write_text(
        json.dumps({"status": "diverged", "accuracy": None, "seed": 0, "epochs": 1, "dataset": "digits"})
    )
    found = finished_run(results, run)
    assert found.epochs == {1: {"accuracy": 0.5, "measures/below_zero": 0.25}}
    assert found.result == {"epochs": 1}
    assert found.status == "diverged"
    assert found.settings["train.batch_size"] == 32
    assert json.loads(found.settings["model.stages"])[0]["c"] == 4
    assert None not in found.settings.values()


# --------------------------------------------------------------------------------------------- the commands


def call(*arguments, cwd, without=None):
    program = f"import sys; sys.modules[{without!r}] = None" if without else "pass"
    program += "\nfrom bottleneck_lab.cli import run_ablation; run_ablation()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_an_unknown_tracker_is_refused_with_the_nearest_name_before_any_training(mini, tmp_path):
    done = call(mini, "--tracker", "tensorbord", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: --tracker tensorbord: no such tracker; did you mean 'tensorboard'?\n"
    assert not (tmp_path / "results").exists()


def test_a_tracker_that_is_not_installed_is_refused_before_any_training(mini, tmp_path):
    done = call(mini, "--tracker", "wandb", cwd=tmp_path, without="wandb")
    assert done.returncode == 2
    assert done.stderr == (
        "error: --tracker wandb: wandb is not installed; get it by: pip install 'bottleneck-lab[wandb]'\n"
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", NAMES)
def test_every_tracker_has_an_extra_of_its_name(name):
    extras = importlib.metadata.metadata("bottleneck-lab").get_all("Provides-Extra")
    assert name in extras


def test_the_command_logs_from_its_workers_and_says_where_to_look(mini, tmp_path):
    pytest.importorskip("tensorboard")
    done = call(
        *(mini, "--tier", "smoke", "--dataset", "digits", "--tracker", "tensorboard", "--workers", 2),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "tensorboard --logdir results/mini/smoke/tensorboard\n" in done.stdout
    assert len(list((tmp_path / "results/mini/smoke/tensorboard").iterdir())) == 6
