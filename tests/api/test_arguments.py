"""What comes from Python may be of any type: a sentence for each wrong one; what is the caller's stays."""

import numpy as np
import pytest
import torch
from torch import nn

import bottleneck_lab as lab
from bottleneck_lab.api.arguments import in_arguments
from bottleneck_lab.api.frame import Frame
from bottleneck_lab.api.run import _seeds
from bottleneck_lab.training.device import settings_kept, settle_process

POINTS = np.random.default_rng(0).normal(size=(60, 2))
NETWORK = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seeds": [1.5]}, "seeds: 1.5 is no whole number"),
        ({"seeds": "5"}, "seeds: '5' is no whole number"),
        ({"seeds": True}, "seeds: True is no whole number"),
        ({"seeds": 10**9}, "give a number above 0"),
        ({"seeds": [2**70]}, "give a number above 0"),
        ({"seeds": []}, "give a number above 0"),
        ({"workers": 0}, "workers = 0: give a whole number above 0"),
        ({"workers": "2"}, "workers: '2' is no whole number"),
        ({"tier": None}, "tier None: no such tier"),
        ({"dataset": 3}, "dataset = 3: give one text"),
        ({"trackers": "foo"}, "no such tracker"),
        ({"settings": ["train.epochs=3"]}, "give values by their keys"),
        ({"settings": {"epochs": 3}}, "write it as section.key=value"),
        ({"include": "nowhere.py"}, "nowhere.py: no such file"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_forgotten_or_trained(arguments, sentence, tmp_path):
    with pytest.raises(lab.LabError) as caught:
        lab.run("depthwise_separable", **{"tier": "smoke", **arguments}, fresh=True, out=tmp_path / "results")
    assert sentence in str(caught.value)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"engine": "warp"}, "engine warp: no such engine"),
        ({"engine_options": {"nodes": 3}}, "engine_options nodes: unknown key"),
        ({"dataset": "cifar10", "data_dir": "nowhere"}, "data_dir nowhere: "),
    ],
)
def test_what_a_command_would_refuse_is_refused_in_the_words_of_python(arguments, sentence, tmp_path):
    with pytest.raises(lab.LabError) as caught:
        lab.run("depthwise_separable", tier="smoke", out=tmp_path, **arguments)
    assert sentence in str(caught.value)
    assert "--" not in str(caught.value)


def test_the_options_of_other_programs_stay_as_they_are():
    said = (
        "--engine-option x, --data-dir; sbatch: unrecognized option '--gres=gpu:1'; pip install --upgrade x; "
        "ray start --address=HOST:6379"
    )
    assert in_arguments(said) == said.replace("--engine-option", "engine_options").replace(
        "--data-dir", "data_dir"
    )


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_results_of_a_name_that_nothing_can_have_get_a_sentence(name):
    with pytest.raises(lab.LabError, match="cannot be looked into"):
        lab.read_results(name)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"shape": (1, 2)}, "has shape = \\(1, 2\\); give channels, height and width"),
        ({"shape": 8}, "has shape = 8; give"),
        ({"classes": "2"}, "has classes = '2'; give a whole number"),
        ({"train": 1.5}, "has train = 1.5; give a whole number"),
        ({"train": True}, "has train = True; give a whole number"),
        ({"train": np.True_}, "has train = np.True_; give a whole number"),
        ({"train": np.array([2, 3])}, r"has train = array\(\[2, 3\]\); give a whole number"),
        ({"held_out": np.int64(0)}, "has held_out = 0; give a number above 0"),
    ],
)
def test_numbers_that_no_data_set_has_get_a_sentence(arguments, sentence):
    numbers = {"shape": (1, 8, 8), "classes": 2, "train": 4, "held_out": 4, **arguments}
    with pytest.raises(lab.LabError, match=sentence):
        lab.extend.images("mine", **numbers)


def test_numbers_of_a_data_set_may_be_numpys(tmp_path):
    numbers = {"classes": np.int64(2), "train": np.int32(4), "held_out": 4}
    lab.extend.images("mine", shape=[1, np.int64(8), 8], **numbers)(lambda: None)
    assert lab.extend.image_set("mine").shape == (1, 8, 8)


def test_seeds_may_be_numpys():
    assert _seeds(np.arange(3)) == _seeds(np.int64(3)) == _seeds([0, 1, 2, 1]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"dims": 2}, "give a list of whole numbers"),
        ({"dims": [2.5]}, "dims: 2.5 is no whole number"),
        ({"trials": "3"}, "trials: '3' is no whole number"),
        ({"seed": None}, "seed: None is no whole number"),
        ({"activation": 3}, "give a name, a torch.nn.Module or a function"),
        ({"activation": lambda z: z / 0.0 if isinstance(z, float) else z + np.inf}, "makes NaN or infinity"),
        ({"activation": {"kind": "leaky"}}, "activation = {'kind': 'leaky'}"),
    ],
)
def test_what_cannot_be_collapsed_gets_a_sentence(arguments, sentence):
    with pytest.raises(lab.LabError) as caught:
        lab.collapse(POINTS, **arguments)
    assert sentence in str(caught.value)


def test_dims_may_be_numpys_and_parameters_a_table():
    leaky = {"kind": "leaky", "slope": np.float32(0.25)}
    found = lab.collapse(POINTS, dims=np.arange(2, 4), trials=2, activation=leaky)
    assert found["dim"].tolist() == [2, 3]


@pytest.mark.parametrize("codes", [np.zeros((60, 0)), POINTS * 1e160, POINTS + 1j, POINTS * np.nan])
def test_codes_that_nothing_can_be_measured_on_get_a_sentence(codes):
    with pytest.raises(lab.LabError):
        lab.lost(POINTS, codes)


def test_a_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    module[1].eval()
    lab.lost(POINTS, module)
    assert [part.training for part in module.modules()] == [True, True, False]


@pytest.mark.parametrize(
    ("network", "inputs", "sentence"),
    [
        (None, torch.ones(2, 3, 4, 4), "None is no torch.nn.Module"),
        (NETWORK, [(torch.ones(2, 3, 4, 4), torch.ones(2))], "of a DataLoader's pairs"),
        (NETWORK, torch.full((2, 3, 4, 4), np.nan), "NaN or infinity"),
        (NETWORK, torch.ones(0, 3, 4, 4), "empty"),
        (nn.ReLU(), torch.ones(3), "is no tensor [N, C]"),
        (nn.Sequential(nn.ReLU()), [torch.ones(2, 3), torch.ones(2, 4)], "different numbers of channels"),
    ],
)
def test_what_cannot_be_observed_gets_a_sentence(network, inputs, sentence):
    with pytest.raises(lab.LabError) as caught:
        lab.observe(network, inputs)
    assert sentence in str(caught.value)


def test_a_frame_without_rows_keeps_its_columns():
    frame = Frame([{"seed": 1, "accuracy": 0.5}])
    for empty in (frame.where(seed=2), frame[:0], Frame([], ["seed", "accuracy"])):
        assert empty.columns == ("seed", "accuracy")
        assert len(empty["accuracy"]) == 0


def test_threads_are_the_callers_again():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with settings_kept():
            settle_process()
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
