"""Equal settings are the same run and have the same name; any other setting is another run."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bottleneck_lab
from bottleneck_lab.config import NETWORKS, RunSettings

TOY: dict[str, Any] = {
    "variant": "relu",
    "seed": 3,
    "data": {"dataset": "spiral"},
    "model": {"family": "toy", "network": "toy", "width": 4},
    "train": {"epochs": 10},
}
IMAGES: dict[str, Any] = {
    "variant": "linear",
    "seed": 3,
    "data": {"dataset": "digits", "train_images": 100, "held_out_images": 50, "resolution": 16},
    "model": {
        **NETWORKS["mobilenet_v2_digits"],
        "family": "mobilenet_v2",
        "network": "mobilenet_v2_digits",
        "stages": [{"c": 8, "n": 2, "s": 1, "t": 3.0}],
    },
    "train": {"epochs": 10, "batch_size": 32},
}

# For every setting a value that is neither its default nor the one above, and possible beside the others.
OTHER_TRAIN = {
    "epochs": 11,
    "optimizer": "adam",
    "learning_rate": 0.2,
    "momentum": 0.8,
    "nesterov": False,
    "schedule": "constant",
    "cooldown_share": 0.5,
    "warmup_epochs": 1.0,
    "weight_decay": 0.01,
    "decay_norm": True,
    "decay_depthwise": True,
    "label_smoothing": 0.1,
    "precision": "float32",
    "evaluate_every": 2,
    "measure_every": 2,
    "measure_epochs": [3],
    "projection_bias_rate": 64.0,
    "kernel": "eager",
}
OTHER_BLOCK = {
    "expansion": 5.0,
    "projection_activation": "silu",
    "projection_place": "after_add",
    "inner_activation": "relu",
    "residual": "none",
    "initial": {"weights": "fan_out", "projection_bias": 1.0, "projection_scale": 0.5},
}
OTHER_TOY = {
    "variant": "other",
    "seed": 4,
    "data": {"arms": 4, "turns": 2.0, "points": 700, "held_out": 99, "noise": 0.1, "dimensions": 5},
    "model": {**OTHER_BLOCK, "width": 5, "blocks": 5, "madds_of_expansion": 4.0},
    "train": OTHER_TRAIN,
}
OTHER_IMAGES = {
    "variant": "other",
    "seed": 4,
    "data": {
        "dataset": "cifar10",
        "train_images": 101,
        "held_out_images": 51,
        "crop_padding": 2,
        "flip": False,
        "resolution": 12,
        "alternate_flip": True,
        "tuning_images": 10,
        "labels": "random",
    },
    "model": {
        **OTHER_BLOCK,
        "network": "mobilenet_v2_small",
        "stem_width": 24,
        "stem_stride": 3,
        "stages": {0: {"c": 12, "n": 3, "s": 2, "t": 2.0}},
        "head_width": 100,
        "kernel": 5,
        "width_multiplier": 1.4,
        "channel_multiple": 2,
        "madds_of_expansion": 4.0,
        "dropout": 0.3,
        "expansion_activation": "linear",
        "depthwise_activation": {"kind": "leaky", "slope": 0.5},
    },
    "train": {**OTHER_TRAIN, "batch_size": 16, "average_share": 0.5},
}

Place = tuple[str | int, ...]


def read(content: dict[str, Any]) -> RunSettings:
    return RunSettings.model_validate_json(json.dumps(content))


def leaves(tree: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every setting with the keys that lead to it."""
    numbers = isinstance(tree, list) and bool(tree) and all(isinstance(one, int) for one in tree)
    whole = numbers or (isinstance(tree, dict) and "kind" in tree)  # an activation with its parameters
    if isinstance(tree, dict | list) and not whole:
        for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(inner, (*path, key))
    else:
        yield path, tree


def changed(run: RunSettings, changes: dict[Place, Any]) -> RunSettings:
    content = json.loads(run.model_dump_json())
    for (*way, last), value in changes.items():
        branch = content
        for step in way:
            if step == "initial":  # is not written where it is the default
                branch.setdefault(step, {})
            branch = branch[step]
        branch[last] = value
    return read(content)


RUNS = {"toy": (read(TOY), dict(leaves(OTHER_TOY))), "images": (read(IMAGES), dict(leaves(OTHER_IMAGES)))}
FIXED = {
    ("model", "family"),
    ("model", "network"),
    ("data", "dataset"),
    ("train", "batch_size"),
    ("model", "block"),  # those with another block come from outside
    ("model", "shortcuts"),  # needs its own placement of shortcuts
}


@pytest.mark.parametrize(("run", "others"), RUNS.values(), ids=RUNS)
def test_the_table_of_other_values_lists_every_setting_there_is(
    run: RunSettings, others: dict[Place, Any]
) -> None:
    assert {path for path, _ in leaves(json.loads(run.model_dump_json()))} - others.keys() <= FIXED


@pytest.mark.parametrize(
    ("run", "path", "other"),
    [(run, path, other) for run, others in RUNS.values() for path, other in others.items()],
    ids=[f"{name}-{'.'.join(map(str, path))}" for name, (_, others) in RUNS.items() for path in others],
)
def test_any_one_setting_that_changes_makes_another_run(run: RunSettings, path: Place, other: Any) -> None:
    assert changed(run, {path: other}).id != run.id


@pytest.mark.parametrize("published", ["depthwise_separable", "linear_vs_relu"])
def test_published_runs_keep_their_names(published: str) -> None:
    archive = Path(bottleneck_lab.__file__).resolve().parents[1] / "figures" / published / "runs.zip"
    if not archive.exists():
        pytest.skip("the published records are in the repository only")
    with zipfile.ZipFile(archive) as runs:
        configs = [name for name in runs.namelist() if name.endswith("config.json")]
        assert configs
        for name in configs[::10]:
            assert RunSettings.model_validate_json(runs.read(name)).id == Path(name).parent.name


@settings(deadline=None)
@given(st.sampled_from(sorted(RUNS)), st.data())
def test_two_runs_have_one_name_exactly_where_their_settings_are_equal(
    name: str, data: st.DataObject
) -> None:
    run, others = RUNS[name]
    subsets = st.sets(st.sampled_from(sorted(others, key=str)), max_size=3)
    first, second = (data.draw(subsets) for _ in range(2))
    ids = [changed(run, {path: others[path] for path in chosen}).id for chosen in (first, second)]
    assert (ids[0] == ids[1]) == (first == second)


def shuffled(tree: Any, data: st.DataObject) -> Any:
    if not isinstance(tree, dict):
        return tree
    return {key: shuffled(tree[key], data) for key in data.draw(st.permutations(list(tree)))}


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([TOY, IMAGES]), st.data())
def test_the_order_in_which_settings_are_written_does_not_matter(
    content: dict[str, Any], data: st.DataObject
) -> None:
    assert read(shuffled(content, data)).id == read(content).id


@pytest.mark.parametrize("content", [TOY, IMAGES], ids=["toy", "images"])
def test_a_default_that_is_written_out_is_the_same_run(content: dict[str, Any]) -> None:
    written_out = json.loads(read(content).model_dump_json())
    assert len(dict(leaves(written_out))) > len(dict(leaves(content)))
    assert read(written_out) == read(content)
    assert read(written_out).id == read(content).id


def test_a_whole_number_may_be_written_with_or_without_a_point() -> None:
    run = read(TOY)
    for whole in (6, 6.0):
        assert changed(run, {("model", "expansion"): whole}).id == run.id


def test_a_name_is_16_hexadecimal_digits() -> None:
    name = read(TOY).id
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_a_run_has_the_same_name_in_every_process() -> None:
    code = f"""
import json
from bottleneck_lab.config import RunSettings
print(RunSettings.model_validate_json({json.dumps(IMAGES)!r}).id)
"""
    root = Path(bottleneck_lab.__file__).parents[1]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == read(IMAGES).id


@pytest.mark.parametrize(("run", "_others"), RUNS.values(), ids=RUNS)
def test_settings_cannot_be_changed(run: RunSettings, _others: object) -> None:
    for part in (run, run.data, run.model, run.train):
        for key in type(part).model_fields:
            with pytest.raises(pydantic.ValidationError, match="frozen"):
                setattr(part, key, getattr(part, key))
    assert hash(run) == hash(run.model_copy())


@pytest.mark.parametrize(
    ("dataset", "classes", "shape"),
    [("digits", 10, (1, 8, 8)), ("cifar10", 10, (3, 32, 32)), ("cifar100", 100, (3, 32, 32))],
)
def test_an_image_data_set_has_its_published_classes_and_shape(
    dataset: str, classes: int, shape: tuple[int, int, int]
) -> None:
    data = read({**IMAGES, "data": {"dataset": dataset}}).data
    assert (data.classes, data.shape) == (classes, shape)


def test_a_resolution_replaces_the_edge_of_the_images() -> None:
    assert read({**IMAGES, "data": {"dataset": "cifar10", "resolution": 64}}).data.shape == (3, 64, 64)


def test_a_spiral_has_a_class_for_every_arm() -> None:
    assert changed(read(TOY), {("data", "arms"): 7}).data.classes == 7


def test_a_shortcut_between_expansions_needs_expansions() -> None:
    with pytest.raises(pydantic.ValidationError, match="leaves no expanded tensors"):
        RunSettings.model_validate(
            {**TOY, "model": {**TOY["model"], "expansion": 0, "residual": "expansion"}}
        )


@pytest.mark.parametrize("part", ["points", "held_out"])
def test_every_arm_of_a_spiral_has_a_point(part: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="leave some arms empty"):
        RunSettings.model_validate({**TOY, "data": {"dataset": "spiral", "arms": 5, part: 4}})


@given(
    st.sampled_from(list(RUNS.values())),
    st.sampled_from(["linear", '"seed":9223372036854775808', "9223372036854775808"]),
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3),
)
def test_ids_of_many_seeds_are_those_of_each(
    case: tuple[RunSettings, Any], name: str, seeds: list[int]
) -> None:
    run = changed(case[0], {("variant",): name})
    assert run.ids(seeds) == [changed(run, {("seed",): seed}).id for seed in seeds]
