"""Which kernel trains a run, and that a run which was begun with one ends in its bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bottleneck_lab.config import NETWORKS, RunSettings
from bottleneck_lab.data.images import load_images
from bottleneck_lab.errors import LabError
from bottleneck_lab.models import fused
from bottleneck_lab.models.fused import library
from bottleneck_lab.training import Checkpoint, kernel
from bottleneck_lab.training.images import build, train_on_images
from bottleneck_lab.training.kernel import choose_kernel, resume_kernel

CPU = torch.device("cpu")
MODEL = {
    **NETWORKS["mobilenet_v2_digits"],
    "family": "mobilenet_v2",
    "network": "mobilenet_v2_digits",
    "head_width": 16,
    "stages": [{"t": 1, "c": 4, "n": 1, "s": 1}, {"c": 8, "n": 2, "s": 2}],
}


def settings(kernel_: str = "auto", model: dict | None = None, **train: object) -> RunSettings:
    content = {
        "variant": "v",
        "seed": 5,
        "data": {"dataset": "digits", "train_images": 96, "held_out_images": 50, "crop_padding": 1},
        "model": {**MODEL, **(model or {})},
        "train": {"epochs": 3, "batch_size": 32, "kernel": kernel_, **train},
    }
    return RunSettings.model_validate_json(json.dumps(content))


def chosen(run: RunSettings, device: torch.device = CPU) -> kernel.Kernel:
    return choose_kernel(run, build(run, CPU), device)


@pytest.fixture
def speed(monkeypatch, request):
    """What is measured, instead of measuring."""
    monkeypatch.setattr(kernel, "_measure", lambda run, network: request.param)
    return request.param


@pytest.mark.usefixtures("fused_kernel")
@pytest.mark.parametrize(
    ("speed", "name"), [(2.0, "fused"), (1.01, "eager"), (0.5, "eager")], indirect=["speed"]
)
def test_auto_takes_the_fused_kernel_where_it_was_measured_faster(
    speed: float, name: str, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(fused, "library_path", lambda: tmp_path / "fused-here.so")
    network = build(settings(), CPU)
    told = choose_kernel(settings(), network, CPU)
    assert told.name == name
    assert any(getattr(module, "fused", False) for module in network.modules()) == (name == "fused")
    assert f"{speed:.1f}" in told.why or f"{speed:.2f}" in told.why


@pytest.mark.usefixtures("fused_kernel")
def test_the_measurement_is_made_once_and_remembered(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(fused, "library_path", lambda: tmp_path / "fused-here.so")
    measured = []
    monkeypatch.setattr(kernel, "_measure", lambda run, network: measured.append(run) or 3.0)
    assert {chosen(settings()).why for _ in range(3)} == {"3.0 times as fast as eager here"}
    assert len(measured) == 1
    assert chosen(settings(model={"projection_activation": "relu6"})).name == "fused"  # takes as long
    assert len(measured) == 1
    chosen(settings(batch_size=16))
    assert len(measured) == 2
    chosen(settings(model={"expansion_activation": "silu"}))  # of which the kernel can do less
    assert len(measured) == 3
    for path in tmp_path.glob("speed-*.json"):
        path.write_text("damaged")
    assert chosen(settings()).name == "fused"
    assert len(measured) == 4


@pytest.mark.usefixtures("fused_kernel")
def test_a_measurement_leaves_the_network_and_all_chance_as_they_were() -> None:
    run = settings()
    network = build(run, CPU)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    assert kernel._measure(run, network) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (settings(model={"kernel": 5}), "kernel 5"),
        (settings(model={"inner_activation": "silu"}), "SiLU inside the blocks"),
        (settings(precision="bfloat16"), "float32 only, not bfloat16"),
    ],
    ids=["kernel", "activation", "precision"],
)
def test_what_the_kernel_cannot_do_is_said_and_left_to_pytorch(
    run: RunSettings, reason: str, monkeypatch
) -> None:
    monkeypatch.delenv("BOTTLENECK_LAB_KERNEL")
    told = chosen(run)
    assert told.name == "eager"
    assert reason in told.why


def test_a_gpu_has_its_own_kernels(monkeypatch) -> None:
    monkeypatch.delenv("BOTTLENECK_LAB_KERNEL")
    assert "this is cuda" in chosen(settings(precision="float32"), torch.device("cuda")).why


def test_without_a_compiler_all_is_as_it_was(monkeypatch) -> None:
    monkeypatch.delenv("BOTTLENECK_LAB_KERNEL")
    monkeypatch.setenv("CXX", "no-such-compiler")
    library._found.cache_clear()
    try:
        told = chosen(settings())
        assert (told.name, told.why) == ("eager", "there is no C++ compiler no-such-compiler (as CXX says)")
        with pytest.raises(LabError, match=r'kernel = "fused": there is no C\+\+ compiler.*make it auto'):
            chosen(settings("fused"))
    finally:
        library._found.cache_clear()


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text(
        "#!/bin/sh\n[ $1 = --version ] && exit 0\necho 'fused.cpp:1: error: no' >&2\nexit 1\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(library.UnavailableError, match=r"cannot compile it: fused\.cpp:1: error: no"):
        library.compiled()
    assert not list(Path(os.environ["BOTTLENECK_LAB_CACHE"]).rglob("*.so"))


def test_of_several_processes_one_compiles_and_the_others_wait(monkeypatch, tmp_path) -> None:
    """A compiler that counts how often it was called, and takes its time."""
    count, compiler = tmp_path / "count", tmp_path / "c++"
    compiler.write_text(
        "#!/bin/sh\n[ $1 = --version ] && exit 0\n"
        f"echo called >> {count}\nsleep 1\n"
        'while [ "$1" != -o ]; do shift; done\necho library > "$2"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    code = "from bottleneck_lab.models.fused.library import compiled; print(compiled())"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    paths = {process.communicate()[0] for process in processes}
    assert len(paths) == 1
    assert Path(paths.pop().strip()).read_text(encoding="utf-8") == "library\n"
    assert count.read_text() == "called\n"


def test_another_value_of_the_variable_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("BOTTLENECK_LAB_KERNEL", "quick")
    with pytest.raises(LabError, match="BOTTLENECK_LAB_KERNEL=quick: must be fused, eager or auto"):
        chosen(settings())


@pytest.mark.usefixtures("fused_kernel")
def test_a_run_that_was_interrupted_ends_in_the_bits_of_one_that_was_not(tmp_path) -> None:
    run = settings("fused")
    data = load_images(run.data, None)

    class StopError(Exception):
        pass

    def stop_after_two(index: int, records: list) -> None:
        if len(records) == 3:
            raise StopError

    path = tmp_path / "checkpoint.pt"
    whole = train_on_images(run, data, CPU, Checkpoint(None))
    first = Checkpoint(path)
    first._written = -1e9  # so that every epoch is kept
    save = first.save
    first.save = lambda state, now=False: save(state, now=True)
    with pytest.raises(StopError):
        train_on_images(run, data, CPU, first, stop_after_two)
    resumed = train_on_images(run, data, CPU, Checkpoint(path))
    assert whole.kernel == resumed.kernel == "fused"
    assert resumed.records[1]["train_loss"] == whole.records[1]["train_loss"]
    assert all(torch.equal(value, resumed.weights[name]) for name, value in whole.weights.items())


@pytest.mark.usefixtures("fused_kernel")
def test_a_run_goes_on_with_the_kernel_it_was_begun_with() -> None:
    network = build(settings(), CPU)
    begun = choose_kernel(settings("fused"), network, CPU)
    assert resume_kernel(begun.mark, network).name == "fused"
    assert any(getattr(module, "fused", False) for module in network.modules())
    assert resume_kernel("eager", network).name == "eager"
    assert not any(getattr(module, "fused", False) for module in network.modules())


@pytest.mark.usefixtures("fused_kernel")
def test_a_run_that_cannot_go_on_with_its_kernel_says_so_ever_after(monkeypatch) -> None:
    network = build(settings(), CPU)
    other_build = resume_kernel("fused-of-another-compiler", network)
    monkeypatch.setattr(fused, "why_not", lambda: "there is no compiler")
    no_kernel = resume_kernel("fused-here", network)
    assert {other_build.name, no_kernel.name, resume_kernel(no_kernel.mark, network).name} == {"mixed"}
    assert no_kernel.why == "begun with the fused kernel, but there is no compiler"


@pytest.mark.usefixtures("fused_kernel")
def test_a_remembered_measurement_is_read_where_nothing_can_be_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(fused, "library_path", lambda: tmp_path / "fused-here.so")
    monkeypatch.setattr(kernel, "_measure", lambda run, network: 3.0)
    chosen(settings())
    monkeypatch.setattr(kernel, "_measure", lambda run, network: 0.5)
    monkeypatch.setattr(kernel.filelock, "FileLock", lambda path: (tmp_path / "no" / "folder").touch())
    assert chosen(settings()).name == "fused"
    assert chosen(settings(batch_size=16)).name == "eager"


@pytest.mark.usefixtures("fused_kernel")
def test_an_epoch_with_either_kernel_ends_at_the_same_loss() -> None:
    losses = {}
    for name in ("eager", "fused"):
        run = settings(name, epochs=1)
        losses[name] = train_on_images(run, load_images(run.data, None), CPU, Checkpoint(None)).records[0][
            "train_loss"
        ]
    assert losses["fused"] == pytest.approx(losses["eager"], abs=1e-3)
