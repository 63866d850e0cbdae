"""Every use of chance has a stream of its own, by name."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bottleneck_lab
from bottleneck_lab.seeds import stream

names = st.lists(st.from_regex(r"[a-z.0-9]{0,8}", fullmatch=True), max_size=3)


@settings(deadline=None)
@given(st.integers(0, 10**6), names)
def test_a_stream_is_a_seed_that_torch_and_numpy_take(seed: int, name: list[str]) -> None:
    number = stream(seed, *name)
    assert 0 <= number < 2**63
    torch.Generator().manual_seed(number)
    np.random.default_rng(number)


@settings(deadline=None)
@given(st.tuples(st.integers(0, 99), names), st.tuples(st.integers(0, 99), names))
def test_two_streams_are_one_exactly_where_seed_and_names_are_equal(
    one: tuple[int, list[str]], other: tuple[int, list[str]]
) -> None:
    assert (stream(one[0], *one[1]) == stream(other[0], *other[1])) == (one == other)


def test_names_that_are_numbers_make_streams_of_their_own() -> None:
    epochs = [stream(0, "order", epoch) for epoch in range(1000)]
    assert len(set(epochs)) == 1000


def test_neighbouring_seeds_and_names_draw_unrelated_numbers() -> None:
    streams = [(seed, name) for seed in range(20) for name in ("crops", "order", "weights")]
    drawn = [torch.randn(2000, generator=torch.Generator().manual_seed(stream(*s))) for s in streams]
    correlations = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    # The largest of 1,770 correlations of 2,000 independent pairs, each with deviation 1 / sqrt(2000).
    assert float(correlations.abs().max()) < 5 / 2000**0.5


def test_another_process_has_the_same_streams() -> None:
    code = "from bottleneck_lab.seeds import stream; print(stream(3, 'spiral', 'train'))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    root = Path(bottleneck_lab.__file__).parents[1]
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert int(other.stdout) == stream(3, "spiral", "train")
