"""`import bottleneck_lab as lab`: what it offers, quickly, and that its examples are true."""

import doctest
import importlib
import subprocess
import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch import nn

import bottleneck_lab as lab
from bottleneck_lab import extend
from bottleneck_lab.api.session import progress

MINI = """
question = "Does it run from Python?"
source = "nowhere"
reported = "nothing"
against = "a failure"

[parts.spiral]
title = "Spirals"
facet = "width"
model = { network = "toy", blocks = 2, expansion = 3 }
train = { optimizer = "adam", learning_rate = 0.01, evaluate_every = 5 }
datasets.spiral.data = { points = 60, held_out = 90 }
datasets.spiral.tiers.smoke = { seeds = 2, train.epochs = 20 }
axes.projection.linear.model.projection_activation = "linear"
axes.projection.relu.model.projection_activation = "relu"
axes.width."d=2".model.width = 2
axes.width."d=3".model.width = 3

[[parts.spiral.claims]]
id = "narrow"
statement = "ReLU in two channels loses accuracy."
source = "Sec. 3.2"
contrast = { "linear, d=2" = 1, "relu, d=2" = -1 }
margin = 0.01
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a small ablation on spirals, run from Python."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "mini.toml").write_text(MINI)
    return lab.run(
        folder / "mini.toml",
        tier="smoke",
        dataset="spiral",
        seeds=3,
        settings={"train.epochs": 10},
        workers=1,
        out=folder / "results",
        progress=False,
    )


def test_everything_public_is_there_and_explained():
    assert set(lab.__all__) <= set(dir(lab))
    assert all(getattr(lab, name).__doc__ for name in lab.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        lab.nonsense  # noqa: B018


def test_the_door_opens_without_torch():
    program = (
        "import sys, bottleneck_lab as lab; lab.load, lab.LabError, lab.ablations();"
        "assert not {'torch', 'scipy', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    "module", ["api.ablations", "api.frame", "api.collapse", "api.observe", "config.files"]
)
def test_examples_are_true(module):
    done = doctest.testmod(importlib.import_module(f"bottleneck_lab.{module}"))
    assert done.attempted > 0
    assert done.failed == 0


def test_what_was_run_is_read_as_frames(results):
    assert set(results.runs["status"]) == {"done"}
    assert len(results.runs.where(variant="relu, d=2")) == 3
    assert results.variants["mean"].dtype == np.float64
    assert results.variants["projection"].tolist() == ["linear", "linear", "relu", "relu"]
    assert set(results.claims["verdict"]) <= {"supported", "contradicted", "equivalent", "inconclusive"}
    assert (results.folder / "report.html").exists()
    assert lab.read_results(results.folder.parent).folder == results.folder
    assert "12 done" in repr(results)


def test_what_was_run_is_not_run_again(results):
    again = lab.run(
        results.folder.parents[2] / "mini.toml",
        tier="smoke",
        dataset=["spiral"],
        seeds=range(3),
        settings={"train.epochs": 10},
        workers=1,
        out=results.folder.parents[1],
        progress=False,
    )
    assert list(again.runs) == list(results.runs)


def test_figures_are_axes_to_go_on_with(results):
    assert {"figure": "curves", "dataset": "spiral"}.items() <= results.figures.where(figure="curves")[
        0
    ].items()
    panels = results.plot("accuracy", "spiral")
    assert panels
    assert all(isinstance(panel, Axes) for panel in panels)
    with pytest.raises(lab.LabError, match="'acuracy': no such figure; did you mean 'accuracy'"):
        results.plot("acuracy")
    with pytest.raises(lab.LabError, match="nothing to draw"):
        results.plot("tuning")


def test_results_that_are_not_there_get_a_sentence(tmp_path):
    with pytest.raises(lab.LabError, match="holds no results"):
        lab.read_results(tmp_path)


def test_a_frame_becomes_what_pandas_makes_of_it(monkeypatch):
    made = {}
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda rows, columns: made.update(rows=rows, columns=columns) or "a data frame"
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert lab.Frame([{"a": 1}, {"b": 2}]).to_pandas() == "a data frame"
    assert made == {"rows": [{"a": 1, "b": None}, {"a": None, "b": 2}], "columns": ["a", "b"]}
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(lab.LabError, match="pip install pandas"):
        lab.Frame([]).to_pandas()


def test_collapse_takes_modules_and_functions_for_activations():
    points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    by_name, by_module, by_function = (
        lab.collapse(points, dims=[3], trials=5, activation=activation)
        for activation in ("relu6", nn.ReLU6(), lambda z: np.clip(z, 0, 6))
    )
    assert by_name["collapsed"] == by_module["collapsed"] == by_function["collapsed"]
    assert by_name["collapsed_theory"] == by_function["collapsed_theory"]


def test_a_module_of_ones_own_loses_what_it_loses():
    points = np.random.default_rng(0).normal(size=(600, 3))
    turned = lab.lost(points, nn.Linear(3, 3).double())
    assert turned.merged_pairs == 0
    assert turned.affine_error == pytest.approx(0, abs=1e-6)
    flat = lab.lost(points, lambda x: x * [1, 1, 0])
    assert flat.effective_rank < 2.01 < flat.effective_rank_of_points
    images = torch.rand(5, 3, 4, 4)
    assert lab.lost(images, nn.ReLU()).points == 80
    with pytest.raises(lab.LabError, match="codes of shape"):
        lab.lost(points, points[:5])


def test_observe_takes_the_axis_it_is_told_for_channels():
    tokens = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))
    as_rows = lab.observe(nn.ReLU(), tokens.reshape(21, 4))
    network = nn.Sequential(nn.ReLU())
    assert lab.observe(network, tokens, channel_axis=-1)[0] == {**as_rows[0], "module": "0"}
    assert lab.observe(network, tokens.movedim(-1, 1))[0] == {**as_rows[0], "module": "0"}
    with pytest.raises(lab.LabError, match="channel_axis = 3"):
        lab.observe(network, tokens, channel_axis=3)


def test_observe_sees_every_call_before_anything_in_place():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            return self.act(self.act(x) - 1)

    batches = [torch.tensor([[-1.0, 2.0]]), torch.tensor([[3.0, 0.5]])]
    network = Twice().train()
    seen = lab.observe(network, batches)
    assert seen["module"].tolist() == ["act", "act #2"]
    assert seen["below_zero"].tolist() == [0.25, 0.5]
    assert network.training
    with pytest.raises(lab.LabError, match="no activation"):
        lab.observe(nn.Linear(2, 2), batches)
    with pytest.raises(lab.LabError, match="none called 'relu'"):
        lab.observe(network, batches, modules=["relu"])


def test_what_a_notebook_adds_is_trained_in_it(monkeypatch, tmp_path):
    extend.activation("mine")(nn.Softsign)
    assert extend.only_here() == ["mine"]
    with pytest.raises(lab.LabError, match="mine: added in this process"):
        lab.run("linear_vs_relu", engine="ray", out=tmp_path)
    (tmp_path / "more.py").write_text(
        "from torch import nn\nfrom bottleneck_lab import extend\nextend.activation('theirs')(nn.Tanh)\n"
    )
    extend.include_all([tmp_path / "more.py"])
    assert extend.only_here() == ["mine"]


def test_another_cell_is_another_origin(monkeypatch):
    import linecache

    def added_by(cell):
        name = f"<cell {len(linecache.cache)}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(extend.ACTIVATIONS, "added", {})
            exec(compile(cell, name, "exec"), {"extend": extend, "nn": nn})
            return extend.ACTIVATIONS.added["mine"].digest

    one, other = (f"extend.activation('mine')(nn.{name})\n" for name in ("ReLU", "SiLU"))
    assert added_by(one) == added_by(one) != added_by(other)


def test_progress_is_a_bar_in_a_notebook(monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda bar: shown.append(bar._repr_html_()))
    kernel = ModuleType("IPython")
    kernel.get_ipython = lambda: SimpleNamespace(kernel=None)
    kernel.display = SimpleNamespace(display=lambda bar, display_id: handle)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    job = SimpleNamespace(id="a", runs=[1, 2], work=10.0)
    with progress.watching([job]) as listen:
        listen(SimpleNamespace(job=job, share=1.0))
    assert shown == ['<progress value="1.0000" max="1"></progress> 2 of 2 runs']


def test_wrong_arguments_get_a_sentence(tmp_path):
    for given, words in (
        ({"tier": "quik"}, "no such tier; did you mean 'quick'"),
        ({"settings": {"epochs": 3}}, "write it as section.key"),
        ({"seeds": 0}, "give a number above 0"),
        ({"engine": "lokal"}, "no such engine"),
    ):
        with warnings.catch_warnings(), pytest.raises(lab.LabError, match=words):
            lab.run("linear_vs_relu", out=tmp_path, progress=False, **given)
