import re
from pathlib import Path

import pytest

import bottleneck_lab

ROOT = Path(__file__).parents[1]
if not (ROOT / ".github").is_dir():
    pytest.skip("these files are not part of the package", allow_module_level=True)


def of(name):
    return (ROOT / name).read_text("utf-8")


def test_hooks_have_the_versions_that_ci_installs():
    pins = dict(re.findall(r'"(ruff|mypy)==([\d.]+)"', of("pyproject.toml")))
    assert set(pins) == {"ruff", "mypy"}
    hooks = re.findall(r"ruff==([\d.]+)", of(".pre-commit-config.yaml"))
    assert hooks == [pins["ruff"]] * 2


def test_the_citation_is_of_this_version_and_author():
    citation = of("CITATION.cff")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == bottleneck_lab.__version__
    author = re.search(r"- name: (.+)", citation)[1]
    assert author in of("LICENSE")


def test_the_workflow_runs_what_is_promised():
    workflow = of(".github/workflows/ci.yml")
    lowest = re.search(r'requires-python = ">=(.+)"', of("pyproject.toml"))[1]
    pythons = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", workflow)[1])
    assert pythons[0] == lowest
    assert pythons == re.findall(r"Python :: (3\.\d+)", of("pyproject.toml"))
    assert "bash .ci/run" in workflow


def test_whoever_wants_to_join_in_is_sent_to_files_that_are_there():
    named = re.findall(
        r"`((?:\.ci|bottleneck_lab|experiments|figures|tests)(?:/[\w.]+)*)/?`", of("CONTRIBUTING.md")
    )
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []
