from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from here import execute
from torch import nn

from bottleneck_lab.config import load
from bottleneck_lab.data.images import Images
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.trained import normalise, open_run
from bottleneck_lab.records import files
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace
from bottleneck_lab.training.device import Precision
from bottleneck_lab.training.images import accuracy, build, evaluate

CPU = torch.device("cpu")


@pytest.fixture
def folder(mini, tmp_path):
    """A finished run on digits."""
    plan = make_plan(load(str(mini)), "smoke", Data(("digits",)), [3], {})
    jobs = plan_jobs([run for run in plan.runs() if run.variant == "relu6"])
    execute(jobs, Workplace(tmp_path / "results", "cpu"), 1, lambda event: None)
    return tmp_path / "results" / "runs" / jobs[0].runs[0].id


def opened(folder):
    return open_run(folder, None, CPU)


def test_the_trained_network_makes_the_predictions_that_the_run_has_left(folder):
    run = opened(folder)
    precision = Precision(run.settings.train, CPU)
    predictions, _ = evaluate(run.network("trained"), run.data, run.data.held_out, precision)
    assert predictions.tolist() == np.load(folder / "predictions.npy").tolist()
    assert accuracy(predictions, run.data.held_out) == run.accuracy
    assert (run.settings.variant, run.settings.seed) == ("relu6", 3)


def test_the_initial_weights_are_those_that_training_began_with(folder):
    run = opened(folder)
    expected = dict(build(run.settings, CPU).named_parameters())
    for state in ("unnormalised", "initial"):
        network = run.network(state)
        assert not network.training
        assert all(torch.equal(weight, expected[name]) for name, weight in network.named_parameters())


def test_unnormalised_batch_norm_is_as_it_is_created(folder):
    for module in opened(folder).network("unnormalised").modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.running_mean == 0).all()
            assert (module.running_var == 1).all()


def test_initial_batch_norm_has_the_mean_statistics_of_the_training_batches(folder):
    run = opened(folder)
    images = run.data.normalised(run.data.train.pixels)
    network = run.network("initial")
    batches = [network.stem.conv(batch) for batch in images.split(run.settings.train.batch_size)]
    means = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    variances = torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0)
    assert torch.allclose(network.stem.norm.running_mean, means, atol=1e-5)
    assert torch.allclose(network.stem.norm.running_var, variances, rtol=1e-4)


def test_the_initial_network_in_evaluation_does_what_the_first_step_of_training_sees(folder):
    run = opened(folder)
    batch = run.data.normalised(run.data.train.pixels[:32])
    network = run.network("initial", images=32)
    seen, expected = network(batch), build(run.settings, CPU).train()(batch)
    # Running variances are divided by N - 1 and not N, for 32 images of 4 x 4 pixels hardly a difference.
    assert (seen - expected).abs().max() < 0.02 * expected.std()
    assert (run.network("unnormalised")(batch) - expected).abs().max() > expected.std()


def test_a_small_last_batch_does_not_count():
    layer = nn.Sequential(nn.BatchNorm2d(1))
    normalise(layer, [torch.ones(4, 1, 2, 2), 3 * torch.ones(4, 1, 2, 2), 100 * torch.ones(1, 1, 1, 1)])
    assert layer[0].running_mean.item() == 2
    assert layer[0].momentum == 0.1
    assert not layer.training


def test_batches_are_the_first_images_normalised(folder):
    run = opened(folder)
    batches = list(run.batches(run.data.held_out, 25, 10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert torch.equal(torch.cat(batches), run.data.normalised(run.data.held_out.pixels[:25]))
    assert sum(map(len, run.batches(run.data.held_out))) == len(run.data.held_out)


def test_large_images_come_in_smaller_batches(folder):
    large = Images(torch.zeros(70, 64, 64, 1, dtype=torch.uint8), torch.zeros(70, dtype=torch.int64))
    assert [len(batch) for batch in opened(folder).batches(large)] == [62, 8]  # 250 / 4 is 62.5


def refusal(folder, data_dir=None):
    with pytest.raises(LabError) as caught:
        open_run(folder, data_dir, CPU).network("trained")
    return str(caught.value)


def change(path, **content):
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))


def test_what_is_no_run_folder_is_refused(folder, tmp_path):
    assert "holds no config.json; give the folder of one run" in refusal(tmp_path)
    assert "holds no config.json" in refusal(folder.parent.parent)
    assert "holds no config.json" in refusal(tmp_path / "nowhere")


def test_settings_of_another_version_are_refused(folder):
    change(folder / "config.json", colour="red")
    assert "written by another version (colour: Extra inputs are not permitted)" in refusal(folder)
    (folder / "config.json").write_text("{")
    assert "damaged, or written by another version" in refusal(folder)


def test_a_run_on_spirals_is_refused(mini, tmp_path):
    plan = make_plan(load(str(mini)), "smoke", Data(("spiral",)), [0], {})
    files.write_text(tmp_path / "spiral" / "config.json", plan.runs()[0].model_dump_json())
    assert "a run on spiral points, which have no pixels" in refusal(tmp_path / "spiral")


@pytest.mark.parametrize("status", ["failed", "diverged", None])
def test_a_run_that_is_not_done_is_refused(folder, status):
    if status is None:
        (folder / "result.json").unlink()
    else:
        change(folder / "result.json", status=status)
    assert f"this run is {status or 'unfinished'}; only one that is done" in refusal(folder)


def test_images_that_are_not_at_hand_are_asked_for(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", data={**config["data"], "dataset": "cifar10"})
    assert f"--data-dir {tmp_path}: CIFAR-10 is not in it" in refusal(folder, tmp_path)
    message = refusal(folder)
    assert "CIFAR-10, whose images this run goes with, is not at hand" in message
    assert "bottleneck-lab data fetch cifar10" in message


def test_weights_that_are_missing_damaged_or_of_another_network_are_refused(folder, tmp_path):
    weights = torch.load(folder / "weights.pt", weights_only=True)
    whole = (folder / "weights.pt").read_bytes()
    (folder / "weights.pt").write_bytes(whole[:1000])
    assert f"weights.pt: has 1000 bytes; the run left {len(whole)}" in refusal(folder)
    change(folder / "result.json", files={})  # as runs were left before their files were counted
    for broken in (b"", b"no weights", whole[:1000]):
        (folder / "weights.pt").write_bytes(broken)
        assert "damaged, or not the weights of 'relu6'" in refusal(folder)
    del weights["classifier.bias"]
    torch.save(weights, folder / "weights.pt")
    assert "damaged, or not the weights of 'relu6'" in refusal(folder)
    (folder / "weights.pt").unlink()
    assert "weights.pt: not there, although the run is finished" in refusal(folder)


def test_a_run_folder_may_lie_anywhere(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert opened(tmp_path / "copy").accuracy == opened(folder).accuracy
