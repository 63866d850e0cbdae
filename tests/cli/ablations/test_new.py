"""An experiment file to start from: it runs as it stands, and overwrites nothing."""

import os

import pytest
from typer.testing import CliRunner

from bottleneck_lab.cli import app, run_app
from bottleneck_lab.config import TIERS, catalogue, load
from bottleneck_lab.errors import LabError


def invoke(*arguments, app=app):
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invoke("new", "mine")
    return tmp_path / "mine.toml"


def test_the_file_is_named_as_it_was_asked_for_and_says_how_to_run_it(written):
    assert load(str(written)).name == "mine"
    assert "run-ablation mine.toml --tier smoke" in written.read_text()
    assert "NAME" not in written.read_text()


def test_it_has_a_part_on_spirals_and_one_on_images_in_every_tier_with_a_claim_each(written):
    ablation = load(str(written))
    assert {part: list(ablation.parts[part].datasets) for part in ablation.parts} == {
        "spiral": ["spiral"],
        "images": ["cifar10", "digits"],
    }
    for tier in TIERS:
        for dataset in ablation.datasets():
            assert len(ablation.variants(tier, [dataset])) == 2
    assert [len(part.claims) for part in ablation.parts.values()] == [1, 1]


def test_it_runs_in_the_smoke_tier_without_a_change(written):
    output = invoke("mine.toml", "--tier", "smoke", "--workers", 1, app=run_app)
    assert (written.parent / "results" / "mine" / "smoke" / "report.md").exists()
    assert "10 runs" in output  # 2 variants x 3 seeds on spirals, 2 x 2 on digits
    for claim in ("SiLU in a bottleneck of 2 channels", "On images, SiLU loses less than ReLU."):
        assert claim in " ".join(output.split())


def test_what_it_only_mentions_can_be_taken_out_of_its_comments(written):
    optional = ("leaky", "kind", "predictions", "prediction_rule")
    lines = [
        line.removeprefix("# ") if line.startswith(tuple(f"# {key}" for key in optional)) else line
        for line in written.read_text().splitlines()
    ]
    written.write_text("\n".join(lines))
    part = load(str(written)).parts
    assert "leaky" in part["spiral"].axes["projection"]
    assert part["images"].claims[0].kind == "equivalence"
    assert part["images"].predictions == {"dead_channels": {"relu": 3}}
    assert "budget" in written.read_text()


def test_its_part_on_spirals_ends_decided(written):
    output = invoke("mine.toml", "--dataset", "spiral", app=run_app)
    assert "spiral: the one claim held." in output


def test_every_key_is_explained_where_it_first_occurs(written):
    seen, unexplained, above = set(), [], ""
    for line in written.read_text().splitlines():
        key = line.partition("=")[0].strip()
        if "=" in line and not line.startswith("#") and key not in seen:
            seen.add(key)
            if "#" not in line and not above.startswith("#"):
                unexplained.append(key)
        above = line if line.startswith(("#", "[")) and "#" in line else ""
    assert {
        "question",
        "source",
        "reported",
        "against",
        "title",
        "model",
        "train",
        "contrast",
        "margin",
    } < seen
    assert [key for key in unexplained if key not in ("silu", *TIERS)] == []


def test_another_folder_is_made_where_it_is_missing(tmp_path):
    output = invoke("new", "mine", "--out", tmp_path / "some" / "where")
    path = tmp_path / "some" / "where" / "mine.toml"
    assert load(str(path))
    assert str(path) in output.replace("\n", "").replace("  ", "")


def refusal(*arguments):
    with pytest.raises(LabError) as refused:
        invoke("new", *arguments)
    return str(refused.value)


def test_a_file_that_is_there_is_not_touched(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("precious")
    assert (
        refusal("mine", "--out", tmp_path) == f"{path}: is there already; choose another name, or delete it"
    )
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["Mine", "my-own", "mine.toml", "../mine", "1st", "", "a b", "mine\n"])
def test_a_name_that_could_not_be_typed_everywhere_is_refused(tmp_path, name):
    assert "use small letters, digits and underscores" in refusal(name, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", catalogue())
def test_a_name_of_the_catalogue_is_refused(tmp_path, name):
    assert "is an ablation of the catalogue" in refusal(name, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert f"--out {tmp_path / 'file'}: " in refusal("mine", "--out", tmp_path / "file")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written" in refusal("mine", "--out", tmp_path)
