"""What README and docs show: commands are parsed by the programs that they are for, examples are run."""

import re
import shlex
from pathlib import Path

import commands
import pytest
import typer

from bottleneck_lab.cli import app, figures_app, run_app
from bottleneck_lab.config import load, parse_overrides

ROOT = Path(__file__).parents[1]
if not (ROOT / "figures").is_dir():
    pytest.skip("what pages link to is not all part of the package", allow_module_level=True)
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples", "experiments", "figures")),
]
PROGRAMS = {"run-ablation": run_app, "bottleneck-lab": app, "make-figures": figures_app}


def shown(text):
    """Every command line of a page, from blocks that are indented or fenced."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    for block in re.findall(r"```(?:sh|powershell)\n(.*?)```", text, re.DOTALL):
        lines += block.splitlines()
    return _commands(line.partition(" #")[0].strip() for line in lines)


def mentioned(text):
    """Every command that is named in a sentence, maybe without its arguments."""
    prose = re.sub(r"```.*?```|^    .*", "", text, flags=re.DOTALL | re.MULTILINE)
    return _commands(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def _commands(lines):
    return [line for line in lines if line.partition(" ")[0] in PROGRAMS]


TEXTS = [page.read_text("utf-8") for page in PAGES]
SHOWN = sorted({command for text in TEXTS for command in shown(text)})
MENTIONED = sorted({command for text in TEXTS for command in mentioned(text)} - set(SHOWN))


def resolved(command):
    """The command of a program that a line calls, its context and the words that are left for it."""
    program, *words = shlex.split(command)
    found, context = typer.main.get_command(PROGRAMS[program]), None
    while hasattr(found, "resolve_command") and words:
        context = found.context_class(found, parent=context, info_name=program)
        _, found, words = found.resolve_command(context, words)
    return found, context, words


def test_there_are_commands_to_check():
    assert len(SHOWN) > 30
    assert len(MENTIONED) > 10


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown_is_one_that_the_program_takes(command):
    found, context, words = resolved(command)
    values = found.make_context(command, words, parent=context).params
    if command.startswith("run-ablation") and (name := values["name"]) and not name.endswith(".toml"):
        ablation = load(name)
        datasets = values["dataset"] or [next(iter(part.datasets)) for part in ablation.parts.values()]
        assert list(ablation.variants(values["tier"], datasets, parse_overrides(values["set_"] or [])))


QUICK = ("describe ", "explore", "paper", "collapse --covariates", "--list")


@pytest.mark.parametrize("command", [line for line in SHOWN if line.partition(" ")[2].startswith(QUICK)])
def test_a_command_that_takes_a_moment_does_what_it_is_shown_for(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = commands.call(*shlex.split(command))
    assert (ended.code, ended.traceback) == (0, None), ended.said
    assert ended.said


def test_the_question_of_ones_own_in_the_tutorial_is_written_and_can_be_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = [line for line in shown((ROOT / "docs/tutorial.md").read_text("utf-8")) if "smooth" in line]
    write, dry, run, again = map(shlex.split, own)
    assert run == dry[:-1]
    assert again[:4] == run
    for words in (write, dry):
        ended = commands.call(*words)
        assert (ended.code, ended.traceback) == (0, None), ended.said
    assert "2 variants x 8 seeds, then 48 where a claim is open" in ended.said


@pytest.mark.parametrize("command", MENTIONED)
def test_a_command_that_is_named_in_a_sentence_exists_and_has_its_options(command):
    found, _, words = resolved(command)
    known = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_links_to_or_names_is_there(page):
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    links = [link for link in links if "://" not in link]
    folders = "bottleneck_lab|benchmarks|experiments|figures|tests|docs|examples"
    named = re.findall(rf"`((?:{folders})/[\w./]+)`", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing + [name for name in named if not (ROOT / name).exists()] == []


def test_every_heading_that_a_page_links_to_is_there():
    for page in PAGES:
        for link, anchor in re.findall(r"\]\(([^)#\s]*\.md|)#([\w-]+)\)", page.read_text("utf-8")):
            target = page.parent / link if link else page
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            anchors = [
                re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
            ]
            assert anchor in anchors, f"{page.name}: {link}#{anchor}"


# What pages teach to write


def written(page, folder):
    """Write what a page shows as files: a block after its name in code, the last one before it."""
    text = (ROOT / page).read_text("utf-8")
    names = []
    for before, content in re.findall(r"(.*?)```(?:python|toml)\n(.*?)```", text, re.DOTALL):
        named = re.findall(r"`([\w/]+\.(?:py|toml))`", before.rpartition("\n#")[2].rpartition("```")[2])
        if named and named[-1] != "pyproject.toml":
            path = folder / named[-1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")
            names.append(named[-1])
    return names


def test_every_kind_of_addition_of_the_page_on_extending_works_in_one_ablation(tmp_path, monkeypatch):
    names = written("docs/extending.md", tmp_path)
    assert names[-1] == "mine.toml"
    assert len(names) == 7
    monkeypatch.chdir(tmp_path)
    words = shlex.split(re.search(r"```sh\n(.*?)\n```", (ROOT / "docs/extending.md").read_text("utf-8"))[1])
    ended = commands.call(*words, "--seeds", "1", "--workers", "1", "--set", "stripes.data.train_images=64")
    assert (ended.code, ended.traceback) == (0, None), ended.said
    assert "5 of 5 runs" in ended.said
    assert "mean probability of the class" in ended.said


@pytest.mark.parametrize(("page", "printed"), [("api", "ReLU6"), ("collapse-lab", "depthwise.activation")])
def test_what_a_page_does_from_python_runs(page, printed, tmp_path, monkeypatch, capsys):
    (tmp_path / "figures").symlink_to(ROOT / "figures")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {})
    assert printed in capsys.readouterr().out
