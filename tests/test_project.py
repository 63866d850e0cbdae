import ast
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


# What a room may take from one that stands below it in docs/architecture.md, which names these.
EXCEPTIONS = {
    ("config", "quantise.scheme"),
    ("training", "records.files"),
    ("report", "instruments.collapse.explorer"),
    ("report", "instruments.collapse.figure"),
}


def imported(path):
    """The modules of the package that a file of it imports, `models.block` for instance."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (
                name.name.split(".", 1)[1] for name in node.names if name.name.startswith("bottleneck_lab.")
            )
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: a relative import"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bottleneck_lab":
            for alias in node.names:
                *rooms, name = [*node.module.split("."), alias.name]
                is_module = (
                    ROOT.joinpath(*rooms, name).is_dir() or ROOT.joinpath(*rooms, f"{name}.py").exists()
                )
                yield ".".join([*rooms, name][1:] if is_module else rooms[1:])


def test_no_room_imports_what_stands_below_it():
    listing = re.findall(r"^ {6}([a-z]+(?:, [a-z]+)*)  ", of("docs/architecture.md"), re.MULTILINE)
    place = {room: number for number, rooms in enumerate(listing) for room in rooms.split(", ")}
    package = ROOT / "bottleneck_lab"
    assert len(place) > 10
    assert all((package / room).is_dir() for room in place)
    against = {
        (room, module)
        for room in place
        for path in (package / room).rglob("*.py")
        for module in imported(path)
        if place.get(module.split(".")[0], -1) > place[room]
    }
    assert against == EXCEPTIONS
