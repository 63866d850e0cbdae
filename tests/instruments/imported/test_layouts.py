"""MobileNetV2 in torchvision's and timm's layout, written down as data, to ours and back."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.imported import layouts
from bottleneck_lab.instruments.imported.layouts import Layout
from bottleneck_lab.models import MobileNetV2

# Name and shape of every parameter and buffer of torchvision 0.29 and timm 1.0, in their order.
FILES: dict[Layout, str] = {
    "torchvision": "torchvision_mobilenet_v2.txt",
    "timm": "timm_mobilenetv2_100.txt",
}

Shapes = dict[str, tuple[int, ...]]


def listing(layout: Layout) -> Shapes:
    lines = (Path(__file__).parent / "layouts" / FILES[layout]).read_text().split("\n")
    pairs = (line.split() for line in lines if line)
    return {name: tuple(map(int, shape.split("x"))) if shape != "-" else () for name, shape in pairs}


def random(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.tensor(7)
        if shape == ()
        else torch.rand(shape, generator=generator) + 0.1
        if name.endswith("running_var")
        else (torch.rand(shape, generator=generator) - 0.5) * 2
        for name, shape in shapes.items()
    }


def narrow(layout: Layout, classes: int = 5) -> dict[str, Tensor]:
    """Weights of the narrowest network."""
    names = layouts.tensor_names(layout, layouts.settings_at(0.1), classes)
    return random(dict(names.values()))


@pytest.mark.parametrize("layout", FILES)
def test_the_layout_has_314_tensors_with_3504872_parameters(layout: Layout) -> None:
    shapes = listing(layout)
    assert len(shapes) == 314
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    sizes = [torch.Size(shape).numel() for name, shape in shapes.items() if not name.endswith(buffers)]
    assert sum(sizes) == 3_504_872


@pytest.mark.parametrize("layout", FILES)
def test_the_name_map_gives_every_name_and_shape_of_the_layout_in_its_order(layout: Layout) -> None:
    names = layouts.tensor_names(layout, layouts.settings_at(1.0), 1000)
    assert list(names.values()) == list(listing(layout).items())


@pytest.mark.parametrize("layout", FILES)
def test_there_and_back_again_nothing_has_changed(layout: Layout) -> None:
    theirs = random(listing(layout))
    found = layouts.convert(theirs)
    assert (found.layout, found.settings.width_multiplier, found.classes) == (layout, 1.0, 1000)
    MobileNetV2(found.settings).load_state_dict(found.weights)
    names = layouts.tensor_names(layout, found.settings, found.classes)
    back = {names[name][0]: tensor for name, tensor in found.weights.items()}
    assert list(back) == list(theirs)
    assert all(back[name] is tensor for name, tensor in theirs.items())


# A few shapes of timm's mobilenetv2_140 and torchvision's mobilenet_v2(width_mult=0.35).
@pytest.mark.parametrize(
    ("layout", "multiplier", "published"),
    [
        (
            "timm",
            1.4,
            {
                "conv_stem.weight": (48, 3, 3, 3),
                "blocks.0.0.conv_pw.weight": (24, 48, 1, 1),
                "blocks.3.3.conv_dw.weight": (528, 1, 3, 3),
                "blocks.6.0.conv_pwl.weight": (448, 1344, 1, 1),
                "conv_head.weight": (1792, 448, 1, 1),
            },
        ),
        (
            "torchvision",
            0.35,
            {
                "features.0.0.weight": (16, 3, 3, 3),
                "features.17.conv.2.weight": (112, 336, 1, 1),
                "features.18.0.weight": (1280, 112, 1, 1),
            },
        ),
    ],
)
def test_other_widths_have_their_published_shapes(
    layout: Layout, multiplier: float, published: Shapes
) -> None:
    names = layouts.tensor_names(layout, layouts.settings_at(multiplier), 1000)
    assert published.items() <= dict(names.values()).items()


@pytest.mark.parametrize("layout", FILES)
@pytest.mark.parametrize("multiplier", layouts.MULTIPLIERS)
def test_every_width_is_found_out_from_the_shapes(layout: Layout, multiplier: float) -> None:
    names = layouts.tensor_names(layout, layouts.settings_at(multiplier), 10)
    theirs = {name: torch.empty(shape, device="meta") for name, shape in names.values()}
    found = layouts.convert(theirs)
    assert (found.layout, found.settings.width_multiplier, found.classes) == (layout, multiplier, 10)


# Shapes do not tell which norm follows which convolution; what the network computes does.


def convolved(w: Mapping[str, Tensor], x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
    weight = w[f"{conv}.weight"]
    groups = 1 if weight.shape[1] > 1 or x.shape[1] == 1 else x.shape[1]
    x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups)
    names = (f"{norm}.{name}" for name in ("running_mean", "running_var", "weight", "bias"))
    mean, variance, gain, bias = (w[name] for name in names)
    return F.batch_norm(x, mean, variance, gain, bias)


STRIDES = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]  # of the 17 blocks of Table 2


def run_torchvision(w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    x = convolved(w, x, "features.0.0", "features.0.1", 2).clamp(0, 6)
    for number, stride in enumerate(STRIDES, start=1):
        block, y = f"features.{number}.conv", x
        pairs = 1 if number == 1 else 2
        for place in range(pairs):
            step = stride if place == pairs - 1 else 1
            y = convolved(w, y, f"{block}.{place}.0", f"{block}.{place}.1", step).clamp(0, 6)
        y = convolved(w, y, f"{block}.{pairs}", f"{block}.{pairs + 1}")
        x = x + y if y.shape == x.shape else y
    x = convolved(w, x, "features.18.0", "features.18.1").clamp(0, 6).mean((2, 3))
    return x @ w["classifier.1.weight"].T + w["classifier.1.bias"]


def run_timm(w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    x = convolved(w, x, "conv_stem", "bn1", 2).clamp(0, 6)
    repeats = [(stage, repeat) for stage, n in enumerate([1, 2, 3, 4, 3, 3, 1]) for repeat in range(n)]
    for (stage, repeat), stride in zip(repeats, STRIDES, strict=True):
        block, y = f"blocks.{stage}.{repeat}", x
        if stage == 0:
            y = convolved(w, y, f"{block}.conv_dw", f"{block}.bn1", stride).clamp(0, 6)
            y = convolved(w, y, f"{block}.conv_pw", f"{block}.bn2")
        else:
            y = convolved(w, y, f"{block}.conv_pw", f"{block}.bn1").clamp(0, 6)
            y = convolved(w, y, f"{block}.conv_dw", f"{block}.bn2", stride).clamp(0, 6)
            y = convolved(w, y, f"{block}.conv_pwl", f"{block}.bn3")
        x = x + y if y.shape == x.shape else y
    x = convolved(w, x, "conv_head", "bn2").clamp(0, 6).mean((2, 3))
    return x @ w["classifier.weight"].T + w["classifier.bias"]


@pytest.mark.parametrize(("layout", "run"), [("torchvision", run_torchvision), ("timm", run_timm)])
def test_the_converted_network_computes_what_the_original_does(layout: Layout, run: object) -> None:
    theirs = {
        name: tensor.double() if tensor.is_floating_point() else tensor
        for name, tensor in narrow(layout).items()
    }
    found = layouts.convert(theirs)
    ours = MobileNetV2(found.settings, 3, found.classes).double().eval()
    ours.load_state_dict(found.weights)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = run(theirs, images)  # type: ignore[operator]
    assert expected.std() > 0.01
    with torch.no_grad():
        torch.testing.assert_close(ours(images), expected)


def test_files_from_before_batches_were_counted_can_be_read() -> None:
    theirs = {name: t for name, t in narrow("torchvision").items() if "num_batches" not in name}
    found = layouts.convert(theirs)
    MobileNetV2(found.settings, 3, found.classes).load_state_dict(found.weights)


def test_what_is_no_mobilenet_v2_is_refused_with_the_reason() -> None:
    ours = layouts.convert(narrow("timm")).weights
    without_head = {name: t for name, t in narrow("timm").items() if not name.startswith("classifier")}
    deeper = {**narrow("timm"), "blocks.6.1.conv_pw.weight": torch.empty(1)}
    other = {**narrow("torchvision"), "features.3.conv.2.weight": torch.empty(9, 9, 1, 1)}
    for weights, reason in (
        (ours, "have our own names already"),
        (without_head, "no classifier"),
        (deeper, "blocks.6.1.conv_pw.weight has no place"),
        (other, r"features.3.conv.2.weight has the shape \(9, 9, 1, 1\) and not"),
        (
            {"fc.weight": torch.empty(1), "fc.bias": torch.empty(1)},
            "the first tensors are fc.weight, fc.bias",
        ),
        ({}, "neither torchvision's nor timm's"),
    ):
        with pytest.raises(LabError, match=reason):
            layouts.convert(weights)
