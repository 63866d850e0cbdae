"""An ablation file becomes variants: combinations of levels, with the settings of all layers of the file."""

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest

import bottleneck_lab
from bottleneck_lab.config import TIERS, Ablation, catalogue, load
from bottleneck_lab.errors import LabError


@pytest.fixture
def ablation(write: Callable[..., Path]) -> Ablation:
    return load(str(write()))


# The catalogue


def test_an_ablation_of_the_catalogue_is_found_by_the_name_of_its_file() -> None:
    assert "linear_vs_relu" in catalogue()
    assert all(path.is_file() and path.name == f"{name}.toml" for name, path in catalogue().items())


@pytest.mark.parametrize("name", catalogue())
def test_an_ablation_of_the_catalogue_can_run_on_all_its_data_sets_in_every_tier(name: str) -> None:
    ablation = load(name)
    assert ablation.name == name
    for tier, dataset in itertools.product(TIERS, ablation.datasets()):
        variants = ablation.variants(tier, [dataset])
        assert len(ablation.spending(tier, dataset).every_seed) >= 1
        assert len({variant.settings.id for variant in variants}) == len(variants) > 1
        assert {variant.settings.dataset for variant in variants} == {dataset}


def test_linear_vs_relu_crosses_four_projections_six_widths_and_the_shortcut_on_spirals() -> None:
    spirals = load("linear_vs_relu").variants("quick", ["spiral"])
    found = {
        (v.settings.model.projection_activation, v.settings.model.width, v.settings.model.residual)
        for v in spirals
    }
    projections = ["linear", "relu", "relu6", "leaky_relu"]
    assert found == set(itertools.product(projections, [2, 3, 4, 8, 16, 32], ["bottleneck", "none"]))
    assert len(spirals) == len(found)


def test_linear_vs_relu_separates_lost_information_from_a_branch_that_can_only_add_on_images() -> None:
    images = load("linear_vs_relu").variants("quick", ["digits"])
    found = {
        (model.projection_activation, model.projection_place, model.residual)
        for model in (v.settings.model for v in images)
    }
    assert found == {
        ("linear", "before_add", "bottleneck"),
        ("linear", "before_add", "none"),
        ("relu6", "before_add", "bottleneck"),
        ("relu6", "before_add", "none"),
        ("relu6", "after_add", "bottleneck"),
        ("relu", "before_add", "bottleneck"),
        ("leaky_relu", "before_add", "bottleneck"),
    }
    assert len(images) == len(found)


def test_the_paper_tier_of_linear_vs_relu_trains_the_network_of_the_paper_on_cifar() -> None:
    ablation = load("linear_vs_relu")
    networks = {
        tier: {variant.settings.model.network for variant in ablation.variants(tier, ["cifar10"])}
        for tier in TIERS
    }
    assert networks["quick"] == networks["laptop"] == {"mobilenet_v2_small"}
    assert networks["paper"] == {"mobilenet_v2_cifar"}


# Variants


def test_variants_are_all_combinations_of_levels_named_by_them(ablation: Ablation) -> None:
    assert [(v.name, v.levels) for v in ablation.variants("smoke", ["spiral"])] == [
        ("linear, d=2", {"projection": "linear", "width": "d=2"}),
        ("linear, d=16", {"projection": "linear", "width": "d=16"}),
        ("relu, d=2", {"projection": "relu", "width": "d=2"}),
        ("relu, d=16", {"projection": "relu", "width": "d=16"}),
    ]


def test_the_variants_of_several_data_sets_come_one_data_set_after_the_other(ablation: Ablation) -> None:
    both = ablation.variants("smoke", ["digits", "spiral"])
    assert both == ablation.variants("smoke", ["digits"]) + ablation.variants("smoke", ["spiral"])
    assert [(v.part, v.dataset) for v in both] == [("images", "digits")] * 2 + [("spiral", "spiral")] * 4


def test_a_variant_differs_from_its_neighbour_in_what_its_level_says_and_nothing_else(
    ablation: Ablation,
) -> None:
    linear, relu6 = (v.settings.model_dump() for v in ablation.variants("smoke", ["digits"]))
    assert (linear["model"].pop("projection_activation"), linear.pop("variant")) == ("linear", "linear")
    assert (relu6["model"].pop("projection_activation"), relu6.pop("variant")) == ("relu6", "relu6")
    assert linear == relu6


def test_a_tier_lays_its_settings_over_those_of_data_set_and_part(ablation: Ablation) -> None:
    arms = {tier: ablation.variants(tier, ["spiral"])[0].settings.data.arms for tier in TIERS}
    epochs = {tier: ablation.variants(tier, ["spiral"])[0].settings.train.epochs for tier in TIERS}
    assert arms == {"smoke": 4, "quick": 4, "laptop": 5, "paper": 4}
    assert epochs == {"smoke": 20, "quick": 300, "laptop": 400, "paper": 500}
    assert [len(ablation.spending(tier, "spiral").every_seed) for tier in TIERS] == [2, 3, 4, 5]


def test_level_beats_tier_beats_data_set_beats_part(write: Callable[..., Path]) -> None:
    layers = [
        ("learning_rate = 0.01", "learning_rate = 0.1"),
        ("data = { arms = 4 }", "data = { arms = 4 }\ntrain.learning_rate = 0.2"),
        ("train.epochs = 20 ", "train.epochs = 20, train.learning_rate = 0.3 "),
        ("width = 2 ", "width = 2, train.learning_rate = 0.4 "),
    ]
    for count, rate in enumerate([0.1, 0.2, 0.3, 0.4], start=1):
        narrow = load(str(write(*layers[:count]))).variants("smoke", ["spiral"])[0]
        assert narrow.settings.train.learning_rate == rate


def test_the_rows_of_a_network_are_taken_by_its_name_and_can_be_replaced(write: Callable[..., Path]) -> None:
    digits = load(str(write())).variants("smoke", ["digits"])[0].settings.model
    assert [(stage.c, stage.n, stage.s) for stage in digits.stages] == [
        (8, 1, 1),
        (12, 2, 1),
        (16, 2, 2),
        (24, 2, 1),
    ]
    own = write(("dropout = 0.1", "stages = [{ c = 4, n = 3, s = 2, t = 0.5 }]"))
    [stage] = load(str(own)).variants("smoke", ["digits"])[0].settings.model.stages
    assert (stage.c, stage.n, stage.s, stage.t) == (4, 3, 2, 0.5)


def test_a_seed_changes_nothing_but_the_seed(ablation: Ablation) -> None:
    variant = ablation.variants("smoke", ["digits"])[0]
    first, second = variant.with_seed(0), variant.with_seed(1)
    assert first == variant.settings
    assert second.model_dump() == {**first.model_dump(), "seed": 1}
    assert first.id != second.id


def test_an_ablation_and_its_variants_are_frozen(ablation: Ablation) -> None:
    variant = ablation.variants("smoke", ["digits"])[0]
    for thing, key in [(ablation, "name"), (variant, "name"), (ablation.parts["images"].claims[0], "margin")]:
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(thing, key, "other")


# Files


def test_the_same_file_in_another_folder_under_another_name_gives_the_same_runs(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    path = write()
    copy = tmp_path / "my own.toml"
    shutil.copy(path, copy)
    for tier in TIERS:
        there, here = (load(str(p)).variants(tier, ["spiral", "digits"]) for p in (path, copy))
        assert here == there
        assert [v.settings.id for v in here] == [v.settings.id for v in there]


def test_a_relative_path_is_a_file_of_ones_own(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    monkeypatch.chdir(path.parent)
    assert load(path.name).parts == load(str(path)).parts


def test_reading_and_checking_an_ablation_does_not_import_torch() -> None:
    code = """
import sys
from bottleneck_lab.config import load, parse_overrides
ablation = load("linear_vs_relu")
ablation.variants("quick", ablation.datasets(), parse_overrides(["train.epochs=3"]))
print(*sys.modules)
"""
    root = Path(bottleneck_lab.__file__).parents[1]
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert not {"torch", "numpy", "sklearn", "matplotlib"} & set(modules.stdout.split())


def test_a_file_of_ones_own_may_have_few_tiers_and_says_which_when_asked_for_another(
    write: Callable[..., Path],
) -> None:
    quick = "quick = { seeds = 3, train.epochs = 15 }\nlaptop = { seeds = 4, train.epochs = 40 }"
    ablation = load(str(write((quick, ""))))
    assert ablation.variants("smoke", ["digits"])
    with pytest.raises(LabError, match="--tier quick: digits has no such tier; valid names: smoke, paper"):
        ablation.variants("quick", ["digits"])
