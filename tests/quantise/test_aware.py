"""Training on grids: what is computed meanwhile, what passes backwards, and what is left afterwards."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.quantise.aware import aware, scale_of
from bottleneck_lab.quantise.grids import rounded_weight
from bottleneck_lab.quantise.rounded import observed, rounded
from bottleneck_lab.quantise.scheme import parse_scheme
from bottleneck_lab.quantise.table import Reach
from bottleneck_lab.training import Checkpoint, train
from bottleneck_lab.training.images import build
from bottleneck_lab.training.kernel import choose_kernel

BOTH = "w4_channel_a4_asymmetric_minmax"


def test_in_evaluation_its_weights_are_those_of_the_rounded_network(network, digits):
    made, scheme = network(), parse_scheme("w4_tensor")
    x = digits.normalised(digits.train.pixels)
    expected = rounded(made, observed(made, digits), scheme)(x)
    with torch.no_grad(), aware(made, scheme):
        found = made(x)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [BOTH, "w4_tensor_unfolded_a5_symmetric_minmax", "a3_unsigned_minmax"])
def test_a_stored_tensor_has_no_more_values_than_its_grid(network, digits, name):
    made, scheme = network(), parse_scheme(name)
    seen = []
    with torch.no_grad(), aware(made, scheme):
        made.get_submodule("blocks.2.output").register_forward_hook(lambda m, i, y: seen.append(y))
        made(digits.normalised(digits.train.pixels))
    assert 1 < len(seen[0].unique()) <= 2**scheme.activations.bits


def test_a_training_that_diverges_passes_its_nan_on(network, digits):
    made = network()
    made.stem.conv.weight.data.fill_(torch.nan)
    with torch.no_grad(), aware(made, parse_scheme(BOTH)):
        assert made(digits.normalised(digits.train.pixels)).isnan().all()
    with pytest.raises(LabError, match="infinite or NaN"):
        observed(made, digits)


@pytest.mark.parametrize("bits", [4, 6])
def test_channels_below_half_a_step_are_those_that_become_0(bits):
    largest = torch.cat([torch.tensor([1.0, 0.0]), torch.logspace(-3, -0.5, 60)])
    weight = largest[:, None].expand(-1, 3).contiguous()
    gone = (rounded_weight(weight, bits, "tensor") == 0).all(1) & (largest > 0)
    reach = Reach("layer", "weights", tuple(largest.tolist()), tuple(largest.tolist()))
    assert reach.all_zero(bits) == int(gone.sum()) > 0


def test_gradients_pass_and_nothing_is_left_of_it(network, digits):
    made = network().train()
    x = digits.normalised(digits.train.pixels[:32])
    labels = digits.train.labels[:32]
    names = list(made.state_dict())
    with aware(made, parse_scheme(BOTH)):
        F.cross_entropy(made(x), labels).backward()
        kept = copy.deepcopy(made.state_dict())
    assert list(kept) == names
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in made.parameters())
    for module in made.modules():
        assert "forward" not in vars(module)
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_a_weight_that_is_not_clipped_has_the_gradient_of_its_rounded_value():
    layer = nn.Linear(3, 2, bias=False)
    network = nn.Module()
    network.classifier, network.first, network.blocks = nn.Linear(1, 1), nn.Conv2d(1, 1, 1), nn.ModuleList()
    network.layer = layer
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    with aware(network, parse_scheme("w3_channel")):
        out = layer(x)
        out.square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, 2 * out.detach().T @ x)
    assert len((out.detach() - F.linear(x, layer.weight)).unique()) > 1


def test_the_fused_kernel_is_off_meanwhile_and_on_again_afterwards(network):
    made = network()
    block = made.blocks[1]
    block.fused = True
    with aware(made, parse_scheme("w4_channel")):
        assert not block.fused
    assert block.fused
    assert not made.blocks[0].fused


def test_a_training_on_grids_from_the_start_is_eager(mini, monkeypatch):
    monkeypatch.setenv("BOTTLENECK_LAB_KERNEL", "auto")
    settings = {"train": {"quantised": "w4_channel"}}
    run = load(str(mini)).variants("smoke", ["digits"], settings)[0].settings
    kernel = choose_kernel(run, build(run, torch.device("cpu")), torch.device("cpu"))
    assert (kernel.name, "trained on grids" in kernel.why) == ("eager", True)


def test_an_interrupted_training_on_grids_ends_in_the_same_bits(mini, tmp_path):
    settings = {"train": {"quantised": BOTH, "quantised_after": 0.5, "epochs": 2}}
    run = load(str(mini)).variants("smoke", ["digits"], settings)[0].settings
    cpu = torch.device("cpu")
    [whole] = train([run], folder=None, device=cpu, checkpoint=Checkpoint(None))
    checkpoint = Checkpoint(tmp_path / "kept.pt")
    save = checkpoint.save
    checkpoint.save = lambda state, now=False: save(state, now=True)

    def stop(index, records):
        if checkpoint.path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train([run], folder=None, device=cpu, checkpoint=checkpoint, progress=stop)
    assert len(checkpoint.load()["records"]) == 1
    [again] = train([run], folder=None, device=cpu, checkpoint=Checkpoint(checkpoint.path))
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in whole.weights.items())
    plain = load(str(mini)).variants("smoke", ["digits"], {"train": {"epochs": 2}})[0].settings
    [other] = train([plain], folder=None, device=cpu, checkpoint=Checkpoint(None))
    assert other.records[0]["train_loss"] == whole.records[0]["train_loss"]
    assert other.records[1]["train_loss"] != whole.records[1]["train_loss"]


def test_a_batch_norm_that_scales_by_0_leaves_numbers():
    norm = nn.BatchNorm2d(2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.0, -2.0]))
    assert torch.isfinite(1 / scale_of(norm)).all()
    assert float(scale_of(norm)[1]) == pytest.approx(-2, rel=1e-4)
