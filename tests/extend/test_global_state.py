"""A file from outside may add to the lab, and leaves the rest of the process as it was."""

import locale
import os
import random
import warnings

import numpy as np
import pytest
import torch
from here import execute

from bottleneck_lab import extend
from bottleneck_lab.config import load
from bottleneck_lab.data.points import draw_points
from bottleneck_lab.errors import LabError
from bottleneck_lab.extend.global_state import left_alone
from bottleneck_lab.records.folder import RunFolder
from bottleneck_lab.runs.jobs import plan_jobs
from bottleneck_lab.runs.plan import Data, make_plan
from bottleneck_lab.runs.work import Workplace

ADDS = "from torch import nn\nfrom bottleneck_lab import extend\nextend.activation('mish')(nn.Mish)\n"

# What a file can do to the whole process, and how it is called.
CHANGES = {
    "torch.set_default_dtype(torch.float64)": "torch's default dtype (torch.float32 to torch.float64)",
    "torch.set_default_device('meta')": "torch's default device (cpu to meta)",
    "torch.set_grad_enabled(False)": "torch's gradients (True to False)",
    "torch.set_num_threads(3)": "torch's threads (1 to 3)",
    "torch.use_deterministic_algorithms(True)": "torch's deterministic mode (0 to 2)",
    "torch.set_float32_matmul_precision('medium')": "torch's precision of matrix products",
    "torch.autograd.set_detect_anomaly(True)": "torch's anomaly detection (False to True)",
    "torch.set_autocast_enabled('cpu', True)": "torch's autocast on CPUs (False to True)",
    "torch.set_flush_denormal(True)": "torch's flushing of denormal numbers (False to True)",
    "torch.backends.cudnn.benchmark = True": "torch.backends.cudnn.benchmark (False to True)",
    "torch.backends.mkldnn.enabled = False": "torch.backends.mkldnn.enabled (True to False)",
    "np.seterr(divide='raise')": "numpy's handling of errors (divide: warn to raise)",
    "np.set_printoptions(precision=2)": "numpy's print options (precision: 8 to 2)",
    "locale.setlocale(locale.LC_ALL, 'C.UTF-8')": "the locale (",
    "os.chdir('/')": "the working directory (",
    "os.environ['OMP_NUM_THREADS'] = '7'": "the environment (OMP_NUM_THREADS: ",
}


@pytest.fixture(autouse=True)
def _one_thread_and_no_locale():
    before = torch.get_num_threads(), locale.setlocale(locale.LC_ALL)
    torch.set_num_threads(1)
    locale.setlocale(locale.LC_ALL, "C")
    yield
    torch.set_num_threads(before[0])
    locale.setlocale(locale.LC_ALL, before[1])


@pytest.mark.parametrize(("line", "called"), CHANGES.items())
def test_a_change_of_what_holds_for_the_whole_process_is_refused_and_undone(tmp_path, line, called):
    file = tmp_path / "mine.py"
    file.write_text(f"import locale, os\nimport numpy as np, torch\n{line}\n{ADDS}", encoding="utf-8")
    with pytest.raises(LabError) as refused:
        extend.include([file])
    assert str(refused.value).startswith(f"{file}: changes {called}")
    assert "mish" not in extend.ACTIVATIONS
    with left_alone():  # all is as it was: the same change is seen again
        pass
    with pytest.raises(LabError, match="changes"), left_alone():
        exec(line, {"locale": locale, "os": os, "np": np, "torch": torch})


def test_several_changes_are_named_together(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import torch\ntorch.set_num_threads(3)\ntorch.set_grad_enabled(False)\n")
    with pytest.raises(LabError, match=r"changes torch's gradients .*, torch's threads \(1 to 3\) for the"):
        extend.include([file])


def test_seeds_and_filters_that_a_file_sets_are_put_back_without_a_word(tmp_path):
    file = tmp_path / "mine.py"
    seeds = "torch.manual_seed(1)\nnp.random.seed(1)\nrandom.seed(1)\nwarnings.simplefilter('ignore')\n"
    file.write_text(f"import random, warnings\nimport numpy as np, torch\n{seeds}{ADDS}")
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate(), warnings.filters[:]
    extend.include([file])
    assert "mish" in extend.ACTIVATIONS
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert (random.getstate(), warnings.filters) == states[2:]


def planned(mini, activation):
    """The runs of the mini ablation on digits with an activation that was added."""
    mini.write_text(mini.read_text().replace('_activation = "relu6"', f'_activation = "{activation}"'))
    return make_plan(load(str(mini)), "smoke", Data(("digits",)), [0], {})


def test_what_is_done_while_a_network_is_made_is_refused_too(mini):
    @extend.activation("careless")
    def careless():
        torch.set_default_dtype(torch.float64)
        return torch.nn.Mish()

    with pytest.raises(LabError, match=r"'careless': changes torch's default dtype"):
        planned(mini, "careless")
    assert torch.get_default_dtype() == torch.float32


def test_what_is_done_while_points_are_drawn_is_refused_too(mini):
    @extend.points("careless", dimensions=2, classes=2)
    def careless(count, generator):
        np.seterr(all="ignore")
        classes = generator.integers(0, 2, count)
        return generator.normal(size=(count, 2)), classes

    from bottleneck_lab.config import PointSettings

    settings = PointSettings(dataset="careless", points=10, held_out=10)
    with pytest.raises(LabError, match="the data set 'careless': changes numpy's handling of errors"):
        draw_points(settings, 0, "train")


class Jitter(torch.nn.Module):
    """Draws from every global source there is."""

    def forward(self, x):
        noise = random.random() + np.random.random() + torch.rand(()).item()
        return x * (1 + 0.1 * noise) if self.training else x


def test_an_activation_may_draw_from_any_source_and_a_run_still_ends_in_the_same_bits(mini, tmp_path):
    extend.activation("jitter")(Jitter)
    plan = planned(mini, "jitter")
    answers = []
    for name in ("one", "two"):
        random.seed(name)
        np.random.seed(len(answers))
        execute(plan_jobs(plan.runs()), Workplace(tmp_path / name, "cpu"), 1, lambda event: None)
        answers.append([dict(RunFolder(tmp_path / name, run.id).result()) for run in plan.runs()])
        for result in answers[-1]:
            del result["files"]  # which say how long it took
    assert all(result["status"] == "done" for result in answers[0])
    assert answers[0] == answers[1]
