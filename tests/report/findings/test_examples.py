"""Intervals over held-out examples, from the answers that runs have left: written by hand, not trained."""

import numpy as np
import pytest

from bottleneck_lab.cli.text import print_answer, print_details
from bottleneck_lab.report.findings.examples import Answers, interval_over_examples
from bottleneck_lab.report.findings.summary import summarise
from bottleneck_lab.report.reading.collect import collect
from bottleneck_lab.report.write import write_report

EXAMPLES = 4000
A, B, C, D = "t=2, bottlenecks", "t=2, nowhere", "t=4, bottlenecks", "t=4, sandglass"


def answers_of(run):
    """Networks that find the same examples hard; each variant and seed is right about others of them."""
    hardness = np.random.default_rng(0).random(EXAMPLES)
    of_its_own = np.random.default_rng([len(run.variant), run.seed]).normal(0, 0.1, EXAMPLES)
    return hardness + of_its_own < {A: 0.8, B: 0.75}.get(run.variant, 0.7)


def over_examples(folder, contrast, seeds=(0, 1, 2)):
    return interval_over_examples(contrast, seeds, Answers(collect(folder), "digits"))


def correct_of(folder, variant):
    results = collect(folder)
    return np.array([results.correct(run) for run in results.of(variant, "digits")])


def claim(folder, name):
    return next(c for c in summarise(collect(folder)).claims if c.id == name)


def test_for_one_seed_it_is_the_interval_of_two_proportions_that_are_paired(leave_runs):
    folder = leave_runs(correct=answers_of)
    a, b = correct_of(folder, A)[0], correct_of(folder, B)[0]
    only_a, only_b = np.mean(a & ~b), np.mean(b & ~a)
    error = np.sqrt((only_a + only_b - (only_a - only_b) ** 2) / EXAMPLES)  # McNemar 1947
    low, high = over_examples(folder, {A: 1, B: -1}, [0])
    assert low == pytest.approx(only_a - only_b - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(only_a - only_b + 1.96 * error, abs=0.15 * error)


def test_for_an_interaction_it_is_the_bootstrap_that_draws_examples_one_by_one(leave_runs):
    folder = leave_runs(correct=answers_of)
    contrast = {A: 1, B: -1, C: -2, D: 2}
    each = sum(weight * correct_of(folder, name).mean(0) for name, weight in contrast.items())
    drawn = np.random.default_rng(1).integers(0, EXAMPLES, (2000, EXAMPLES))
    slow = np.quantile(each[drawn].mean(1), [0.025, 0.975])
    assert over_examples(folder, contrast) == pytest.approx(slow, abs=0.1 * (slow[1] - slow[0]))


def test_networks_that_answer_alike_differ_on_no_examples(leave_runs):
    folder = leave_runs(correct=lambda run: np.arange(100) < 60 + run.seed)
    assert over_examples(folder, {A: 0.5, B: 0.5, C: -1}) == (0, 0)


def test_a_claim_on_accuracy_has_both_intervals_and_the_report_says_what_each_is_over(leave_runs, capsys):
    folder = leave_runs(correct=answers_of)
    path, summary = write_report(folder)
    shortcuts = claim(folder, "shortcuts")
    assert shortcuts.examples_low < shortcuts.estimate < shortcuts.examples_high
    assert claim(folder, "bits").examples_low is None  # not about accuracy
    text = path.read_text()
    interval = f"[{100 * shortcuts.examples_low:+.1f}, {100 * shortcuts.examples_high:+.1f}]"
    assert interval in text
    assert "generalises over repetitions of training on this data" in text
    assert "generalises over held-out examples for these" in text
    print_details(summary)
    print_answer(summary)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"over examples {interval}" in printed
    assert "over held-out examples for these very networks" in printed


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: np.save(path, np.ones(EXAMPLES, bool)),  # is not what the result says
        lambda path: np.save(path, np.ones(EXAMPLES)),
        lambda path: np.save(path, np.ones((2, EXAMPLES), bool)),
        lambda path: np.save(path, np.zeros(0, bool)),
        lambda path: np.save(path, np.array([{}]), allow_pickle=True),
    ],
)
def test_answers_that_are_missing_or_damaged_leave_the_interval_over_seeds(leave_runs, damage):
    folder = leave_runs(correct=answers_of)
    whole = claim(folder, "shortcuts")
    run = collect(folder).of(A, "digits")[0]
    damage(folder / "runs" / run.id / "correct.npy")
    hurt = claim(folder, "shortcuts")
    assert (hurt.examples_low, hurt.examples_high) == (None, None)
    assert hurt.ci_low == whole.ci_low
    write_report(folder)


def test_networks_with_other_examples_make_no_pairs(leave_runs):
    folder = leave_runs(correct=lambda run: np.arange(100 if run.variant == A else 90) % 2 == 0)
    assert over_examples(folder, {A: 1, B: -1}) == (None, None)


def test_the_same_answers_give_the_same_interval(leave_runs):
    folder = leave_runs(correct=answers_of)
    first = claim(folder, "shortcuts")
    assert claim(folder, "shortcuts") == first
