"""Whatever is in a file or an option, a command ends with an exit code and a sentence, and soon."""

import contextlib

import pytest
from commands import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from subjects import QUICK, SMALL, damaged_results, experiments, overrides_kept

from bottleneck_lab.errors import LabError

numbers = st.integers(0, 2**32)
once = settings(suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        made = tmp_path_factory.mktemp("mutated")
        patch.chdir(made)
        yield made


@pytest.fixture(scope="module")
def plan(folder):
    return experiments(folder, only_small=True)


@pytest.fixture(scope="module")
def read(folder):
    return damaged_results(folder, reading=QUICK, of_published=("verify-figures", "compare"))


def check(words, ended, silent):
    assert ended.traceback is None, (words, ended.traceback)
    assert ended.code in (0, 1, 2), (words, ended.said)
    assert ended.code == 0 or ended.said.strip(), words
    assert ended.seconds < 30, words  # 5 on a machine that does nothing else
    assert silent is None, (words, silent)


@settings(once, max_examples=100)
@given(numbers)
def test_a_mutated_experiment_file_is_planned_as_it_says_or_refused_in_a_sentence(plan, number):
    check(*plan(number))


@settings(once, max_examples=30)
@given(numbers)
def test_damaged_results_are_named_and_nothing_falls_over_them(read, number):
    check(*read(number))


@settings(once, max_examples=100)
@given(st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,3}){1,2}", fullmatch=True), st.text(max_size=20))
def test_what_an_override_says_is_kept_or_refused(key, text):
    with contextlib.suppress(LabError):
        assert overrides_kept(f"{key}={text}")


@pytest.mark.parametrize("option", ["--out", "--data-dir", "--include"])
@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000, "~nouser/x", "a\x00b", "\udcff", "/dev/null"])
def test_a_path_that_cannot_be_one_ends_in_no_traceback(folder, plan, option, path):
    (folder / "mine.toml").write_text(SMALL)
    ended = call("run-ablation", "mine.toml", "--tier=smoke", "--dry-run", f"{option}={path}")
    check([option, path], ended, None)
