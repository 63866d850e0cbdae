"""`--set [part.]section.key=value`: how it is read, what it changes, and when it is refused."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bottleneck_lab.config import Ablation, load, parse_overrides
from bottleneck_lab.errors import LabError

keys = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True)
paths = st.lists(keys, min_size=2, max_size=4)
bare_words = keys.filter(lambda word: word not in {"true", "false", "nan", "inf"})


@pytest.fixture
def ablation(write: Callable[..., Path]) -> Ablation:
    return load(str(write()))


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: value}
    return value


def values_in_toml() -> st.SearchStrategy[Any]:
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    return st.booleans() | numbers | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]))


# Reading


@settings(deadline=None)
@given(paths, values_in_toml())
def test_a_value_in_toml_is_read_as_what_it_is(path: list[str], value: Any) -> None:
    # Strings, numbers and booleans are written alike in JSON and TOML, but for infinity.
    written = json.dumps(value).replace("Infinity", "inf") if isinstance(value, float) else json.dumps(value)
    read = parse_overrides([f"{'.'.join(path)}={written}"])
    assert read == nested(path, value)
    while isinstance(read, dict):
        [read] = read.values()
    assert type(read) is type(value)


@settings(deadline=None)
@given(paths, bare_words)
def test_a_bare_word_is_a_string(path: list[str], word: str) -> None:
    assert parse_overrides([f"{'.'.join(path)}={word}"]) == nested(path, word)


@settings(deadline=None)
@given(paths, bare_words, st.sampled_from(["", " ", "  "]))
def test_spaces_around_key_and_value_do_not_matter(path: list[str], word: str, space: str) -> None:
    spaced = f"{space}{f'{space}.{space}'.join(path)}{space}={space}{word}{space}"
    assert parse_overrides([spaced]) == nested(path, word)


@settings(deadline=None)
@given(
    st.dictionaries(
        keys, st.dictionaries(keys, st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3), max_size=3
    )
)
def test_several_options_make_one_tree_in_whatever_order(tree: dict[str, dict[str, int]]) -> None:
    options = [f"{section}.{key}={value}" for section, pairs in tree.items() for key, value in pairs.items()]
    assert parse_overrides(options) == parse_overrides(options[::-1]) == tree


def test_the_last_of_two_options_for_one_key_counts() -> None:
    assert parse_overrides(["train.epochs=3", "train.epochs=5"]) == {"train": {"epochs": 5}}


def test_what_follows_the_first_equals_sign_is_the_value() -> None:
    assert parse_overrides(["train.note=a=b"]) == {"train": {"note": "a=b"}}


def test_a_value_may_be_a_table_of_stages() -> None:
    stages = [{"c": 8, "n": 1, "s": 1}]
    assert parse_overrides(["model.stages=[{ c = 8, n = 1, s = 1 }]"]) == {"model": {"stages": stages}}


def test_no_options_are_no_overrides() -> None:
    assert parse_overrides([]) == {}


@pytest.mark.parametrize(
    "option", ["", "=", "=3", "train", "train.epochs", "epochs=3", ".epochs=3", "train.=3", "a..b=3"]
)
def test_an_option_without_section_key_or_equals_sign_is_refused_with_an_example(option: str) -> None:
    with pytest.raises(LabError, match=r"section\.key=value, for example train\.epochs=3") as refused:
        parse_overrides([option])
    assert str(refused.value).startswith(f"--set {option}: ")


def test_a_key_that_has_a_value_cannot_also_be_a_section() -> None:
    with pytest.raises(LabError, match=r"--set train\.epochs\.x=4: epochs was given a value already"):
        parse_overrides(["train.epochs=3", "train.epochs.x=4"])


@settings(deadline=None)
@given(st.text())
@example("a.b=")
@example("a.b=[")
@example('a.b="')
@example("a.b=\n")
@example("a.b=2020-99-99")
def test_any_text_is_read_or_refused_but_nothing_breaks(option: str) -> None:
    try:
        read = parse_overrides([option])
    except LabError:
        return
    assert isinstance(read, dict)


# What it changes


def test_an_override_holds_for_every_variant_and_nothing_else_changes(ablation: Ablation) -> None:
    before = ablation.variants("smoke", ["spiral", "digits"])
    after = ablation.variants("smoke", ["spiral", "digits"], parse_overrides(["train.epochs=7"]))
    assert [variant.settings for variant in after] == [
        variant.settings.model_copy(update={"train": variant.settings.train.model_copy(update={"epochs": 7})})
        for variant in before
    ]


def test_an_override_beats_part_data_set_and_tier(ablation: Ablation) -> None:
    options = ["spiral.train.learning_rate=0.5", "data.arms=7", "spiral.model.blocks=3"]
    for variant in ablation.variants("laptop", ["spiral"], parse_overrides(options)):
        settings = variant.settings
        assert (settings.train.learning_rate, settings.data.arms, settings.model.blocks) == (0.5, 7, 3)


def test_with_a_part_in_front_it_holds_for_that_part_alone_and_beats_one_without(ablation: Ablation) -> None:
    overrides = parse_overrides(["images.train.epochs=9", "train.epochs=7"])
    variants = ablation.variants("smoke", ["spiral", "digits"], overrides)
    assert {(variant.part, variant.settings.train.epochs) for variant in variants} == {
        ("spiral", 7),
        ("images", 9),
    }


# When it is refused


def complaint(ablation: Ablation, *options: str, datasets: Sequence[Any] = ("spiral", "digits")) -> list[str]:
    with pytest.raises(LabError) as refused:
        ablation.variants("smoke", datasets, parse_overrides(options))
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{ablation.file}: ") for line in lines)
    return [line.removeprefix(f"{ablation.file}: ") for line in lines]


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("train.epoch=3", "--set train.epoch: unknown key; did you mean 'epochs'?"),
        ("images.model.dropuot=0", "--set images.model.dropuot: unknown key; did you mean 'dropout'?"),
        ("trian.epochs=3", "--set trian: no such section; did you mean 'train'?"),
        ("imges.train.epochs=3", "--set imges: no such section; did you mean 'images'?"),
        ("images.trian.epochs=3", "--set images.trian: no such section; did you mean 'train'?"),
        ("images.train=3", "--set images.train: is a section; set a key of it, not 3"),
        ("images.data=cifar10", "--set images.data: is a section; set a key of it, not 'cifar10'"),
        (
            "images.model.residual=nne",
            "--set images.model.residual: 'nne' is not known; did you mean 'none'?",
        ),
        ('train.epochs="3"', "--set train.epochs: input should be a valid integer, not '3'"),
        ("train.epochs=true", "--set train.epochs: input should be a valid integer, not True"),
        ("train.epochs=0", "--set train.epochs: input should be greater than or equal to 1, not 0"),
        ("train.learning_rate=nan", "--set train.learning_rate: input should be a finite number, not nan"),
    ],
)
def test_a_bad_override_is_refused_once_with_option_reason_and_nearest_name(
    ablation: Ablation, option: str, line: str
) -> None:
    assert complaint(ablation, option) == [line]


@pytest.mark.parametrize("option", ["data.dataset=cifar100", "images.data.dataset=cifar100"])
def test_the_data_set_is_not_chosen_by_an_override(ablation: Ablation, option: str) -> None:
    [line] = complaint(ablation, option, datasets=["digits"])
    assert line.startswith(f"--set {option.partition('=')[0]}: unknown key; ")
    assert "--dataset" in line


def test_an_override_for_a_part_that_does_not_run_is_refused(ablation: Ablation) -> None:
    [line] = complaint(ablation, "images.train.epochs=3", datasets=["spiral"])
    assert line == "--set images: this part does not run with the data sets chosen"


def test_an_override_that_only_one_part_knows_needs_that_part_in_front(ablation: Ablation) -> None:
    [line] = complaint(ablation, "model.blocks=3")
    assert line.startswith("--set model.blocks: unknown key")
    assert ablation.variants("smoke", ["spiral", "digits"], parse_overrides(["spiral.model.blocks=3"]))


@pytest.mark.parametrize("option", ["spiral.model.width=3", "images.model.projection_activation=silu"])
def test_an_override_that_wipes_out_the_difference_between_variants_is_refused(
    ablation: Ablation, option: str
) -> None:
    [line] = complaint(ablation, option)
    assert "have equal settings" in line


def test_an_override_that_is_impossible_with_the_rest_is_refused(ablation: Ablation) -> None:
    [line] = complaint(ablation, "train.warmup_epochs=1.5", datasets=["digits"])
    assert line == "parts.images (train): warmup_epochs = 1.5 is longer than epochs = 1"


def test_all_bad_overrides_are_named_at_once(ablation: Ablation) -> None:
    lines = complaint(ablation, "train.epoch=3", "imges.train.epochs=3", "images.model.kernel=true")
    assert {line.partition(": ")[0] for line in lines} == {
        "--set train.epoch",
        "--set imges",
        "--set images.model.kernel",
    }


def test_a_data_set_that_no_part_knows_is_answered_with_the_nearest_one(ablation: Ablation) -> None:
    assert complaint(ablation, datasets=["digit"]) == [
        "--dataset: mine has no data set 'digit'; did you mean 'digits'?"
    ]
