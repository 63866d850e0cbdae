"""One source for vectors of 4, 8 and 16 floats; that of another processor computes the same."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bottleneck_lab.models.fused.library import MATHS, SOURCES, UnavailableError, _compiler

HARNESS = Path(__file__).with_name("harness.cpp")


def results(folder: Path, compiler: list[str], *flags: str, runner: tuple[str, ...] = ()) -> list[np.ndarray]:
    """What the harness prints: for each block its tensors, one after the other."""
    program = folder / f"harness{'-'.join(flags)}"
    common = ("-O0", "-std=c++17", *MATHS, "-I", str(SOURCES))
    subprocess.run([*compiler, *common, *flags, "-o", str(program), str(HARNESS)], check=True)
    done = subprocess.run([*runner, str(program)], check=True, capture_output=True, text=True)
    return [np.array(line.split(), dtype=float) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def widest(tmp_path_factory) -> tuple[list[np.ndarray], Path, list[str]]:
    """The results with vectors of 16 floats, in plain C++."""
    try:
        compiler = _compiler()
    except UnavailableError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("harness")
    return results(folder, compiler, "-DLANES=16"), folder, compiler


def assert_alike(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    assert len(one) == len(other) == 4 * 17
    for first, second in zip(one, other, strict=True):
        assert np.isfinite(first).all()
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4 * max(1, np.abs(second).max()))


@pytest.mark.parametrize("flag", ["-DLANES=4", "-DLANES=8", "-march=native"])
def test_vectors_of_every_length_compute_the_same(widest, flag: str) -> None:
    expected, folder, compiler = widest
    assert_alike(results(folder, compiler, flag), expected)


def test_an_arm_processor_computes_the_same(widest) -> None:
    """With NEON, cross-compiled and emulated."""
    expected, folder, _ = widest
    compiler, emulator = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64")
    assert_alike(results(folder, [compiler], "-static", runner=(emulator,)), expected)
