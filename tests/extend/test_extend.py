"""Names from outside: by file, folder, variable and installed package; and what is said when that fails."""

import hashlib
import importlib.metadata
import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from torch import nn

from bottleneck_lab import extend
from bottleneck_lab.errors import LabError
from bottleneck_lab.extend import including
from bottleneck_lab.models.activations import activation

MISH = """
from torch import nn
from bottleneck_lab import extend

@extend.activation("mish")
def mish():
    return nn.Mish()
"""

DECORATORS = {
    "activation": (extend.activation, extend.ACTIVATIONS, {}),
    "block": (extend.block, extend.BLOCKS, {}),
    "residual": (extend.residual, extend.RESIDUALS, {}),
    "images": (
        extend.images,
        extend.DATASETS,
        {"shape": (3, 8, 8), "classes": 2, "train": 9, "held_out": 5},
    ),
    "points": (extend.points, extend.DATASETS, {"dimensions": 3, "classes": 2}),
    "measure": (extend.measure, extend.MEASURE_NAMES, {}),
}

every_decorator = pytest.mark.parametrize(
    ("decorator", "registry", "more"), DECORATORS.values(), ids=DECORATORS.keys()
)


@pytest.fixture
def write(tmp_path):
    """Writes a file to include."""

    def write(text=MISH, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def refusal(*paths):
    with pytest.raises(LabError) as refused:
        extend.include_all(paths)
    return str(refused.value)


def something():
    """Decorated in the tests."""


# Decorators


@every_decorator
def test_a_decorator_adds_a_name_and_leaves_what_it_decorates_as_it_is(decorator, registry, more):
    assert "mine" not in registry
    assert decorator("mine", **more)(something) is something
    assert "mine" in registry
    assert registry.names[-1] == "mine"
    added = registry.added["mine"]
    assert added.origin == __file__
    assert added.digest == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_a_name_is_known_to_its_own_kind_only():
    extend.activation("mine")(something)
    assert [registry.kind for registry in extend.REGISTRIES if "mine" in registry] == ["an activation"]


def test_data_sets_of_points_and_of_images_share_their_names():
    extend.points("mine", dimensions=2, classes=2)(something)
    with pytest.raises(LabError, match="'mine' for a data set is taken"):
        extend.images("mine", shape=(1, 8, 8), classes=2, train=9, held_out=5)(something)
    assert extend.point_set("mine") == extend.PointSet(2, 2, something)
    assert extend.image_set("mine") is None


def test_what_comes_with_the_project_is_found_by_the_same_functions():
    assert extend.image_set("cifar10").shape == (3, 32, 32)
    assert extend.point_set("cifar10") is None
    assert extend.measure_named("lost_int8").share
    extend.measure("mine_too")(something)
    assert extend.measure_named("mine_too") == extend.Measure("mine too", False, something)


def test_a_class_of_torch_can_be_added_as_it_is_and_belongs_to_the_file_that_adds_it():
    extend.activation("mish")(nn.Mish)
    assert isinstance(activation("mish"), nn.Mish)
    assert extend.ACTIVATIONS.added["mish"].origin == __file__


@every_decorator
def test_a_name_that_is_taken_is_refused_with_who_has_it(decorator, registry, more):
    with pytest.raises(LabError, match=f"the name '{registry.built_in[0]}' for .* is taken by the project"):
        decorator(registry.built_in[0], **more)(something)
    decorator("mine", **more)(something)
    with pytest.raises(LabError, match=r"is taken by .*test_extend\.py; choose another"):
        decorator("mine", **more)(something)


@pytest.mark.parametrize("name", ["Mish", "", "1st", "a-b", "a b", "ä", "a.b", "mish\n", "_mish"])
@every_decorator
def test_a_name_that_could_not_be_typed_everywhere_is_refused(decorator, registry, more, name):
    with pytest.raises(LabError, match="use small letters, digits and underscores"):
        decorator(name, **more)(something)
    assert registry.added == {}


@pytest.mark.parametrize("decorator", [extend.activation, extend.block, extend.residual, extend.measure])
def test_a_decorator_without_a_name_is_noticed(decorator):
    with pytest.raises(LabError, match="needs a name"):
        decorator(something)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"classes": 1}, "has 1 classes; 2 to 256 are possible"),
        ({"classes": 257}, "has 257 classes"),  # predictions are kept as bytes
        ({"dimensions": 0}, "has dimensions = 0"),
    ],
)
def test_points_of_no_dimension_or_of_too_few_or_many_classes_are_refused(numbers, sentence):
    with pytest.raises(LabError, match=sentence):
        extend.points("mine", **{"dimensions": 2, "classes": 2, **numbers})


@pytest.mark.parametrize(
    "numbers", [{"shape": (0, 8, 8)}, {"shape": (3, 8, 0)}, {"train": 0}, {"held_out": 0}, {"classes": 300}]
)
def test_images_without_pixels_or_without_images_are_refused(numbers):
    right = {"shape": (3, 8, 8), "classes": 2, "train": 9, "held_out": 5}
    with pytest.raises(LabError, match="the data set 'mine' has"):
        extend.images("mine", **{**right, **numbers})


# Files and folders


def test_a_file_adds_what_it_decorates(write):
    file = write()
    extend.include([file])
    assert isinstance(activation("mish"), nn.Mish)
    assert extend.included() == (file,)
    assert extend.ACTIVATIONS.added["mish"].origin == str(file)


def test_a_file_is_run_once_by_whatever_path_it_is_named(write, monkeypatch):
    file = write()
    extend.include([file, file])
    monkeypatch.chdir(file.parent)
    extend.include([Path("mine.py"), Path(".")])
    assert extend.included() == (file,)


def test_two_files_of_one_name_in_two_folders_are_two_files(write):
    extend.include([write(name="one/mine.py"), write(MISH.replace("mish", "tish"), "two/mine.py")])
    assert {"mish", "tish"} <= set(extend.ACTIVATIONS.added)


def test_a_folder_adds_its_python_files_but_those_with_an_underscore(write):
    write(name="mine/b.py")
    write(MISH.replace("mish", "tish"), "mine/a.py")
    write("raise ValueError", "mine/_not_this.py")
    write("raise ValueError", "mine/nor_this.txt")
    extend.include([write(name="mine/b.py").parent])
    assert [path.name for path in extend.included()] == ["a.py", "b.py"]


def test_what_a_file_defines_can_be_sent_to_another_process(write):
    import pickle

    text = MISH.replace("mish():\n    return nn.Mish()", "Mine(nn.Mish):\n    pass").replace("def", "class")
    extend.include([write(text)])
    assert isinstance(pickle.loads(pickle.dumps(activation("mish"))), nn.Mish)


def test_the_variable_names_files_too_separated_like_those_of_path(write, monkeypatch):
    files = [write(name="one.py"), write(MISH.replace("mish", "tish"), "two.py")]
    monkeypatch.setenv("BOTTLENECK_LAB_INCLUDE", os.pathsep.join(map(str, files)))
    extend.include_all([write(MISH.replace("mish", "lish"), "three.py")])
    assert {"mish", "tish", "lish"} <= set(extend.ACTIVATIONS.added)
    assert [path.name for path in extend.included()] == ["one.py", "two.py", "three.py"]


def test_a_missing_file_is_named_with_what_named_it(tmp_path, monkeypatch):
    missing = tmp_path / "missing.py"
    assert refusal(missing) == f"--include {missing}: no such file or folder"
    monkeypatch.setenv("BOTTLENECK_LAB_INCLUDE", str(missing))
    assert refusal() == f"$BOTTLENECK_LAB_INCLUDE {missing}: no such file or folder"


def test_a_folder_without_python_files_is_refused(tmp_path):
    assert refusal(tmp_path) == f"--include {tmp_path}: the folder holds no Python files"


def test_a_file_of_another_kind_is_refused(write):
    file = write(name="mine.toml")
    assert refusal(file) == f"{file}: not a Python file; its name must end in .py"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\n\ny = undefined\n", 3, "NameError: name 'undefined' is not defined"),
        ("def f():\n    return 1 / 0\n\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("x = 1\nif x\n", 2, "SyntaxError: "),
        ("import json\n\njson.loads('[1,')\n", 3, "JSONDecodeError: "),  # which has a line of its own, 1
        ("\nimport no_such_module\n", 2, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("\n\nraise SystemExit('bye')\n", 3, "SystemExit: bye"),
        (f"{MISH}\n@extend.activation('relu')\ndef mine(): pass\n", 9, "the name 'relu' for an activation"),
        ("from bottleneck_lab import extend\nextend.activation('Relu')", 2, "'Relu' cannot name"),
    ],
)
def test_a_file_that_fails_is_named_with_the_line_and_has_added_nothing(write, text, line, said):
    file = write(text)
    sentence = refusal(file)
    assert sentence.startswith(f"{file}, line {line}: {said}")
    assert extend.ACTIVATIONS.added == {}
    assert extend.included() == ()
    file.write_text(MISH)
    extend.include_all([file])
    assert "mish" in extend.ACTIVATIONS


def test_a_mistake_in_a_module_that_a_file_imports_is_found_at_the_import(write, monkeypatch):
    write("x = (\n", "imported_by_mine.py")
    file = write("import os\nimport imported_by_mine\n")
    monkeypatch.syspath_prepend(file.parent)
    assert refusal(file).startswith(f"{file}, line 2: SyntaxError: ")


def test_a_name_taken_by_another_file_is_refused_with_both_files(write):
    first, second = write(), write(name="other.py")
    extend.include([first])
    sentence = refusal(second)
    assert sentence.startswith(f"{second}, line 5: the name 'mish'")
    assert f"taken by {first}" in sentence


# Installed packages


@pytest.fixture
def installed(write, monkeypatch):
    """Makes a module look like the entry point of an installed package."""

    def installed(text):
        file = write(text, "an_installed_package.py")
        monkeypatch.syspath_prepend(file.parent)
        monkeypatch.delitem(sys.modules, "an_installed_package", raising=False)
        monkeypatch.setattr(including, "_entry_points_loaded", False)
        point = EntryPoint("mine", "an_installed_package", "bottleneck_lab")
        monkeypatch.setattr(
            importlib.metadata, "entry_points", lambda group: [point] if group == "bottleneck_lab" else []
        )
        return file

    return installed


def test_an_installed_package_adds_by_its_entry_point_without_being_asked(installed):
    file = installed(MISH)
    extend.include_all([])
    extend.include_all([])
    assert extend.ACTIVATIONS.added["mish"].origin == str(file)
    assert extend.included() == ()  # other processes have it by themselves


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (MISH.replace("mish", "relu"), "the name 'relu' for an activation is taken by the project"),
    ],
)
def test_an_installed_package_that_cannot_be_loaded_is_named(installed, text, said):
    installed(text)
    sentence = refusal()
    assert "the installed package 'an_installed_package' (entry point 'mine') cannot be loaded" in sentence
    assert said in sentence


# What lies beside a file

COMMON = "SLOPE = 0.2\n"
ACTS = """
from torch import nn
from bottleneck_lab import extend
from {sibling} import SLOPE
extend.activation("{name}")(lambda: nn.LeakyReLU(SLOPE))
"""


def test_a_file_imports_what_lies_beside_it_and_leaves_the_name_to_others(write):
    write(COMMON, "_common.py")
    write("(", "._mine.py")
    acts = write(ACTS.format(sibling="_common", name="lrelu2"), "acts.py")
    extend.include([acts.parent])
    assert extend.included() == (acts,)
    assert extend.ACTIVATIONS["lrelu2"]().negative_slope == 0.2
    assert "_common" not in sys.modules


def test_two_folders_may_have_a_file_of_one_name(write):
    for folder, slope in (("one", 0.2), ("two", 0.3)):
        write(f"SLOPE = {slope}\n", f"{folder}/shared_slope.py")
        extend.include([write(ACTS.format(sibling="shared_slope", name=folder), f"{folder}/acts.py")])
    assert [extend.ACTIVATIONS[name]().negative_slope for name in ("one", "two")] == [0.2, 0.3]


def test_an_addition_is_another_one_when_a_file_beside_it_changes(write):
    digests = []
    for folder, slope in (("one", 0.2), ("two", 0.2), ("three", 0.3)):
        write(f"SLOPE = {slope}\n", f"{folder}/_common.py")
        extend.include([write(ACTS.format(sibling="_common", name="lrelu"), f"{folder}/acts.py")])
        digests.append(extend.ACTIVATIONS.added.pop("lrelu").digest)
    assert digests[0] == digests[1] != digests[2]


def test_what_needs_no_file_beside_it_is_known_by_its_own_content_alone(write):
    write(COMMON, "_common.py")
    file = write()
    extend.include([file])
    assert extend.ACTIVATIONS.added["mish"].digest == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("names", [("acts.py", "base.py"), ("base.py", "zacts.py")])
def test_a_file_that_another_one_imports_adds_only_once(write, names):
    acts = next(name for name in names if "acts" in name)
    write(f"{COMMON}{MISH}", "base.py")
    folder = write(ACTS.format(sibling="base", name="lrelu2"), acts).parent
    extend.include([folder])
    assert {"mish", "lrelu2"} <= extend.ACTIVATIONS.added.keys()
    assert set(extend.files_of(extend.included()[0])) <= set(names)


def test_what_is_imported_at_second_hand_counts_for_every_file(write):
    digests = []
    for folder, slope in (("one", 0.2), ("two", 0.3)):
        write(f"SLOPE = {slope}\n", f"{folder}/_deep.py")
        write("from _deep import SLOPE\n", f"{folder}/_common.py")
        for name in ("first", "second"):
            file = write(ACTS.format(sibling="_common", name=name), f"{folder}/{name}.py")
            extend.include([file])
        digests.append([extend.ACTIVATIONS.added.pop(name).digest for name in ("first", "second")])
    assert all(one != other for one, other in zip(*digests, strict=True))


def test_a_name_of_the_standard_library_stays_that(write):
    write("raise RuntimeError", "colorsys.py")
    extend.include([write(f"import colorsys\n{MISH}\ncolorsys.rgb_to_hsv(0, 0, 0)\n")])
    assert "mish" in extend.ACTIVATIONS
