"""What engines are told, and what is refused before anything is begun."""

import subprocess
import sys

import pytest

from bottleneck_lab.errors import LabError
from bottleneck_lab.runs.engines import ENGINES, read_options, start
from bottleneck_lab.runs.work import Workplace

FIND = "bottleneck_lab.runs.engines.importlib.util.find_spec"


@pytest.fixture(autouse=True)
def _everything_is_installed(monkeypatch):
    monkeypatch.setattr(FIND, lambda name: name)


def test_there_are_three():
    assert ENGINES == ("local", "ray", "slurm")


def test_options_are_read_in_their_types():
    options = read_options("slurm", ["partition=gpu", "time=2-0", "gpus=1", "memory=8G"], per_gpu="4")
    assert (options.partition, options.time, options.gpus, options.memory) == ("gpu", "2-0", 1, "8G")
    assert options.per_gpu == 4
    assert read_options("ray", [], address="ray://head:10001").address == "ray://head:10001"


@pytest.mark.parametrize(
    ("engine", "texts", "flags", "sentence"),
    [
        ("rey", [], {}, "--engine rey: no such engine; did you mean 'ray'?"),
        ("local", [], {"address": "auto"}, "--address: the engine local does not take it"),
        ("slurm", [], {"address": "auto"}, "--address: the engine slurm does not take it"),
        ("slurm", ["partitoin=gpu"], {}, "--engine-option partitoin: unknown key; did you mean 'partition'?"),
        ("slurm", ["partition"], {}, "write it as name=value"),
        ("slurm", ["time=soon"], {}, "--engine-option time: 'soon' is no time; write 90"),
        ("slurm", ["memory=much"], {}, "--engine-option memory: "),
        ("ray", ["gpus=half"], {}, "--engine-option gpus: "),
        ("slurm", ["gpus=2"], {}, "--engine-option gpus: "),
        ("ray", [], {"per_gpu": "0"}, "--per-gpu: input should be greater than or equal to 1, not '0'"),
    ],
)
def test_what_an_engine_cannot_be_told_is_refused_in_a_sentence(engine, texts, flags, sentence):
    with pytest.raises(LabError) as refused:
        read_options(engine, texts, **flags)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_missing_is_named_with_the_line_that_gets_it(engine, package, monkeypatch):
    monkeypatch.setattr(FIND, lambda name: None)
    with pytest.raises(LabError) as refused:
        read_options(engine, [])
    line = f"{package} is not installed; get it by: pip install 'bottleneck-lab[{engine}]'"
    assert line in str(refused.value)


@pytest.mark.parametrize(
    ("address", "variable", "reason"),
    [
        ("127.0.0.1:1", None, "refused"),
        ("auto", "127.0.0.1:1", "refused"),
        ("head", None, "write it as HOST:6379"),
    ],
)
def test_a_ray_cluster_that_is_not_there_is_named_at_once(address, variable, reason, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    with pytest.raises(LabError, match=f"--address {address}: no Ray cluster .*{reason}"):
        start("ray", Workplace(tmp_path, "cpu"), None, read_options("ray", [], address=address))


def test_help_imports_neither_torch_nor_ray_nor_submitit():
    code = """
import sys
from bottleneck_lab.cli import run_ablation
sys.argv = ["run-ablation", "--help"]
try:
    run_ablation()
finally:
    print([name for name in ("torch", "ray", "submitit") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "--engine" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
