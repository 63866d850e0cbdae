"""Inputs as they come from slips, other programs and broken disks: experiment files, options, results.

Whatever is made here is made by a `random.Random`, so that a failure can be made again from its number.
"""

import copy
import json
import random
import shutil
import zipfile
from pathlib import Path

# What stands in a file where something else was meant.
EXTREMES = [
    "0", "-1", "1", "2", "1.5", "-0.0", "1e308", "1e-308", "inf", "-inf", "nan", "9" * 25, "9" * 5000,
    "0x" + "f" * 4000, str(2**31), str(2**63 - 1), str(-(2**63)), "true", '""', '" "', '"x"',
    '"' + "y" * 70_000 + '"',
    "[]", "{}", "[[]]", "[1, 2]", "[1, [2, {a = 3}]]", "{a = 1}", "[" * 60 + "]" * 60,
    "[" * 3000 + "]" * 3000,
    "{a = " * 70 + "1" + "}" * 70, "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"$x^2$"', '"\\u0000"',
    '"\\u202e"', '"../../etc"', '"=1+1"', '"<script>"', "'\\input{x}'", '"cifar10"', '"relu6"', '"linear"',
    "'''\nseveral\nlines'''", '"ü, ö"', '"a, b"', "1_000", "1e3", "-9223372036854775809",
]  # fmt: skip

_NAMES = [
    "",
    " ",
    "x",
    "ü",
    "a, b",
    "=1",
    "$x$",
    "__proto__",
    "[key]",
    "spiral",
    "model",
    "y" * 300,
    "\u202e",
]


class Bare(str):
    """A value as it stands in TOML, whatever it is."""


def value_in_toml(value):
    """A value as TOML has it; one that is `Bare` as it is."""
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key)} = {value_in_toml(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(value_in_toml, value)) + "]"
    return json.dumps(value)


def as_toml(tree):
    """A table as a TOML file."""
    return "".join(f"{json.dumps(key)} = {value_in_toml(value)}\n" for key, value in tree.items())


def places(tree):
    """Every table or list in a tree with each of its keys."""
    found, left = [], [tree]
    while left:
        inside = left.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        for key in keys:
            found.append((inside, key))
            if isinstance(inside[key], dict | list):
                left.append(inside[key])
    return found


def mutate(chance, tree, extremes):
    """Change a tree in one place: another value, or one dropped, nested, grown, copied, renamed, swapped."""
    inside, key = chance.choice(places(tree))
    kind = chance.randrange(14)
    if kind <= 2:
        inside[key] = chance.choice(extremes)
    elif kind == 3:
        del inside[key]
    elif kind == 4:
        for _ in range(chance.choice([1, 3, 40])):
            inside[key] = {"a": inside[key]} if chance.random() < 0.5 else [inside[key]]
    elif kind == 5:
        count = chance.choice([2, 20, 500])
        if isinstance(inside, dict):
            inside.update({f"{key}{number}": copy.deepcopy(inside[key]) for number in range(count)})
        else:
            inside.extend(copy.deepcopy([inside[key]] * count))
    elif kind == 6 and isinstance(inside, dict):
        inside[chance.choice([*_NAMES, f"{key}s", str(key)[:-1]])] = inside.pop(key)
    elif kind >= 8 and not isinstance(inside[key], dict | list):
        inside[key] = _near(chance, inside[key])
    else:
        other, place = chance.choice(places(tree))
        inside[key], other[place] = copy.deepcopy(other[place]), copy.deepcopy(inside[key])


def _near(chance, value):
    """A value that somebody may well have meant."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return chance.choice([value + 1, 2 * value, value / 2, -value, type(value)(value / 3)])
    return chance.choice(["linear", "relu", "relu6", "silu", "none", "sandglass", "constant", f"{value}s"])


def experiment_file(chance, tree):
    """The bytes of an experiment file that was changed in one to three places, or as text."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice([1, 1, 2, 3])):
        if tree:
            mutate(chance, tree, [Bare(text) for text in EXTREMES])
    content = as_toml(tree).encode(errors="replace")
    return spoilt(chance, content) if chance.random() < 0.05 else content


def spoilt(chance, content):
    """Bytes that were cut, or have some that are others, doubled or foreign."""
    at = chance.randrange(len(content) + 1)
    return chance.choice(
        [
            content[:at],
            content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :],
            content[:at] + content[at // 2 :],
            content[:at] + b"\x00\xff\xfe" + content[at:],
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r\n"),
            b"",
        ]
    )


_LONG = "x" * 70_000
_VALUES = {
    "seeds": [
        "1", "0", "-1", "5-3", "1-" + "9" * 30, "9" * 5000, "2,2", "a", "", " ", "1e3", "\uff13", "\xb2",
        "0-9999", "1-2-3", "1.5", "10001", "0-10000,5",
    ],
    "set": [
        "train.epochs=2", "train.epochs=" + "9" * 5000, "train.epochs=" + "[" * 3000,
        "a" + ".a" * 2000 + "=1", "=", "train", "train.learning_rate=1e400", "train.learning_rate=-0.0",
        "model.width=x", "train.\ud800=1", "train.epochs=3\nx=4",
        "train.optimizer=\x00", "data.noise=" + _LONG, "train={epochs = 3}",
        "spiral.train.epochs=2", "train.epochs=nan", "train.warmup_epochs=" + "9" * 400, "seed=3",
    ],
    "engine-option": [
        "cpus=1", "cpus=" + "9" * 5000, "cpus=x", "=", "cpus", "memory=4G", "time=1:00", "per_gpu=0", _LONG,
        "a=\x00", "cpus=-1", "cpus=1e400", "gpus=\ud800", "memory=" + "9" * 400 + "G",
    ],
    "address": ["", "auto", "ray://", "ray://x:99999999", "\x00", "http://[", _LONG, "ray://localhost:-1"],
    "path": [
        "", ".", "/", "/dev/null", "/proc/self/mem", "x" * 300, "x/" * 3000, "~nouser/x", "~", "\x00",
        "\ud800", "a\nb", "no/such", "/root/../etc",
    ],
}  # fmt: skip
_ENGINES = ["local", "slurm", "ray", "none", "", "x" * 5000]


def options(chance, name):
    """The words of one option with a value that may be anything; `name` without its dashes."""
    value = chance.choice(_VALUES.get(name, _VALUES["path"]))
    words = [f"--{name}={value}"]
    if name in ("engine-option", "address"):
        words.append(f"--engine={chance.choice(_ENGINES)}")
    return words


OPTIONS = ("seeds", "set", "engine-option", "address", "include", "data-dir", "out")

JSON_EXTREMES = [
    None, True, 0, -1, 1.5, 1e308, -1e308, 10**25, "", "x", _LONG, [], {}, [[]], [1, "a"], {"a": 1}, 2**63,
    float("nan"), float("inf"), "\x00", "\ud800", "$x$", "<script>", "../../x", 1e-320,
]  # fmt: skip


def damage(chance, folder, count):
    """Damage so many files of a folder of results; returns their paths."""
    paths = chance.sample(sorted(path for path in folder.rglob("*") if path.is_file()), count)
    for path in paths:
        _damage(chance, folder, path)
    return paths


def _damage(chance, folder, path):
    kind = chance.randrange(10)
    if kind == 0:
        path.unlink()
    elif kind == 1:
        path.unlink()
        chance.choice([path.mkdir, lambda: path.symlink_to(path), lambda: path.symlink_to("/dev/null")])()
    elif kind == 2:
        others = sorted(each for each in folder.rglob("*") if each.is_file() and each != path)
        shutil.copy(chance.choice(others), path)
    elif kind <= 6 and path.suffix == ".json":
        _damage_json(chance, path)
    elif kind <= 6 and path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        lines[chance.randrange(len(lines))] = json.dumps(chance.choice(JSON_EXTREMES))
        path.write_text("\n".join(lines))
    elif kind <= 6 and path.suffix == ".zip":
        _damage_zip(chance, path)
    elif kind == 7:
        path.write_bytes(b"[" * 100_000)
    else:
        path.write_bytes(spoilt(chance, path.read_bytes()))


def _damage_json(chance, path):
    tree = json.loads(path.read_bytes())
    for _ in range(chance.choice([1, 2])):
        if places(tree):
            mutate(chance, tree, JSON_EXTREMES)
    try:
        path.write_text(json.dumps(tree))
    except RecursionError:
        path.write_text("{")


def _damage_zip(chance, path):
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    ways = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
    spoil = chance.choice(sorted(contents))
    with zipfile.ZipFile(path, "w", chance.choice(ways)) as archive:
        for name, content in contents.items():
            archive.writestr(name, spoilt(chance, content) if name == spoil else content)
    if chance.random() < 0.5:
        path.write_bytes(spoilt(chance, path.read_bytes()))


def copied(source, target):
    """A fresh copy of a folder."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))


def randoms(number):
    """The chance that belongs to a number."""
    return random.Random(number)
