"""Planning and looking at runs with something from outside."""

import json

import numpy as np
import pytest
import torch
from here import execute

from bottleneck_lab import extend
from bottleneck_lab.config import load
from bottleneck_lab.data import checksums
from bottleneck_lab.data.images import load_images
from bottleneck_lab.errors import LabError
from bottleneck_lab.instruments.trained import open_run
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.runs.engines import local
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import choose_data, make_plan
from bottleneck_lab.runs.work import Workplace

STRIPES = """
import numpy as np
from bottleneck_lab import extend

@extend.images("stripes", shape=(1, 8, 8), classes=2, train=64, held_out=32)
def stripes():
    parts = []
    for count in (64, 32):
        labels = np.arange(count) % 2
        pixels = np.zeros((count, 8, 8, 1), np.uint8)
        pixels[labels == 0, ::2] = 200
        pixels[labels == 1, :, ::2] = 200
        parts += [pixels, labels]
    return parts
"""


@pytest.fixture
def stripes(tmp_path, mini):
    """The mini ablation with stripes in place of the digits, and the file that adds them."""
    file = tmp_path / "stripes.py"
    file.write_text(STRIPES)
    extend.include([file])
    text = mini.read_text().replace("datasets.digits", "datasets.stripes")
    mini.write_text(text.replace(", train_images = 128, held_out_images = 100", ""))
    return load(str(mini))


def no_fetch(layout, seconds):
    raise LabError("nothing is fetched in tests")


def test_added_images_can_stand_in_where_cifar_is_not_at_hand(stripes):
    data = choose_data(stripes, [], None, "quick", no_fetch)
    assert data.names == ("spiral", "stripes")
    assert "CIFAR-10 was not found, so the images are stripes" in data.notices[0]


def test_a_data_set_that_returns_nonsense_is_refused_by_the_plan(stripes):
    extend.DATASETS.added["stripes"] = extend.Addition(
        extend.ImageSet((1, 8, 8), 2, 64, 32, lambda: [np.zeros(3)] * 4), "mine.py", ""
    )
    data = choose_data(stripes, ["stripes"], None, "smoke", no_fetch)
    with pytest.raises(LabError, match="the data set 'stripes' must return its training pixels"):
        make_plan(stripes, "smoke", data, None, {})


def test_a_job_knows_when_a_file_behind_it_has_changed(stripes, tmp_path, monkeypatch):
    data = choose_data(stripes, ["stripes"], None, "smoke", no_fetch)
    [job, *_] = plan_jobs(make_plan(stripes, "smoke", data, [0], {}).runs())
    job.check_as_planned()
    added = extend.DATASETS.added["stripes"]
    monkeypatch.setitem(extend.DATASETS.added, "stripes", extend.Addition(added.value, added.origin, "other"))
    with pytest.raises(LabError, match="an included file was changed"):
        local._do_in_worker(job)


@pytest.fixture
def finished(stripes, tmp_path):
    data = choose_data(stripes, ["stripes"], None, "smoke", no_fetch)
    plan = make_plan(stripes, "smoke", data, [0], {})
    results = tmp_path / "results"
    execute(plan_jobs(plan.runs()), Workplace(results, "cpu"), 1, lambda event: None)
    return next(results.glob("runs/*"))


def test_a_finished_run_is_opened_where_its_data_set_is_known(finished):
    run = open_run(finished, None, torch.device("cpu"))
    assert run.settings.dataset == "stripes"
    assert len(run.data.held_out) == 32


def test_without_the_file_it_says_that_one_is_missing(finished):
    extend.DATASETS.added.clear()
    with pytest.raises(LabError, match=r"'stripes' is not known.*name its file by --include"):
        open_run(finished, None, torch.device("cpu"))


SHUFFLED = """
import numpy as np
from bottleneck_lab import extend

@extend.images("stripes", shape=(1, 8, 8), classes=2, train=64, held_out=32)
def stripes():
    order = np.random.permutation(96)
    labels = order % 2
    pixels = np.where(labels[:, None, None, None] == 0, 200, 0) * np.ones((96, 8, 8, 1))
    pixels[:, 0, 0, 0] = order
    pixels = pixels.astype(np.uint8)
    return pixels[:64], labels[:64], pixels[64:], labels[64:]
"""

POINTS = """
import numpy as np
from bottleneck_lab import extend

@extend.points("two", dimensions=2, classes=2)
def two(count, generator):
    classes = generator.integers(0, 2, count)
    return {chance}.normal(size=(count, 2)) + 4 * classes[:, None], classes
"""


def test_images_that_are_split_by_chance_are_refused_by_the_plan(tmp_path, mini):
    (tmp_path / "shuffled.py").write_text(SHUFFLED)
    extend.include([tmp_path / "shuffled.py"])
    text = mini.read_text().replace("datasets.digits", "datasets.stripes")
    mini.write_text(text.replace(", train_images = 128, held_out_images = 100", ""))
    ablation = load(str(mini))
    data = choose_data(ablation, ["stripes"], None, "smoke", no_fetch)
    with pytest.raises(LabError, match=r"'stripes' is another one each time it is made.*fixed seed"):
        make_plan(ablation, "smoke", data, None, {})


@pytest.mark.parametrize(("chance", "is_refused"), [("generator", False), ("np.random", True)])
def test_points_are_drawn_from_the_generator_that_is_given_and_from_no_other(
    tmp_path, mini, chance, is_refused
):
    (tmp_path / "two.py").write_text(POINTS.format(chance=chance))
    extend.include([tmp_path / "two.py"])
    mini.write_text(mini.read_text().replace("datasets.spiral", "datasets.two"))
    ablation = load(str(mini))
    data = choose_data(ablation, ["two"], None, "smoke", no_fetch)
    if is_refused:
        with pytest.raises(LabError, match="'two' is another one each time it is made"):
            make_plan(ablation, "smoke", data, None, {})
    else:
        planned = make_plan(ablation, "smoke", data, None, {})
        assert all(of.keys() == {"two"} for of in planned.checksums.values())


def of_another_split(addition):
    """The stripes in another order: what chance in an added file comes to, from one process to the next."""
    train, labels, held_out, held_labels = addition.value.load()
    value = extend.ImageSet((1, 8, 8), 2, 64, 32, lambda: (train[::-1], labels[::-1], held_out, held_labels))
    return extend.Addition(value, addition.origin, addition.digest)


def test_a_run_whose_data_are_not_what_was_planned_is_not_trained(stripes, tmp_path):
    data = choose_data(stripes, ["stripes"], None, "smoke", no_fetch)
    plan = make_plan(stripes, "smoke", data, [0], {})
    extend.DATASETS.added["stripes"] = of_another_split(extend.DATASETS.added["stripes"])
    load_images.cache_clear()
    checksums._of_added.cache_clear()
    place = Workplace(tmp_path / "results", "cpu", checksums=plan.checksums)
    execute(plan_jobs(plan.runs()), place, 1, lambda event: None)
    said = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("runs/*/result.json")]
    assert {result["status"] for result in said} == {"failed"}
    assert "stripes is not what it was when the runs were planned" in said[0]["reason"]


@pytest.mark.parametrize("plan_knows", [True, False])
def test_a_run_on_other_data_than_planned_is_named_and_judged_nowhere(stripes, tmp_path, plan_knows):
    data = choose_data(stripes, ["stripes"], None, "smoke", no_fetch)
    plan = make_plan(stripes, "smoke", data, [0, 1], {})
    results = tmp_path / "results"
    plan.write(results)
    other, *usual = plan.runs()
    execute(plan_jobs(usual), Workplace(results, "cpu"), 1, lambda event: None)
    extend.DATASETS.added["stripes"] = of_another_split(extend.DATASETS.added["stripes"])
    load_images.cache_clear()
    checksums._of_added.cache_clear()
    execute(plan_jobs([other]), Workplace(results, "cpu"), 1, lambda event: None)
    if not plan_knows:  # as those of former times
        content = json.loads((results / "plan.json").read_text())
        for variant in content["variants"]:
            del variant["checksums"]
        (results / "plan.json").write_text(json.dumps(content))
    found = collect(results)
    [damaged] = found.troubled()
    assert (damaged.id, damaged.status, damaged.accuracy) == (other.id, "damaged", None)
    [planned] = plan.checksums.values()
    assert damaged.reason.startswith("trained on other data (md5 of stripes is ")
    assert f"not {planned['stripes']}" in damaged.reason
    [claim] = summarise(found).claims
    assert (claim.verdict, claim.n_seeds) == ("inconclusive", 1)
    assert claim.reason == "1 of 2 pairs: 1 damaged"


def test_a_finished_run_is_not_opened_with_other_images_than_it_was_trained_on(finished):
    extend.DATASETS.added["stripes"] = of_another_split(extend.DATASETS.added["stripes"])
    load_images.cache_clear()
    with pytest.raises(LabError, match="was trained on other images than stripes has now"):
        open_run(finished, None, torch.device("cpu"))
