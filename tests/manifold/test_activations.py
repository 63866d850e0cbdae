"""The collapse lab takes any activation that networks may have, from the same table."""

import re

import numpy as np
import pytest
import torch

from bottleneck_lab import extend
from bottleneck_lab.activations import KINDS
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.collapse.measure import measure_collapse
from bottleneck_lab.manifold.activations import activation_named
from bottleneck_lab.manifold.shapes import spiral


def test_the_lab_knows_every_name_that_settings_know_but_those_that_look_at_other_points():
    for name, kind in KINDS.items():
        if kind.parameters:
            continue
        assert activation_named(name).name == name
    for name in ('{ kind = "noise", variance = 0.2 }', '{ kind = "bits", bits = 2 }'):
        with pytest.raises(LabError, match="depends on the other points"):
            activation_named(name)


def test_a_slope_of_0_is_a_relu_and_a_clip_has_two_kinks():
    z = np.linspace(-3, 3, 13)[:, None]
    flat = activation_named('{ kind = "leaky", slope = 0 }')
    assert np.array_equal(flat.apply(z), activation_named("relu").apply(z))
    assert (flat.flat_below, flat.flat_above) == (0.0, np.inf)
    clip = activation_named('{ kind = "clip", limit = 1 }')
    assert np.array_equal(clip.informative(z)[:, 0], np.abs(z[:, 0]) < 1)


def test_of_a_plug_in_the_flat_stretches_are_found():
    extend.activation("stairs")(lambda: torch.nn.Hardtanh(-1.5, 0.25))
    found = activation_named("stairs")
    assert (found.flat_below, found.flat_above) == pytest.approx((-1.5, 0.25), abs=1e-6)
    extend.activation("bent")(torch.nn.Softsign)
    assert (activation_named("bent").flat_below, activation_named("bent").flat_above) == (-np.inf, np.inf)


def test_silu_collapses_nothing_and_of_a_clip_theorem_1_says_nothing():
    silu = measure_collapse(spiral(100), [2], trials=5, activation="silu").collapses[0]
    assert (silu.collapsed, silu.collapsed_theory) == (0, 0)
    clip = measure_collapse(spiral(100), [2], trials=5, activation='{ kind = "clip", limit = 1 }')
    clip = clip.collapses[0]
    assert clip.collapsed > 0
    assert clip.collapsed_theory is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rellu", "--activation rellu: 'rellu' is not known; did you mean 'relu'?"),
        ('{ kind = "leaky" }', "needs slope"),
        ('{ kind = "leaky", slope = { from = 1, to = 0, until = 1 } }', "nothing is trained here"),
        ("{ kind = ", "'{ kind = ' is not known"),
    ],
)
def test_what_is_no_activation_is_refused(name, sentence):
    with pytest.raises(LabError, match=re.escape(sentence)):
        activation_named(name)
