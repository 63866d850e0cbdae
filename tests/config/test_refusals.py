"""A file that could not run is refused at once, with file, key, reason and the nearest valid name."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError

Refusal = Callable[..., list[str]]

SMOKE = "parts.spiral.datasets.spiral.tiers.smoke"


def test_the_file_that_the_others_are_made_from_is_accepted(write: Callable[..., Path]) -> None:
    assert load(str(write())).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "key", "nearest"),
    [
        ('title = "Images"', 'title = "Images"\nmodle = {}', "parts.images.modle", "model"),
        ("blocks = 2", "block = 2", "parts.spiral.model.block", "blocks"),
        ("arms = 4", "arm = 4", "parts.spiral.datasets.spiral.data.arm", "arms"),
        ("learning_rate =", "learningrate =", "parts.spiral.train.learningrate", "learning_rate"),
        ("seeds = 2, train.epochs = 20", "seeds = 2, trian.epochs = 20", f"{SMOKE}.trian", "train"),
        (
            'relu = { model.projection_activation = "relu" }',
            'relu = { model.projection_activtion = "relu" }',
            "parts.spiral.axes.projection.relu.model.projection_activtion",
            "projection_activation",
        ),
        ('kind = "equivalence"', 'knd = "equivalence"', "parts.images.claims.0.knd", "kind"),
        (
            "dropout = 0.1",
            "stages = [{ c = 8, n = 1, s = 1, tt = 6 }]",
            "parts.images.model.stages.0.tt",
            "t",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    refusal: Refusal, old: str, new: str, key: str, nearest: str
) -> None:
    assert refusal((old, new)) == [f"{key}: unknown key; did you mean {nearest!r}?"]


def test_a_key_that_resembles_no_known_one_is_answered_with_all_of_them(refusal: Refusal) -> None:
    [line] = refusal(("arms = 4", "zzz = 4"))
    assert line == (
        "parts.spiral.datasets.spiral.data.zzz: unknown key; "
        "valid names: points, held_out, arms, turns, noise, dimensions"
    )


@pytest.mark.parametrize("key", ["name", "file"])
def test_an_ablation_is_named_by_its_file_and_not_inside_it(refusal: Refusal, key: str) -> None:
    [line] = refusal(('source = "Sec. 3.2"\nreported', f'{key} = "x"\nsource = "Sec. 3.2"\nreported'))
    assert line.startswith(f"{key}: unknown key")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("crop_padding = 1", 'crop_padding = 1, dataset = "cifar10"', "datasets.digits.data.dataset"),
        ("dropout = 0.1", 'dropout = 0.1, family = "toy"', "model.family"),
    ],
)
def test_data_and_family_cannot_be_set_to_contradict_the_names_of_data_set_and_network(
    refusal: Refusal, old: str, new: str, key: str
) -> None:
    [line] = refusal((old, new))
    assert line.startswith(f"parts.images.{key}: unknown key")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"20"', "'20'"),
        ("true", "True"),
        ("20.0", "20.0"),
        ("[20]", "[20]"),
        ("1979-05-27", "'1979-05-27'"),
        ("nan", "nan"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_converted(
    refusal: Refusal, value: str, shown: str
) -> None:
    [line] = refusal(("epochs = 20 ", f"epochs = {value} "))
    assert line.startswith(f"{SMOKE}.train.epochs: ")
    assert "integer" in line
    assert line.endswith(f"not {shown}")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("flip = false", "flip = 0", "parts.images.datasets.digits.data.flip"),
        ("flip = false", 'flip = "no"', "parts.images.datasets.digits.data.flip"),
        ("dropout = 0.1", 'dropout = "0.1"', "parts.images.model.dropout"),
        ("dropout = 0.1", "dropout = true", "parts.images.model.dropout"),
        ("margin = 0.005", 'margin = "0.005"', "parts.images.claims.0.margin"),
        ("{ linear = 1, relu6 = -1 }", '"linear - relu6"', "parts.images.claims.0.contrast"),
        ("seeds = 3, train.epochs = 300", "seeds = true, train.epochs = 300", f"{SMOKE[:-5]}quick.seeds"),
        ('model = { network = "toy", blocks = 2 }', 'model = "toy"', "parts.spiral.model"),
        ("dropout = 0.1", "stages = 3", "parts.images.model.stages"),
    ],
)
def test_types_are_those_of_the_settings_everywhere(refusal: Refusal, old: str, new: str, key: str) -> None:
    [line] = refusal((old, new))
    assert line.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("epochs = 20 ", "epochs = 0 ", f"{SMOKE}.train.epochs"),
        ("arms = 4", "arms = 1", "parts.spiral.datasets.spiral.data.arms"),
        ("dropout = 0.1", "dropout = 1.0", "parts.images.model.dropout"),
        ("dropout = 0.1", "expansion = -1", "parts.images.model.expansion"),
        ("dropout = 0.1", "width_multiplier = 0", "parts.images.model.width_multiplier"),
        ("learning_rate = 0.01", "learning_rate = 0", "parts.spiral.train.learning_rate"),
        ("batch_size = 64", "batch_size = 1", "parts.images.train.batch_size"),
        ("margin = 0.005", "margin = 0", "parts.images.claims.0.margin"),
        ("seeds = 5, train.epochs = 80", "seeds = 0", "parts.images.datasets.digits.tiers.paper.seeds"),
    ],
)
def test_a_value_out_of_range_is_refused(refusal: Refusal, old: str, new: str, key: str) -> None:
    [line] = refusal((old, new))
    assert line.startswith(f"{key}: input should be ")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("dropout = 0.1", "expansion = {}", "parts.images.model.expansion"),
        ("learning_rate = 0.01", "learning_rate = {}", "parts.spiral.train.learning_rate"),
        ("margin = 0.005", "margin = {}", "parts.images.claims.0.margin"),
        ("relu6 = -1 }", "relu6 = {} }}", "parts.images.claims.0.contrast.relu6"),
    ],
)
def test_numbers_are_finite(refusal: Refusal, number: str, old: str, new: str, key: str) -> None:
    [line] = refusal((old, new.format(number)))
    assert line == f"{key}: input should be a finite number, not {number}"


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("dropout = 0.1", "kernel = 4", "parts.images (model)", "only odd kernels"),
        (
            "dropout = 0.1",
            'residual = "sandglass", expansion = 0.5',
            "parts.images (model)",
            "a sandglass block has wide ends",
        ),
        (
            "dropout = 0.1",
            'residual = "sandglass", stages = [{ c = 8, n = 2, s = 1, t = 0 }]',
            "parts.images (model)",
            "a sandglass block has wide ends",
        ),
        (
            "dropout = 0.1",
            'residual = "expansion", expansion = 0',
            "parts.images (model)",
            "no expanded tensors",
        ),
        (
            "warmup_epochs = 0.5",
            "warmup_epochs = 2",
            "parts.images (train)",
            "longer than epochs = 1",
        ),
        ("warmup_epochs = 0.5", "momentum = 0", "parts.images (train)", "nesterov = true needs a momentum"),
        ("batch_size = 64, ", "", "parts.images", "image networks need a batch_size"),
        ('optimizer = "adam"', "batch_size = 10", "parts.spiral", "leave batch_size out"),
        (
            'network = "mobilenet_v2_digits", dropout = 0.1',
            'network = "toy", width = 8',
            "parts.images",
            "'toy' cannot be trained on 'digits'",
        ),
    ],
)
def test_settings_that_are_impossible_together_are_refused_with_the_reason(
    refusal: Refusal, old: str, new: str, where: str, reason: str
) -> None:
    [line] = refusal((old, new))
    assert line.startswith(f"{where}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("old", "new", "key", "nearest"),
    [
        (
            'relu6 = { model.projection_activation = "relu6" }',
            'relu6 = { model.projection_activation = "reelu6" }',
            "parts.images.axes.projection.relu6.model.projection_activation",
            "relu6",
        ),
        (
            '"mobilenet_v2_digits"',
            '"mobilenetv2_digits"',
            "parts.images.model.network",
            "mobilenet_v2_digits",
        ),
        ("dropout = 0.1", 'residual = "expansions"', "parts.images.model.residual", "expansion"),
        ('optimizer = "adam"', 'optimizer = "adamw"', "parts.spiral.train.optimizer", "adam"),
        ('kind = "equivalence"', 'kind = "equivalent"', "parts.images.claims.0.kind", "equivalence"),
        ("quick = { seeds = 3, train.epochs = 15 }", "quik = { seeds = 3 }", "", "quick"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_one(
    refusal: Refusal, old: str, new: str, key: str, nearest: str
) -> None:
    key = key or "parts.images.datasets.digits.tiers.quik"
    [line] = refusal((old, new))
    assert line.startswith(f"{key}: ")
    assert line.endswith(f"is not known; did you mean {nearest!r}?")


def test_a_misspelt_data_set_is_answered_with_the_nearest_one(refusal: Refusal) -> None:
    lines = refusal(
        ("[parts.images.datasets.digits]", "[parts.images.datasets.digit]"),
        ("[parts.images.datasets.digits.tiers]", "[parts.images.datasets.digit.tiers]"),
    )
    assert lines == ["parts.images.datasets.digit: 'digit' is not known; did you mean 'digits'?"]


def test_a_claim_about_a_variant_that_does_not_exist_is_answered_with_the_nearest_one(
    refusal: Refusal,
) -> None:
    [line] = refusal(('"relu, d=2" = -1', '"rely, d=2" = -1'))
    assert line == (
        "parts.spiral.claims.narrow.contrast: 'rely, d=2' is no variant of this part; "
        "did you mean 'relu, d=2'?"
    )


def test_a_claim_cannot_name_a_variant_of_another_part(refusal: Refusal) -> None:
    [line] = refusal(("relu6 = -1 }", '"relu, d=2" = -1 }'))
    assert line.startswith("parts.images.claims.images.contrast: 'relu, d=2' is no variant of this part")


def test_a_facet_is_one_of_the_axes(refusal: Refusal) -> None:
    [line] = refusal(('facet = "width"', 'facet = "widths"'))
    assert line == "parts.spiral.facet: 'widths' is no axis; did you mean 'width'?"


def test_two_claims_of_one_id_are_refused_also_in_different_parts(refusal: Refusal) -> None:
    assert refusal(('id = "images"', 'id = "narrow"')) == [
        "claims: two claims have the id 'narrow'; ids must differ"
    ]


@pytest.mark.parametrize(
    ("contrast", "reason"),
    [
        ("{ linear = 1, relu6 = -0.5 }", "the weights must sum to 0, not 0.5"),
        ("{ linear = 1, relu6 = 1 }", "the weights must sum to 0, not 2"),
        ("{ linear = 0, relu6 = 0 }", "a weight of 0 compares nothing: 'linear', 'relu6'"),
        ("{ linear = 0 }", "a weight of 0 compares nothing: 'linear'"),
        ("{}", "at least 1"),
    ],
)
def test_a_contrast_weighs_variants_against_each_other(refusal: Refusal, contrast: str, reason: str) -> None:
    [line] = refusal(("{ linear = 1, relu6 = -1 }", contrast))
    assert line.startswith("parts.images.claims.0.contrast: ")
    assert reason in line


def test_weights_that_sum_to_0_but_for_rounding_are_balanced(write: Callable[..., Path]) -> None:
    contrast = '{ "linear, d=2" = 0.1, "relu, d=2" = 0.2, "linear, d=16" = -0.3 }'
    assert 0.1 + 0.2 - 0.3 != 0
    assert load(str(write(('{ "linear, d=2" = 1, "relu, d=2" = -1 }', contrast))))


def test_two_variants_with_equal_settings_are_one_variant_under_two_names(refusal: Refusal) -> None:
    assert refusal(("width = 16", "width = 2")) == [
        "parts.spiral.axes: the variants 'linear, d=2' and 'linear, d=16' have equal settings"
    ]


def test_writing_out_a_default_does_not_make_a_variant_another_one(refusal: Refusal) -> None:
    default = '\nagain = { model.projection_activation = "linear", model.expansion = 6 }'
    [line] = refusal(("[parts.images.axes.projection]", f"[parts.images.axes.projection]{default}"))
    assert line == "parts.images.axes: the variants 'again' and 'linear' have equal settings"


def test_a_data_set_belongs_to_one_part(refusal: Refusal) -> None:
    again = """
    [parts.again]
    title = "Again"
    axes.projection.linear = {}
    datasets.digits.tiers.smoke = { seeds = 1 }
    datasets.digits.tiers.quick = { seeds = 1 }
    datasets.digits.tiers.laptop = { seeds = 1 }
    datasets.digits.tiers.paper = { seeds = 1 }
    """
    lines = refusal(("[[parts.images.claims]]", f"{again}\n[[parts.images.claims]]"))
    assert "parts.again.datasets.digits: another part has this data set already" in lines


def test_an_axis_has_levels(refusal: Refusal) -> None:
    [line] = refusal(
        ("[parts.images.axes.projection]", "[parts.images.axes.none]\n[parts.images.axes.projection]")
    )
    assert line == "parts.images.axes: an axis without levels leaves no variants: none"


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ('question = "Does it matter?"\n', "question"),
        ('title = "Spirals"\n', "parts.spiral.title"),
        ("margin = 0.005\n", "parts.images.claims.0.margin"),
        ('network = "toy", ', "parts.spiral (model.network)"),
        (", train.epochs = 500", "parts.spiral (train.epochs)"),
    ],
)
def test_what_is_missing_is_named(refusal: Refusal, old: str, key: str) -> None:
    assert refusal((old, "")) == [f"{key}: missing"]


def test_all_problems_are_said_at_once(refusal: Refusal) -> None:
    lines = refusal(
        ("arms = 4", "arms = 1"),
        ("learning_rate = 0.01", "learning_rate = -1"),
        ('"relu, d=2" = -1', '"silu, d=2" = -1'),
        ("flip = false", "flop = false"),
        ('id = "images"', 'id = "narrow"'),
    )
    keys = {line.partition(": ")[0] for line in lines}
    assert keys == {
        "parts.spiral.datasets.spiral.data.arms",
        "parts.spiral.train.learning_rate",
        "parts.spiral.claims.narrow.contrast",
        "parts.images.datasets.digits.data.flop",
        "claims",
    }
    assert len(lines) == len(keys), "and each of them once, however many variants and tiers it spoils"


def test_invalid_toml_is_refused_with_the_line(refusal: Refusal) -> None:
    [line] = refusal(('question = "Does it matter?"', 'question "Does it matter?"'))
    assert "is not valid TOML" in line
    assert "line 2" in line


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'question = "\xff\xfe"')
    with pytest.raises(LabError, match="is not valid TOML") as refused:
        load(str(path))
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["missing.toml", "sub/missing", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="cannot be read") as refused:
        load(str(tmp_path / name))
    assert str(refused.value).startswith(str(tmp_path / name))


def test_a_name_that_is_not_in_the_catalogue_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(LabError, match=r"no ablation 'linear_vs_rleu'; did you mean 'linear_vs_relu'\?"):
        load("linear_vs_rleu")


toml_values = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(max_value=0, min_value=-(2**63)).map(str),
    st.from_regex(r"[a-z0-9 ]*", fullmatch=True).map(lambda text: f'"{text}"'),
    st.dates().map(str),
    st.lists(st.integers(0, 9)).map(str),
    st.just("{}"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(toml_values)
def test_only_a_positive_integer_is_a_number_of_epochs(refusal: Refusal, value: str) -> None:
    assert any(
        line.startswith(f"{SMOKE}.train.epochs: ") for line in refusal(("epochs = 20 ", f"epochs = {value} "))
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True))
def test_no_key_that_is_unknown_goes_unnoticed(refusal: Refusal, key: str) -> None:
    known = {"arms", "turns", "points", "held_out", "noise", "dimensions"}
    if key not in known:
        [line] = refusal(("arms = 4", f"{key} = 4"))
        assert line.startswith(f"parts.spiral.datasets.spiral.data.{key}: unknown key; ")


def test_more_images_than_there_are_cannot_be_asked_for(refusal: Refusal) -> None:
    [line] = refusal(
        ("{ seeds = 3, train.epochs = 15 }", "{ seeds = 3, train.epochs = 15, data.train_images = 1198 }")
    )
    assert line.endswith("train_images = 1198: digits has only 1197")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "warmup_epochs = 0.5",
            'warmup_epochs = 0.8, schedule = "wsd"',
            "warmup_epochs = 0.8 is longer than what the cooldown leaves of epochs = 1: 0.75",
        ),
        (
            "flip = false",
            "flip = false, tuning_images = 5000",
            "parts.images (data): tuning_images = 5000 leaves no image to train on",
        ),
    ],
)
def test_schedules_and_splits_that_leave_no_room_are_refused(
    refusal: Refusal, old: str, new: str, reason: str
) -> None:
    assert any(reason in line for line in refusal((old, new)))
