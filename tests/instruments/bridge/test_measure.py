"""Means, counterparts and comparisons of blocks made by hand; the test of the command measures real ones."""

from __future__ import annotations

import json

import pytest

from bottleneck_lab.config import NETWORKS, RunSettings
from bottleneck_lab.instruments.bridge.blocks import MEASURES, Block, Bridge, Measures
from bottleneck_lab.instruments.bridge.figure import draw_bridge
from bottleneck_lab.report.drawing.style import save

# Student's sleep data (1908), in hours: the differences have the mean 1.58 and the interval 0.7001 to 2.4599.
DRUG_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
DRUG_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def settings_of(variant, projection, **knobs):
    network = {"family": "mobilenet_v2", "network": "mobilenet_v2_digits", **NETWORKS["mobilenet_v2_digits"]}
    content = {
        "variant": variant,
        "seed": 0,
        "data": {"dataset": "digits"},
        "model": {**network, "projection_activation": projection, **knobs},
        "train": {"epochs": 1, "batch_size": 32},
    }
    return RunSettings.model_validate_json(json.dumps(content))


def measures(**content):
    values = {**dict.fromkeys(MEASURES, 0.0), "lost": 1.0, "clipped_low": 0.5, "rank_after": 4.0, **content}
    return Measures(**values)


def blocks_of(variant, projection, accuracies, probe_of):
    return [
        Block(
            "digits", variant, projection, seed, accuracy, state, block, 8 * (block + 1), block > 0,
            measures(
                probe=probe_of(seed, block) - (0.25 if state == "initial" else 0.0),
                expansion_lost=None if block == 0 else 0.125,
                clipped_high=0.25 if state == "trained" else 0.0,
            ),
        )
        for seed, accuracy in accuracies.items()
        for state in ("initial", "trained")
        for block in (0, 1)
    ]  # fmt: skip


def linear_probe(seed, block):
    return 0.5 + seed / 64


@pytest.fixture
def bridge():
    linear = {seed: 0.5 + hours / 100 for seed, hours in enumerate(DRUG_2)}
    relu6 = {seed: 0.5 + hours / 100 for seed, hours in enumerate(DRUG_1)}
    blocks = blocks_of("linear", "linear", {**linear, 77: 0.0}, linear_probe)
    blocks += blocks_of("relu6", "relu6", relu6, lambda seed, block: linear_probe(seed, block) - block / 16)
    blocks += blocks_of("relu6, bare", "relu6", {0: 0.5}, linear_probe)
    settings = {
        ("digits", "linear"): settings_of("linear", "linear"),
        ("digits", "relu6"): settings_of("relu6", "relu6", projection_place="after_add"),
        ("digits", "relu6, bare"): settings_of("relu6, bare", "relu6", residual="none"),
    }
    return Bridge(tuple(blocks), settings)


def row_of(bridge, variant, state, block):
    (row,) = [row for row in bridge.rows() if (row.variant, row.state, row.block) == (variant, state, block)]
    return row


def test_rows_are_means_over_seeds(bridge):
    row = row_of(bridge, "relu6", "trained", 1)
    assert (row.seeds, row.width, row.shortcut, row.projection) == (10, 16, True, "relu6")
    assert row.accuracy == pytest.approx(0.5 + sum(DRUG_1) / 1000)
    assert row.probe == pytest.approx(0.5 + 4.5 / 64 - 1 / 16)
    assert row.expansion_lost == 0.125
    assert row_of(bridge, "relu6", "trained", 0).expansion_lost is None
    assert len(bridge.rows()) == 3 * 2 * 2


def test_what_a_probe_loses_is_counted_over_the_seeds_that_both_have(bridge):
    assert row_of(bridge, "relu6", "trained", 0).probe_lost == 0
    assert row_of(bridge, "relu6", "trained", 1).probe_lost == pytest.approx(1 / 16)
    assert row_of(bridge, "relu6", "initial", 1).probe_lost == pytest.approx(1 / 16)
    assert row_of(bridge, "linear", "trained", 1).probe_lost is None


def test_the_linear_counterpart_differs_in_the_projections_activation_alone(bridge):
    assert bridge.linear_counterpart("digits", "relu6") == "linear"
    assert (
        bridge.linear_counterpart("digits", "relu6, bare") is None
    )  # it has no shortcuts, the linear one has
    assert bridge.linear_counterpart("digits", "linear") is None


def test_a_comparison_has_the_interval_of_the_paired_t_test(bridge):
    (compared,) = bridge.comparisons()
    assert (compared.variant, compared.against, compared.seeds) == ("relu6", "linear", 10)
    assert compared.accuracy_lost == pytest.approx(0.0158)
    assert (compared.ci_low, compared.ci_high) == pytest.approx((0.007001, 0.024599), abs=1e-6)
    assert (compared.probe_lost_first, compared.probe_lost_last) == pytest.approx((0, 1 / 16))
    assert compared.probe_lost_last_initial == pytest.approx(1 / 16)
    assert (compared.clipped_initial, compared.clipped) == (0.5, 0.75)
    assert (compared.lost, compared.expansion_lost, compared.mean_width) == (1.0, 0.125, 12)


def test_variants_without_a_common_seed_are_not_compared(bridge):
    apart = [b for b in bridge.blocks if (b.variant == "linear") == (b.seed == 77)]
    assert Bridge(tuple(apart), bridge.settings).comparisons() == []
    assert row_of(Bridge(tuple(apart), bridge.settings), "relu6", "trained", 1).probe_lost is None


def test_every_variant_is_a_line_against_depth(bridge):
    by_depth, _ = draw_bridge(bridge.drawn(), "digits").axes
    lines = {line.get_label(): line for line in by_depth.get_lines()}
    for variant in ("linear", "relu6"):
        probes = [100 * row_of(bridge, variant, "trained", block).probe for block in (0, 1)]
        assert lines[variant].get_xydata().tolist() == [[0, probes[0]], [1, probes[1]]]


def test_what_is_lost_is_drawn_against_width(bridge):
    _, by_width = draw_bridge(bridge.drawn(), "digits").axes
    (bars,) = by_width.containers
    assert bars[0].get_xydata()[0] == pytest.approx([12, 1.58])


def test_the_same_bridge_gives_the_same_bytes(bridge, tmp_path):
    for name in ("one", "two"):
        save(draw_bridge(bridge.drawn(), "digits"), tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert first == second
