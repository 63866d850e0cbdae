"""Planning and looking at runs with something from outside."""

import numpy as np
import pytest
import torch

from bottleneck_lab import extend
from bottleneck_lab.config import load
from bottleneck_lab.errors import LabError
from bottleneck_lab.runs.engines import local
from bottleneck_lab.runs.execute import execute
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import choose_data, make_plan
from bottleneck_lab.runs.trained import open_run
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
