"""Multiply-accumulates of what comes from outside: by published formulas, and never 0 without a word."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bottleneck_lab import extend
from bottleneck_lab.config import load
from bottleneck_lab.models.cost import count, madds
from bottleneck_lab.runs.plan import Data, make_plan


class Calls(nn.Module):
    """A network that is one function of its input and of a module."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_ = function, nn.ModuleList(modules)
        self.parameter = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.function(x, *self.modules_)


def test_without_autograd_it_counts_the_same():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 2))
    with torch.inference_mode():
        found = count(network, 1, 3, 8, 8)
    assert found == count(network, 1, 3, 8, 8)
    assert found.madds == 8 * 8 * 3 * 4 * 9 + 256 * 2


@pytest.mark.parametrize("causal", [False, True])
def test_attention_multiplies_queries_by_keys_and_weights_by_values(causal):
    attention = Calls(
        lambda x: F.scaled_dot_product_attention(x, x[..., :5, :], x[..., :5, :4], is_causal=causal)
    )
    heads, length, keys, width, values = 3, 7, 5, 8, 4
    if causal:
        attention = Calls(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True))
        keys, values = length, width
    expected = heads * length * keys * (width + values)  # Vaswani et al. 2017, eq. (1)
    assert madds(attention, 1, heads, length, width) == expected


@pytest.mark.parametrize("training", [False, True])
def test_multi_head_attention_also_projects_queries_keys_values_and_output(training):
    length, width = 5, 8
    network = Calls(lambda x, m: m(x, x, x)[0], nn.MultiheadAttention(width, 2, batch_first=True)).train(
        training
    )
    assert madds(network, 1, length, width) == 4 * length * width**2 + 2 * length**2 * width


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
def test_a_recurrent_layer_multiplies_input_and_state_by_every_gate_once_a_step(kind, gates):
    steps, inputs, state = 6, 3, 5
    network = Calls(lambda x, m: m(x)[0], kind(inputs, state))
    assert madds(network, steps, 1, inputs) == steps * gates * state * (inputs + state)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: torch.mv(x, x[0]), 4 * 3),
        (lambda x: torch.addmv(x[:, 0], x, x[0]), 4 * 3),
        (lambda x: torch.dot(x[0], x[1]), 3),
        (lambda x: torch.einsum("ij,kj->ik", x, x), 4 * 3 * 4),
        (lambda x: torch.addbmm(torch.zeros(4, 4), x[None], x.T[None]), 4 * 3 * 4),
    ],
)
def test_products_of_vectors_count_as_those_of_matrices_do(function, expected):
    assert count(Calls(function), 4, 3) == (expected, ())


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: torch.fft.fft2(x).real, "aten._fft_c2c"),
        (lambda x: torch.cdist(x, x), "aten._cdist_forward"),
        (lambda x: F.bilinear(x, x, torch.ones(2, 4, 4)), "aten._trilinear"),
        (lambda x: torch.linalg.inv(x + torch.eye(4)), "aten.linalg_inv_ex"),
    ],
)
def test_what_multiplies_and_has_no_rule_is_named(function, operator):
    assert operator in count(Calls(function), 4, 4).uncounted


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.leaky_relu(F.hardswish(x)).softmax(-1) * x.lgamma().erf() + x.cumsum(0).mean(),
        lambda x: F.interpolate(x[None, None], scale_factor=2, mode="bilinear"),
        lambda x: F.unfold(F.max_pool2d(x[None, None], 2), 1),
        lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4)),
        lambda x: F.layer_norm(x, (4,)).roll(1).transpose(0, 1).reshape(2, 8).sort().values,
    ],
)
def test_what_works_on_each_element_is_no_product_of_matrices(function):
    assert count(Calls(function), 4, 4) == (0, ())


def test_a_plan_says_whose_madds_are_too_few(mini):
    @extend.block("fourier")
    class Fourier(nn.Module):
        def __init__(self, inputs, outputs, stride, expansion, settings):
            super().__init__()
            self.out = nn.Conv2d(inputs, outputs, 1, stride)

        def forward(self, x):
            return self.out(torch.fft.fft2(x).real)

    text = mini.read_text().replace(
        'relu6 = { model.projection_activation = "relu6" }', 'fourier = { model.block = "fourier" }'
    )
    mini.write_text(text.replace("relu6 = -1", "fourier = -1").replace('"relu6" = -1', '"fourier" = -1'))
    plan = make_plan(load(str(mini)), "smoke", Data(("digits",), notices=("first",)), None, {})
    [first, notice] = plan.data.notices
    assert first == "first"
    assert notice.startswith("the MAdds of fourier (digits) are too few: they lack what aten._fft_")
