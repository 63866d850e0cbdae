"""What a part may say besides its axes: left-out variants, a map, measures, the paper's numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bottleneck_lab.config import load, parse_overrides

Write = Callable[..., Path]
Refusal = Callable[..., list[str]]

SPIRAL = 'title = "Spirals"'
IMAGES = 'title = "Images"'


def says(title: str, line: str) -> tuple[str, str]:
    """A change that adds a line to the part of that title."""
    return title, f"{title}\n{line}"


# Left-out variants


def test_a_combination_that_is_left_out_is_no_variant(write: Write) -> None:
    ablation = load(str(write(says(SPIRAL, 'without = ["linear, d=16"]'))))
    assert [v.name for v in ablation.variants("smoke", ["spiral"])] == [
        "linear, d=2",
        "relu, d=2",
        "relu, d=16",
    ]


def test_what_is_left_out_may_be_impossible(write: Write) -> None:
    impossible = ('"d=16" = { model.width = 16 }', '"d=16" = { model.width = 0 }')
    without = says(SPIRAL, 'without = ["linear, d=16", "relu, d=16"]')
    assert load(str(write(impossible, without)))


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ('["linear, d=3"]', "'linear, d=3' is no combination of levels; did you mean 'linear, d=2'?"),
        ('["d=2, linear"]', "'d=2, linear' is no combination of levels"),
        ('["linear, d=2"]', "claims.narrow.contrast: 'linear, d=2' is no variant of this part"),
    ],
)
def test_only_combinations_can_be_left_out_and_none_that_a_claim_needs(
    refusal: Refusal, without: str, sentence: str
) -> None:
    assert any(sentence in line for line in refusal(says(SPIRAL, f"without = {without}")))


def test_something_must_be_left(refusal: Refusal) -> None:
    lines = refusal(says(IMAGES, 'without = ["linear", "relu6"]'))
    assert "parts.images.without: leaves no variants" in lines


# A map of two axes


def test_a_map_has_the_two_axes_of_its_part(write: Write) -> None:
    ablation = load(str(write(says(SPIRAL, 'heat_map = ["width", "projection"]'))))
    assert ablation.parts["spiral"].heat_map == ("width", "projection")


@pytest.mark.parametrize(
    ("title", "axes", "sentence"),
    [
        (SPIRAL, '["widht", "projection"]', "'widht' is no axis; did you mean 'width'?"),
        (SPIRAL, '["width", "width"]', "a map shows two different axes"),
        (IMAGES, '["projection", "projection"]', "a map shows two different axes"),
        (SPIRAL, '["width"]', "heat_map"),
    ],
)
def test_other_maps_are_refused(refusal: Refusal, title: str, axes: str, sentence: str) -> None:
    assert any(sentence in line for line in refusal(says(title, f"heat_map = {axes}")))


# Measures


def test_every_run_of_a_part_takes_its_measures(write: Write) -> None:
    ablation = load(str(write(says(IMAGES, 'measures = ["below_zero", "lost_int8"]'))))
    assert {v.settings.measures for v in ablation.variants("smoke", ["digits"])} == {
        ("below_zero", "lost_int8")
    }
    assert {v.settings.measures for v in ablation.variants("smoke", ["spiral"])} == {()}


def test_a_run_that_measures_more_is_another_run(write: Write) -> None:
    ids = {
        load(str(write(*changes))).variants("smoke", ["digits"])[0].settings.id
        for changes in ([], [says(IMAGES, 'measures = ["below_zero"]')])
    }
    assert len(ids) == 2


def test_a_misspelt_measure_is_answered_with_the_nearest_one(refusal: Refusal) -> None:
    [line] = refusal(says(IMAGES, 'measures = ["below_zeros"]'))
    assert line.endswith("'below_zeros' is not known; did you mean 'below_zero'?")


def test_toy_networks_take_no_measure_of_low_precision(refusal: Refusal) -> None:
    lines = refusal(says(SPIRAL, 'measures = ["lost_int8"]'))
    assert all("the measure 'lost_int8' is taken of image networks only" in line for line in lines)


CLAIM = 'kind = "equivalence"'


def test_a_claim_may_be_about_a_measure_of_its_part(write: Write) -> None:
    changes = says(IMAGES, 'measures = ["lost_int8"]'), says(CLAIM, 'measure = "lost_int8"')
    [claim] = load(str(write(*changes))).parts["images"].claims
    assert claim.measure == "lost_int8"
    [claim] = load(str(write())).parts["images"].claims
    assert claim.measure == "accuracy"


def test_a_claim_about_what_is_not_measured_is_refused(refusal: Refusal) -> None:
    [line] = refusal(says(IMAGES, 'measures = ["lost_int8"]'), says(CLAIM, 'measure = "lost_int4"'))
    assert line == (
        "parts.images.claims.images.measure: 'lost_int4' is no measure of this part; "
        "did you mean 'lost_int8'?"
    )


# The paper's numbers

PAPER = (
    'paper = { data = "ImageNet", source = "Fig. 6a", top1 = { linear = 71.06, relu6 = 70.44 }, '
    'tables = [{ title = "Fig. 6a", columns = ["variant", "top-1"], rows = [["linear", 71.06]] }] }'
)


CURVES = PAPER.replace(
    ", tables",
    ', curves = { unit = "million steps", reference = "linear", '
    "top1 = { linear = [[2, 68.7], [6, 71.1]], relu6 = [[2, 67.6]] } }, tables",
)


def test_the_papers_numbers_stand_beside_its_data_and_source(write: Write) -> None:
    paper = load(str(write(says(IMAGES, PAPER), says(CLAIM, "paper = 0.62")))).parts["images"].paper
    assert paper is not None
    assert (paper.data, paper.source, paper.top1) == (
        "ImageNet",
        "Fig. 6a",
        {"linear": 71.06, "relu6": 70.44},
    )
    assert paper.tables[0].rows == (("linear", 71.06),)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([says(IMAGES, PAPER.replace("relu6", "relu"))], "paper.top1: 'relu' is no variant of this part"),
        ([says(IMAGES, PAPER.replace('["linear", 71.06]', '["linear"]'))], "row 1 has 1 cells for 2 columns"),
        ([says(IMAGES, PAPER.replace('source = "Fig. 6a", ', ""))], "parts.images.paper.source: missing"),
        ([says(CLAIM, "paper = 0.62")], "claims.images.paper: needs parts.images.paper"),
        ([says(IMAGES, CURVES.replace("relu6", "relu"))], "curves.top1: 'relu' is no variant of this part"),
        (
            [says(IMAGES, CURVES.replace("[6, 71.1]", "[1, 71.1]"))],
            "'linear' are not in the order of training",
        ),
        ([says(IMAGES, CURVES.replace('"linear",', '"none",'))], "the reference 'none' has no curve"),
        (
            [says(IMAGES, PAPER.replace(", tables", ", madds = { V2 = [[300, 71.8], [59, 60.3]] }, tables"))],
            "the points of 'V2' are not in the order of their MAdds",
        ),
    ],
)
def test_numbers_of_nothing_or_of_nobody_are_refused(
    refusal: Refusal, changes: list[tuple[str, str]], sentence: str
) -> None:
    assert any(sentence in line for line in refusal(*changes))


# Architecture and size

TIERS = "[parts.images.datasets.digits.tiers]"


def networks(path: Path, *overrides: str) -> set[str]:
    variants = load(str(path)).variants("smoke", ["digits"], parse_overrides(overrides))
    return {variant.settings.model.network for variant in variants}


def test_architecture_and_size_are_a_network_also_from_two_layers(write: Write) -> None:
    network = 'model = { network = "mobilenet_v2_digits", dropout = 0.1 }'
    both = write((network, 'model = { architecture = "mobilenet_v2", size = "digits" }'))
    assert networks(both) == {"mobilenet_v2_digits"}
    architecture = (network, 'model.architecture = "mobilenet_v2"')
    two = write(architecture, (TIERS, f'[parts.images.datasets.digits.model]\nsize = "small"\n{TIERS}'))
    assert networks(two) == {"mobilenet_v2_small"}


def test_of_network_and_architecture_with_size_the_topmost_counts(write: Write) -> None:
    path = write(
        (
            TIERS,
            f'[parts.images.datasets.digits.model]\narchitecture = "mobilenet_v2"\nsize = "small"\n{TIERS}',
        )
    )
    assert networks(path) == {"mobilenet_v2_small"}
    assert networks(path, "model.network=mobilenet_v2_cifar") == {"mobilenet_v2_cifar"}
    assert networks(path, "model.size=cifar") == {"mobilenet_v2_cifar"}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            '{ architecture = "mobilenet_v2", size = "smal" }',
            "'mobilenet_v2_smal' is not known; did you mean 'mobilenet_v2_small'?",
        ),
        ('{ architecture = "mobilenet_v2" }', "parts.images (model.size): missing beside model.architecture"),
        ('{ size = "small" }', "parts.images (model.architecture): missing beside model.size"),
        ("{ dropout = 0.1 }", "parts.images (model.network): missing"),
    ],
)
def test_half_a_network_or_an_unknown_one_is_refused(refusal: Refusal, model: str, sentence: str) -> None:
    [line] = refusal(('{ network = "mobilenet_v2_digits", dropout = 0.1 }', model))
    assert line.endswith(sentence)


# Which shortcuts, and equal cost


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        (
            'shortcuts = "between_expansions", residual = "none"',
            "is a choice among those between bottlenecks",
        ),
        ("madds_of_expansion = 6", "madds_of_expansion is the expansion itself: leave it out"),
        ('madds_of_expansion = 4, residual = "sandglass"', "known for inverted residual blocks only"),
    ],
)
def test_equal_cost_and_chosen_shortcuts_are_for_inverted_residual_blocks(
    refusal: Refusal, knobs: str, reason: str
) -> None:
    [line] = refusal(("dropout = 0.1", knobs))
    assert reason in line


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        (
            'shortcuts = "between_expansions", residual = "none"',
            "is a choice among those between bottlenecks",
        ),
        ("madds_of_expansion = 6", "madds_of_expansion is the expansion itself: leave it out"),
        ("madds_of_expansion = 6, expansion = 0", "leaves no blocks that could cost as much as others"),
    ],
)
def test_the_same_for_toy_networks(refusal: Refusal, knobs: str, reason: str) -> None:
    [line] = refusal(("blocks = 2", knobs))
    assert reason in line
