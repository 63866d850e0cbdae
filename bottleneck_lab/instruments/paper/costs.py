"""What networks cost: Tables 3 and 4, the cost axis of Fig. 5, and the sizes that Section 4 gives."""

from __future__ import annotations

import dataclasses
import math
from typing import cast

from bottleneck_lab.instruments.paper.networks import TITLES, Network, bare, build, cost, shapes, weights
from bottleneck_lab.instruments.paper.published import published
from bottleneck_lab.instruments.paper.row import Agreement, Row, agreement, close, same
from bottleneck_lab.models import MobileNetV2
from bottleneck_lab.models.networks.shufflenet import ShuffleNet

SIZES, TABLE_3, TABLE_4, FIGURE_5 = "Section 4", "Table 3", "Table 4", "Figure 5"
CAPTIONS = {
    SIZES: "layers, and sizes in millions over the networks of Fig. 5",
    TABLE_3: "channels / kB to be kept at a resolution, 16 bits a number",
    TABLE_4: "millions, without batch norm; MAdds of convolutions and classifier",
    FIGURE_5: "millions of MAdds, with 1001 classes and the average pooling",
}


def sizes() -> list[Row]:
    """Numbers of layers, and the ranges of cost and size that Sec. 4 gives."""
    printed = published()["text"]
    network = cast(MobileNetV2, build("mobilenet_v2"))
    stem = network.stem.conv
    grid = published()["figure_5"]["mobilenet_v2"]
    costs = [
        _cost_in_figure_5("mobilenet_v2", float(width), int(edge))
        for width, edges in grid.items()
        for edge in edges
    ]
    counts = [weights(build("mobilenet_v2", width_multiplier=float(width))) / 1e6 for width in grid]
    scaled = cost(build("mobilenet_v2", width_multiplier=0.35, head_width=448), 96) / 1e6
    layers = len(network.blocks)
    wide = published()["table_4"]["MobileNetV2 (1.4)"]
    return [
        same(SIZES, "filters of the first layer", printed["first_filters"], str(stem.out_channels)),
        same(
            SIZES,
            "residual bottleneck layers",
            printed["bottleneck_layers"],
            str(layers),
            f"Table 2's own column n adds up to {layers}, and {network.shortcuts} of them have a shortcut.",
        ),
        close(
            SIZES,
            "MAdds, least",
            printed["madds"][0],
            min(costs),
            f"0.35 at 96x96 is the least; {scaled:.1f} even if the last convolution shrank too.",
        ),
        close(
            SIZES,
            "MAdds, most",
            printed["madds"][1],
            max(costs),
            wide["madds_reason"],
        ),
        close(SIZES, "parameters, least", printed["parameters"][0], min(counts)),
        close(
            SIZES,
            "parameters, most",
            printed["parameters"][1],
            max(counts),
            wide["parameters_reason"],
        ),
    ]


def table_3() -> list[Row]:
    """The largest tensor at each resolution that goes from one block to the next, in 16-bit numbers.

    What is inside a block is made piece by piece (Sec. 5), as are the stem of MobileNetV2, by the caption,
    and the 1280 channels that are pooled at once.
    """
    rows = []
    for name, column in published()["table_3"].items():
        network = build(name, width_multiplier=2.0) if name == "shufflenet" else build(name)
        widths = _widths_between_blocks(network)
        title = f"{TITLES[name]} (2x, g=3)" if name == "shufflenet" else TITLES[name]
        for edge, (channels, kilobytes) in ((int(e), cells) for e, cells in column.items() if e != "max"):
            memory = _kilobytes(edge, widths[edge])
            agrees: Agreement = "differs"
            if int(channels) == widths[edge]:
                agrees = agreement(kilobytes, memory, zeros_round=True)
            note = _reason_in_table_3(name, edge, int(channels)) if agrees == "differs" else ""
            paper, ours = f"{channels}/{kilobytes}", f"{widths[edge]}/{memory:.1f}"
            rows.append(Row(TABLE_3, f"{title}, {edge}x{edge}", paper, ours, agrees, note))
        # By the caption the first layer can be made in parts; so the paper's own maximum leaves it out.
        counted = [e for e in widths if not (name == "shufflenet" and e == 112)]
        most = max(_kilobytes(edge, widths[edge]) for edge in counted)
        row = close(TABLE_3, f"{title}, max", column["max"], most, zeros_round=True)
        rows.append(dataclasses.replace(row, note=_note_on_the_maximum(name)))
    return rows


def _widths_between_blocks(network: Network) -> dict[int, int]:
    """The most channels between blocks at each edge length; after the pooling the edge is 1."""
    seen = shapes(network)
    names = [f"blocks.{index}" for index in range(len(network.blocks))]
    if isinstance(network, ShuffleNet):
        names += ["stem.convolution", "stem.pool"]
    elif not isinstance(network, MobileNetV2):
        names.append("stem")
    widths = {1: network.classifier.in_features}
    for name in names:
        edge, _, channels = seen[name].output
        widths[edge] = max(channels, widths.get(edge, 0))
    return widths


def _kilobytes(edge: int, channels: int) -> float:
    return edge**2 * channels * 2 / 1000


def _reason_in_table_3(name: str, edge: int, channels: int) -> str:
    if name == "mobilenet_v1":
        return f"{edge} x {edge} x {channels} numbers of 16 bits are {_kilobytes(edge, channels):.1f} kB."
    if name == "mobilenet_v2":
        outputs = [shape.output for block, shape in shapes(build(name)).items() if _is_block(block)]
        first = next(height for height, _, width in outputs if width == channels)
        where = "one resolution later" if first == edge // 2 else f"at {first}x{first}"
        return (
            f"So many channels first occur {where}: the column pairs the input resolution of a row of "
            "Table 2 with its output width."
        )
    two_groups = build(name, width_multiplier=2.0, groups=2, stages=_TWO_GROUPS)
    if _widths_between_blocks(two_groups)[edge] == channels:
        return "400, 800 and 1600 are the widths of ShuffleNet 2x with 2 groups, not with 3."
    one, two = (cast(ShuffleNet, build(name, width_multiplier=width)) for width in (1.0, 2.0))
    return (
        f"The first convolution of ShuffleNet has {one.settings.stem_channels} channels at 1x and "
        f"{two.settings.stem_channels} at 2x."
    )


# Zhang et al. 2018, Table 1, 2 groups.
_TWO_GROUPS = [{"c": 200, "n": 4, "s": 2}, {"c": 400, "n": 8, "s": 2}, {"c": 800, "n": 4, "s": 2}]


def _note_on_the_maximum(name: str) -> str:
    if name == "shufflenet":
        return "The tensor at 28x28, whose channels the paper takes from 2 groups."
    if name == "mobilenet_v2":
        seen = shapes(build(name))
        both = max(math.prod(s.input) + math.prod(s.output) for block, s in seen.items() if _is_block(block))
        return (
            "The largest single tensor. By eq. (2), a block's input and output together, it is "
            f"{both * 2 / 1000:.0f} kB."
        )
    return ""


def _is_block(name: str) -> bool:
    return name.startswith("blocks.") and name.count(".") == 1


def table_4() -> list[Row]:
    """Parameters and MAdds of the networks that are built here; NASNet-A is not."""
    rows = []
    for title, printed in published()["table_4"].items():
        network = build(printed["network"], width_multiplier=printed["width"])
        counted = {"parameters": weights(network) / 1e6, "madds": cost(network) / 1e6}
        for what, count in counted.items():
            row = f"{title}, {'MAdds' if what == 'madds' else what}"
            rows.append(close(TABLE_4, row, printed[what], count, printed.get(f"{what}_reason", "")))
    return rows


def figure_5() -> list[Row]:
    """The cost axis of Fig. 5: all points but NASNet's."""
    rows = []
    for name, widths in published()["figure_5"].items():
        for width, printed in widths.items():
            for edge, paper in printed.items():
                ours = _cost_in_figure_5(name, float(width), int(edge))
                row = close(FIGURE_5, f"{TITLES[name]} {width}, {edge}x{edge}", paper, ours)
                if row.agrees == "differs":
                    row = dataclasses.replace(row, note=_reason_in_figure_5(name, width, int(edge)))
                rows.append(row)
    return rows


def _cost_in_figure_5(name: str, width: float, edge: int, **knobs: int) -> float:
    """Millions of MAdds; of Google's own networks with a class for the background, and with the pooling."""
    if name == "shufflenet":
        return cost(build(name, width_multiplier=width), edge) / 1e6
    network = build(name, classes=1001, width_multiplier=width, **knobs)
    last = "head" if isinstance(network, MobileNetV2) else f"blocks.{len(network.blocks) - 1}"
    pooled = shapes(bare(network), edge)[last].output
    return (cost(network, edge) + math.prod(pooled)) / 1e6


def _reason_in_figure_5(name: str, width: str, edge: int) -> str:
    if name == "shufflenet":
        return "The paper of ShuffleNet prints 140 too; its Table 1 does not cost as much."
    printed = published()["figure_5"][name][width]
    if width == "0.75":
        # 0.75 x 21 is rounded to 16.
        costs = (_cost_in_figure_5(name, 0.75, int(e), stem_width=21) for e in printed)
        return (
            "0.75 x 32 is 24 channels after the first convolution; with 16 it would be "
            f"{', '.join(f'{value:.1f}' for value in costs)}. MobileNetV1's own paper says 325 at 224x224."
        )
    expected = float(printed["224"]) * (edge / 224) ** 2
    return f"Off the curve of its neighbours: ({edge}/224)^2 times {printed['224']} is {expected:.1f}."
