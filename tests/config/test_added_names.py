"""Names from outside in settings: who knows them, and which runs they make."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from bottleneck_lab import extend
from bottleneck_lab.config import (
    NETWORKS,
    ImageSettings,
    PointSettings,
    RunSettings,
    ToyNetworkSettings,
    load,
)
from bottleneck_lab.errors import LabError
from bottleneck_lab.extend import including

ACTIVATION = """
from bottleneck_lab import extend
from bottleneck_lab.extend import including

@extend.activation("{name}")
def make():
    "{text}"
"""

Include = Callable[..., Path]


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Include:
    """Includes a file with this text in place of everything that was included before."""

    def include(text: str, name: str = "mine.py") -> Path:
        for registry in extend.REGISTRIES:
            registry.added.clear()
        including._included.clear()
        path = tmp_path / name
        path.write_text(text)
        extend.include([path])
        return path

    return include


def toy(**model: Any) -> RunSettings:
    content = {
        "variant": "swish",
        "seed": 0,
        "data": {"dataset": "spiral"},
        "model": {"family": "toy", "network": "toy", "width": 4, **model},
        "train": {"epochs": 10},
    }
    return RunSettings.model_validate_json(json.dumps(content))


def images(measures: tuple[str, ...] = (), dataset: str = "digits", **model: Any) -> RunSettings:
    content = {
        "variant": "swish",
        "seed": 0,
        "data": {"dataset": dataset},
        "model": {**NETWORKS["mobilenet_v2_digits"], "network": "mobilenet_v2_digits", **model},
        "train": {"epochs": 10, "batch_size": 32},
        "measures": measures,
    }
    return RunSettings.model_validate_json(json.dumps(content))


def test_a_run_is_another_one_when_the_file_behind_one_of_its_names_changes(include: Include) -> None:
    ids = set()
    for text in ("one", "two", "three"):
        include(ACTIVATION.format(name="swish", text=text))
        ids.add(toy(projection_activation="swish").id)
    assert len(ids) == 3


def test_a_run_is_the_same_when_a_file_changes_that_adds_none_of_its_names(include: Include) -> None:
    ids = set()
    for text in ("one", "two"):
        include(ACTIVATION.format(name="swish", text=text))
        ids.add(toy(projection_activation="silu").id)  # although the variant is called swish
    assert len(ids) == 1


def test_a_name_of_another_kind_is_not_the_name_that_a_run_uses(include: Include) -> None:
    before = toy(residual="none").id, images(("below_zero",)).id
    include(
        "from bottleneck_lab import extend\n"
        "for name in ('none', 'all', 'adam', 'sgd', 'below_zero', 'digits', 'spiral'):\n"
        "    extend.activation(name)(str)\n"
    )
    assert (toy(residual="none").id, images(("below_zero",)).id) == before
    assert toy(residual="none").added_files() == {}


def test_a_file_that_moves_gives_the_same_runs(include: Include) -> None:
    text = ACTIVATION.format(name="swish", text="one")
    ids = set()
    for name in ("one.py", "two.py"):
        path = include(text, name)
        ids.add(toy(inner_activation="swish").id)
        assert list(toy(inner_activation="swish").added_files()) == [str(path)]
    assert len(ids) == 1


EVERYTHING = """
from bottleneck_lab import extend
from bottleneck_lab.extend import including
extend.activation("my_activation")(str)
extend.block("my_block")(str)
extend.residual("my_residual")(str)
extend.images("my_images", shape=(1, 8, 8), classes=2, train=20, held_out=10)(str)
extend.points("my_points", dimensions=3, classes=2)(str)
extend.measure("my_measure")(str)
"""


def test_everything_that_a_run_can_name_counts(include: Include) -> None:
    path = include(EVERYTHING)
    runs = [
        images(projection_activation="my_activation"),
        images(inner_activation="my_activation"),
        images(block="my_block"),
        images(residual="my_residual"),
        images(("my_measure",)),
        images(dataset="my_images"),
    ]
    assert [list(run.added_files()) for run in runs] == [[str(path)]] * len(runs)
    assert images().added_files() == {}


def test_settings_of_an_added_data_set_know_its_classes_and_shape(include: Include) -> None:
    include(EVERYTHING)
    data = images(dataset="my_images").data
    assert isinstance(data, ImageSettings)
    assert (data.classes, data.shape, data.train_count, data.held_out_count) == (2, (1, 8, 8), 20, 10)
    points = PointSettings(dataset="my_points")
    assert (points.classes, points.coordinates) == (2, 3)


def test_more_images_than_an_added_data_set_has_are_refused(include: Include) -> None:
    include(EVERYTHING)
    with pytest.raises(pydantic.ValidationError, match="train_images = 21: my_images has only 20"):
        ImageSettings(dataset="my_images", train_images=21)


def test_a_data_set_that_nobody_has_added_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(pydantic.ValidationError, match="'digit' is not known; did you mean 'digits'"):
        images(dataset="digit")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"block": "my_block", "residual": "expansion"}, "has no expanded tensors for residual"),
        ({"block": "my_block", "residual": "sandglass"}, "has no expanded tensors for residual"),
        ({"block": "my_block", "madds_of_expansion": 4.0}, "known for inverted residual blocks only"),
        ({"residual": "my_residual", "shortcuts": "between_expansions"}, "is a choice among those between"),
    ],
)
def test_what_an_added_block_cannot_have_is_refused(
    include: Include, model: dict[str, Any], reason: str
) -> None:
    include(EVERYTHING)
    with pytest.raises(pydantic.ValidationError, match=reason):
        images(**model)


def test_a_toy_network_takes_points_and_no_image_network_does(include: Include) -> None:
    include(EVERYTHING)
    content = toy().model_dump()
    content["data"] = {"dataset": "my_points"}
    assert RunSettings.model_validate(content).dataset == "my_points"
    content["data"] = {"dataset": "my_images"}
    with pytest.raises(pydantic.ValidationError, match="'toy' cannot be trained on 'my_images'"):
        RunSettings.model_validate(content)


def test_an_added_data_set_takes_only_the_settings_of_its_kind(write: Callable[..., Path]) -> None:
    extend.points("moons", dimensions=2, classes=2)(str)
    path = write(
        ("[parts.spiral.datasets.spiral]", "[parts.spiral.datasets.moons]"),
        ("[parts.spiral.datasets.spiral.tiers]", "[parts.spiral.datasets.moons.tiers]"),
        (", data.arms = 5", ""),
    )
    with pytest.raises(LabError, match=r"moons.data.arms: unknown key; valid names: points, held_out"):
        load(str(path))
    path.write_text(path.read_text().replace("arms = 4", "points = 4"))
    [first, *_] = load(str(path)).variants("smoke", ["moons"])
    assert (first.settings.data.points, first.settings.data.classes) == (4, 2)


def test_a_name_that_nobody_knows_may_be_in_a_file_that_was_not_included() -> None:
    with pytest.raises(ValueError, match=r"'zzz' is not known; .*, or --include the file that adds it"):
        ToyNetworkSettings(family="toy", network="toy", width=2, projection_activation="zzz")
