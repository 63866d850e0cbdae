"""What the paper prints beside what is computed: they agree but for the places that are written down here."""

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.instruments.paper import CAPTIONS, Row, block, compare_with_paper
from bottleneck_lab.instruments.paper.networks import build, cost, shapes, weights
from bottleneck_lab.instruments.paper.row import agreement, close, last_place, same
from bottleneck_lab.models import madds, parameters


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Row]:
    every = compare_with_paper()
    by_name = {(row.table, row.row): row for row in every}
    assert len(by_name) == len(every), "rows can be told apart"
    return by_name


# The paper's number, and what it should have been: from the official code's README (tensorflow/models,
# research/slim/nets/mobilenet), from arithmetic, and from Howard et al. 2017 and Zhang et al. 2018.
DIFFERENCES = {
    ("Section 3.1", "times cheaper, over the widths of Table 2"): ("8 to 9", "5.8 to 8.8"),
    ("Section 3.3", "112x112x32 to 16, t = 1"): ("22,880,256", "10,035,200"),
    ("Table 1", "expansion where t = 1"): ("1x1 conv2d, ReLU6", "none"),
    ("Section 4", "residual bottleneck layers"): ("19", "17"),
    ("Section 4", "MAdds, least"): ("7", "11.9"),
    ("Section 4", "MAdds, most"): ("585", "582.3"),
    ("Section 4", "parameters, most"): ("6.9", "6.06"),
    ("Table 3", "MobileNetV1, 7x7"): ("1024/199", "1024/100.4"),
    ("Table 3", "MobileNetV2, 56x56"): ("32/200", "24/150.5"),
    ("Table 3", "MobileNetV2, 28x28"): ("64/100", "32/50.2"),
    ("Table 3", "MobileNetV2, 14x14"): ("160/62", "96/37.6"),
    ("Table 3", "ShuffleNet (2x, g=3), 112x112"): ("32/800", "48/1204.2"),
    ("Table 3", "ShuffleNet (2x, g=3), 28x28"): ("400/600", "480/752.6"),
    ("Table 3", "ShuffleNet (2x, g=3), 14x14"): ("800/310", "960/376.3"),
    ("Table 3", "ShuffleNet (2x, g=3), 7x7"): ("1600/156", "1920/188.2"),
    ("Table 3", "ShuffleNet (2x, g=3), 1x1"): ("1600/3", "1920/3.8"),
    ("Table 3", "ShuffleNet (2x, g=3), max"): ("600", "752.6"),
    ("Table 4", "MobileNetV1, MAdds"): ("575", "568.7"),
    ("Table 4", "MobileNetV2 (1.4), parameters"): ("6.9", "6.06"),
    ("Table 4", "MobileNetV2 (1.4), MAdds"): ("585", "582.2"),
    ("Figure 5", "MobileNetV1 0.75, 224x224"): ("316.9", "325.44"),
    ("Figure 5", "MobileNetV1 0.75, 192x192"): ("233.1", "239.30"),
    ("Figure 5", "MobileNetV1 0.75, 160x160"): ("162.1", "166.42"),
    ("Figure 5", "MobileNetV1 0.75, 128x128"): ("104.0", "106.78"),
    ("Figure 5", "MobileNetV1 0.25, 192x192"): ("34.1", "30.22"),
    ("Figure 5", "ShuffleNet 1.0, 224x224"): ("140", "137.5"),
    ("Appendix A", 'm = n = 2: N/2^m, called "collapsed"'): ("0.25", "0.75"),
    ("Appendix A", "n = 16, m = 96: at most 2^(-m/2)"): ("3.6e-15", "2.0e-12"),
    ("Appendix A", "n = 24, m = 144: at most 2^(-m/2)"): ("2.1e-22", "1.5e-17"),
    ("Appendix A", "n = 32, m = 192: at most 2^(-m/2)"): ("1.3e-29", "1.1e-22"),
    ("Appendix A", "n = 64, m = 384: at most 2^(-m/2)"): ("1.6e-58", "4.7e-43"),
    ("Appendix A", "n = 96, m = 576: at most 2^(-m/2)"): ("2.0e-87", "2.3e-63"),
    ("Appendix A", "n = 160, m = 960: at most 2^(-m/2)"): ("3.2e-145", "6.2e-104"),
    ("Appendix A", "trained layers below the threshold"): ("2", "3"),
}


def test_the_paper_is_met_everywhere_but_at_its_known_slips(rows: dict[tuple[str, str], Row]) -> None:
    found = {name: (row.paper, row.ours) for name, row in rows.items() if row.agrees == "differs"}
    assert found == DIFFERENCES


def test_every_difference_has_its_reason(rows: dict[tuple[str, str], Row]) -> None:
    assert [name for name, row in rows.items() if row.agrees == "differs" and not row.note] == []


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("Table 1", "expansion where t = 1", "313.6M"),
        ("Section 4", "residual bottleneck layers", "adds up to 17, and 10 of them have a shortcut"),
        ("Section 4", "MAdds, least", "0.35 at 96x96 is the least; 10.3 even if"),
        ("Section 3.1", "times cheaper, over the widths of Table 2", "d >= 72"),
        ("Table 3", "MobileNetV2, max", "eq. (2), a block's input and output together, it is 1204 kB"),
        ("Table 3", "MobileNetV2, 14x14", "one resolution later"),
        ("Table 3", "ShuffleNet (2x, g=3), 7x7", "with 2 groups, not with 3"),
        ("Figure 5", "MobileNetV1 0.75, 224x224", "with 16 it would be 317.0, 233.1, 162.1, 104.0"),
        ("Figure 5", "MobileNetV1 0.25, 192x192", "times 41.0 is 30.1"),
        ("Appendix A", "n = 16, m = 96: at most 2^(-m/2)", "m >= 276 for n = 16, m >= 3834 for n = 160"),
        ("Appendix A", "trained layers below the threshold", "27 < 32 in layer 5, 54 < 96 in layer 12"),
        ("Table 4", "MobileNetV2, parameters", "Cut off, not rounded"),
    ],
)
def test_the_reason_is_computed(rows: dict[tuple[str, str], Row], table: str, row: str, reason: str) -> None:
    assert reason in rows[table, row].note


def test_every_table_is_complete(rows: dict[tuple[str, str], Row]) -> None:
    counts = {table: sum(name == table for name, _ in rows) for table in CAPTIONS}
    assert counts["Table 1"] == 10
    assert counts["Table 2"] == 11
    assert counts["Table 3"] == 3 * (6 + 1)
    assert counts["Table 4"] == 2 * 5
    assert counts["Figure 5"] == 21 + 16 + 5
    assert sum(counts.values()) == len(rows)


def test_all_21_points_of_mobilenet_v2_agree_to_ten_thousand_madds(rows: dict[tuple[str, str], Row]) -> None:
    points = [row for (table, name), row in rows.items() if table == "Figure 5" and "V2" in name]
    assert len(points) == 21
    assert all(abs(float(row.ours) - float(row.paper)) <= 0.0051 for row in points)


# The paper, were it another network


def test_another_kernel_would_show_in_table_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "build", lambda name, **knobs: build(name, kernel=5, **knobs))
    [row] = [row for row in block.table_1() if row.row == "depthwise"]
    assert row.agrees == "differs"
    assert "5x5 dwise" in row.ours


def test_other_stages_would_show_in_table_2(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = [stage.model_dump() for stage in build("mobilenet_v2").settings.stages]
    stages[3]["n"] = 6
    monkeypatch.setattr(block, "build", lambda name, **knobs: build(name, stages=stages, **knobs))
    differing = [row for row in block.table_2() if row.agrees == "differs"]
    assert [(row.row, row.ours) for row in differing] == [("5, bottleneck", "28x28x32, 6, 64, 6, 2")]


# Counting


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "shufflenet"])
def test_costs_are_those_of_the_whole_network(name: str) -> None:
    network = build(name, width_multiplier=0.5)
    assert cost(network, 96) == madds(network, 1, 3, 96, 96)


def test_weights_are_parameters_without_the_batch_norms() -> None:
    network = build("mobilenet_v2")
    assert parameters(network) == 3_504_872  # torchvision
    assert weights(network) == 3_470_760


def test_shapes_name_height_width_and_channels() -> None:
    seen = shapes(build("mobilenet_v2"), 96)
    assert seen["blocks.1.depthwise"] == ((48, 48, 96), (24, 24, 96))
    assert "classifier" not in seen


# Agreement


@pytest.mark.parametrize(
    ("paper", "ours", "agrees"),
    [
        ("17", 17, "agrees"),
        ("3.4", 3.470760, "agrees after rounding"),  # cut off
        ("1.7", 1.664, "agrees after rounding"),
        ("569", 568.740352, "agrees after rounding"),
        ("575", 568.740352, "differs"),
        ("3.4", 3.5, "differs"),
        ("1600", 1605.6, "differs"),
    ],
)
def test_a_number_agrees_within_one_unit_of_its_last_place(paper: str, ours: float, agrees: str) -> None:
    assert agreement(paper, ours) == agrees


@pytest.mark.parametrize(
    ("paper", "ours", "agrees"),
    [
        ("1600", 1605.632, True),
        ("600", 627.2, True),
        ("62", 62.72, True),
        ("32", 31.36, True),
        ("199", 100.352, False),
    ],
)
def test_zeros_at_the_end_may_be_rounding(paper: str, ours: float, agrees: bool) -> None:
    assert (agreement(paper, ours, zeros_round=True) != "differs") == agrees


@given(st.integers(-(10**6), 10**6), st.integers(0, 4))
def test_every_number_agrees_with_itself_rounded_either_way_but_not_with_the_next(
    number: int, places: int
) -> None:
    ours = number / 7
    unit = Decimal(1).scaleb(-places)
    for rounding in ("ROUND_HALF_EVEN", "ROUND_FLOOR", "ROUND_CEILING"):
        printed = Decimal(ours).quantize(unit, rounding=rounding)
        assert last_place(str(printed)) == unit
        assert agreement(str(printed), ours) != "differs"
    assert agreement(str(Decimal(ours).quantize(unit, rounding="ROUND_CEILING") + unit), ours) == "differs"


def test_rounding_is_named_unless_it_is_to_the_nearest() -> None:
    assert close("", "", "3.4", 3.47).note == "Cut off, not rounded."
    assert close("", "", "3.4", 3.31).note == "Rounded up."
    assert close("", "", "3.4", 3.42).note == ""
    assert close("", "", "3.4", 9, "because").note == "because"


def test_texts_agree_where_they_are_equal() -> None:
    assert same("T", "r", "a", "a", "because") == Row("T", "r", "a", "a", "agrees")
    assert dataclasses.astuple(same("T", "r", "a", "b", "because"))[4:] == ("differs", "because")
