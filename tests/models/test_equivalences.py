"""Two explanations that need no experiment: they speak of networks that are one and the same.

A bottleneck of MobileNetV2 is read by nothing but 1x1 convolutions without a bias, each followed by batch
norm (the next block's expansion, or the head). In training, batch norm takes away what is constant over
images and pixels, so BN(W(x + c)) = BN(Wx) for any constant c for each channel. And W(-x) = (-W)x.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bottleneck_lab.models import MobileNetV2, initialise
from bottleneck_lab.models.block import ConvNorm

Settings = Callable[..., Any]
ROUNDING = 1e-9  # relative, of gradients in float64 after ten layers
THIN = {"network": "mobilenet_v2_digits", "dropout": 0.0}


class Centred(nn.Module):
    """ReLU6 minus 0.4, close to its mean over a standard normal variable: it takes both signs."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu6(x) - 0.4


class Subtracting(nn.Module):
    """A branch that ends in it can only subtract from its shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        return -nn.functional.relu6(x)


def network(settings: Any, then: Callable[[], nn.Module]) -> MobileNetV2:
    """A network with this after every projection (or addition), in training, in float64."""
    made = MobileNetV2(settings, channels=1, classes=10)
    initialise(made, 0)
    for block in made.blocks:
        if settings.projection_place == "before_add":
            block.projection.activation = then()
        else:
            block.output = then()
    return made.double().train()


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(16, 1, 8, 8, generator=generator, dtype=torch.float64)
    return pixels, torch.randint(10, (16,), generator=generator)


def loss_and_gradients(made: MobileNetV2) -> tuple[Tensor, dict[str, Tensor]]:
    pixels, labels = images()
    loss = nn.functional.cross_entropy(made(pixels), labels)
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in made.named_parameters() if p.grad is not None}


def differ(a: MobileNetV2, b: MobileNetV2) -> float:
    """The largest difference between two networks' losses and gradients, beside the size of these."""
    (loss, gradients), (other, others) = loss_and_gradients(a), loss_and_gradients(b)
    apart = [abs(float(loss - other)) / float(loss)]
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    apart += [float((gradients[name] - others[name]).abs().max()) / largest for name in gradients]
    return max(apart)


# A constant for each channel


@pytest.mark.parametrize(
    ("residual", "place"),
    [
        ("bottleneck", "before_add"),
        ("none", "before_add"),
        ("none", "after_add"),
        ("expansion", "before_add"),  # whose shortcuts lie behind the batch norm that takes it away
        ("expansion", "after_add"),
    ],
)
def test_a_centred_relu6_and_relu6_are_one_network_in_training(
    mobilenet: Settings, residual: str, place: str
) -> None:
    settings = mobilenet(**THIN, residual=residual, projection_place=place)
    assert differ(network(settings, nn.ReLU6), network(settings, Centred)) < ROUNDING


def test_so_are_their_predictions_once_the_running_means_have_caught_up(mobilenet: Settings) -> None:
    """In evaluation the running means stand for those of the batch: they are equal where weights rest."""
    pixels, _ = images()
    answers = []
    for then in (nn.ReLU6, Centred):
        made = network(mobilenet(**THIN), then)
        for _ in range(3):
            fresh = made.eval()(pixels)
            made.train()
            for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm2d)):
                norm.momentum = 1.0  # forget what was before this batch
            made(pixels)
        answers.append((fresh, made.eval()(pixels)))
    (_, plain), (_, centred) = answers
    torch.testing.assert_close(plain, centred, rtol=ROUNDING, atol=ROUNDING)


def test_running_means_that_lag_behind_tell_them_apart(mobilenet: Settings) -> None:
    pixels, _ = images()
    plain, centred = (network(mobilenet(**THIN), then).eval()(pixels) for then in (nn.ReLU6, Centred))
    assert float((plain - centred).detach().abs().max()) > 1e-3


def test_an_activation_after_the_addition_reads_the_constant_of_the_block_before(mobilenet: Settings) -> None:
    """The first exception: with shortcuts between bottlenecks it sees the sum, and its kink stays."""
    settings = mobilenet(**THIN, projection_place="after_add")
    assert differ(network(settings, nn.ReLU6), network(settings, Centred)) > 1e-4


def test_a_depthwise_convolution_that_reads_a_bottleneck_sees_the_constant_at_its_padded_borders(
    mobilenet: Settings,
) -> None:
    """The second: a block with t = 1 after the first has no expansion to read its input."""
    stages = [{"t": 1, "c": 8, "n": 2, "s": 1}, {"t": 6, "c": 8, "n": 1, "s": 1}]
    settings = mobilenet(**THIN, stages=stages)
    assert differ(network(settings, nn.ReLU6), network(settings, Centred)) > 1e-4


def test_so_does_the_one_at_the_wide_end_of_a_sandglass(mobilenet: Settings) -> None:
    """The third: after the addition the activation is at a wide end. In the middle it changes nothing."""
    after = mobilenet(**THIN, residual="sandglass", projection_place="after_add")
    assert differ(network(after, nn.ReLU6), network(after, Centred)) > 1e-4
    thin = mobilenet(**THIN, residual="sandglass")
    assert differ(network(thin, nn.ReLU6), network(thin, Centred)) < ROUNDING


# A sign for all of them


@torch.no_grad()
def mirrored(adding: MobileNetV2, subtracting: MobileNetV2) -> None:
    """Give `subtracting` the weights of `adding`, negated where a bottleneck is read."""
    subtracting.load_state_dict(adding.state_dict())
    readers = [block.expansion for block in subtracting.blocks] + [subtracting.head]
    for reader in readers:
        if isinstance(reader, ConvNorm):
            reader.conv.weight.neg_()


def test_a_branch_that_can_only_subtract_mirrors_one_that_can_only_add(mobilenet: Settings) -> None:
    """To the last bit: outputs and gradients, but for the sign of those weights that read a bottleneck."""
    settings = mobilenet(**THIN)
    adding, subtracting = network(settings, nn.ReLU6), network(settings, Subtracting)
    mirrored(adding, subtracting)
    (loss, gradients), (other, others) = loss_and_gradients(adding), loss_and_gradients(subtracting)
    assert torch.equal(loss, other)
    flipped = 0
    for name, gradient in gradients.items():
        same, opposite = torch.equal(gradient, others[name]), torch.equal(gradient, -others[name])
        assert same or opposite
        flipped += opposite and not same
    assert flipped == len([block for block in adding.blocks if isinstance(block.expansion, ConvNorm)]) + 1


def test_initial_weights_of_either_sign_are_as_likely() -> None:
    """He's normal distribution is symmetric, so the two are equal in distribution, and not only possible."""
    conv = nn.Conv2d(64, 512, 1, bias=False)
    initialise(nn.ModuleDict({"reader": conv}), 0)
    positive = float((conv.weight > 0).double().mean())
    assert positive == pytest.approx(0.5, abs=4 * 0.5 / (64 * 512) ** 0.5)
