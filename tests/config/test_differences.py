"""A claim may be of the difference of two measures, and then of a single variant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bottleneck_lab.config import load
from bottleneck_lab.config.ablations.parts import Claim, terms_of

Refusal = Callable[..., list[str]]
Write = Callable[..., Path]

IMAGES = 'title = "Images"'
CLAIM = {"id": "x", "statement": "x", "source": "x", "margin": 0.01}


def test_a_difference_of_two_measures_is_a_claim_about_a_single_variant():
    claim = Claim(**CLAIM, contrast={"linear": 1.0}, measure="lost_int4 - lost_int8")
    assert terms_of(claim.measure) == ("lost_int4", "lost_int8")
    assert terms_of("lost_int8") == ("lost_int8",)


def test_a_single_variant_is_compared_with_none_by_one_measure():
    with pytest.raises(ValueError, match="compares one variant with none"):
        Claim(**CLAIM, contrast={"linear": 1.0})


def test_each_of_the_two_must_be_a_measure_of_the_part(refusal: Refusal) -> None:
    changes = (
        (IMAGES, f'{IMAGES}\nmeasures = ["lost_int8"]'),
        ("margin = 0.005", 'margin = 0.005\nmeasure = "accuracy - lost_int6"'),
    )
    [line] = refusal(*changes)
    assert line.startswith("parts.images.claims.images.measure: 'lost_int6' is no measure of this part")


def test_a_measure_that_names_no_scheme_says_which_of_its_words_is_wrong(refusal: Refusal) -> None:
    [line, *_] = refusal((IMAGES, f'{IMAGES}\nmeasures = ["lost_w4_tensor_a4_signed_mse"]'))
    assert "'signed' is none of unsigned, symmetric, asymmetric" in line


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        ('quantised = "w4"', "'w4' is no scheme of rounding"),
        ('quantised = "a4_unsigned_mse"', "ranges of a batch are minmax in training"),
        ("quantised_after = 0.5", "needs quantised, which says how"),
        ('quantised = "w4_channel", quantised_after = 1.0', "less than 1"),
    ],
)
def test_what_training_on_grids_cannot_be_is_refused(refusal: Refusal, train: str, reason: str) -> None:
    lines = refusal(
        ("batch_size = 64, warmup_epochs = 0.5", f"batch_size = 64, warmup_epochs = 0.5, {train}")
    )
    assert any(reason in line for line in lines)


def test_toy_networks_are_not_trained_on_grids(refusal: Refusal) -> None:
    old = 'train = { optimizer = "adam", learning_rate = 0.01 }'
    lines = refusal((old, old.replace(" }", ', quantised = "w4_channel" }')))
    assert any("only image networks are trained on grids" in line for line in lines)


def test_a_training_without_grids_is_the_run_that_it_was_before_there_were_any(write: Write) -> None:
    plain = load(str(write())).variants("quick", ["digits"])[0].settings
    assert "quantised" not in plain.model_dump_json()
    changed = write(("warmup_epochs = 0.5", 'warmup_epochs = 0.5, quantised = "w4_channel"'))
    aware = load(str(changed)).variants("quick", ["digits"])[0].settings
    assert aware.id != plain.id
    assert [plain.train.quantised_in(epoch) for epoch in (0, 14)] == [None, None]


def test_grids_begin_after_their_share_of_the_epochs(write: Write) -> None:
    begun = 'warmup_epochs = 0.5, quantised = "w4_channel", quantised_after = 0.75'
    train = load(str(write(("warmup_epochs = 0.5", begun)))).variants("quick", ["digits"])[0].settings.train
    assert [train.quantised_in(epoch) is not None for epoch in range(15)] == [False] * 11 + [True] * 4
