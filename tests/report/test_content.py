"""What a report says, before any template: references, sentences, and the size of the page."""

from types import SimpleNamespace

import pytest
from findings_by_hand import a_claim, a_variant

from bottleneck_lab.records import files
from bottleneck_lab.report.document import Content, Picture, Section
from bottleneck_lab.report.findings.headline import headline_claims
from bottleneck_lab.report.findings.references import reference_of
from bottleneck_lab.report.sections.provenance import PAPER
from bottleneck_lab.report.sentences.numbers import seeds as fmt_seeds
from bottleneck_lab.report.sentences.verdicts import answer, headline
from bottleneck_lab.report.write import write_report
from bottleneck_lab.report.writers.html import Drawing, report_page


def variants():
    return [
        a_variant(name=f"{projection}, {width}", levels={"projection": projection, "width": width})
        for projection in ("relu", "linear")
        for width in ("d=2", "d=32")
    ]


def names_of_references(contrasts):
    return [reference_of(variant, variants(), contrasts).name for variant in variants()]


def test_a_variant_is_compared_with_the_one_that_differs_in_what_the_claims_ask_about():
    contrasts = [{"linear, d=2": 1, "relu, d=2": -1}]
    assert names_of_references(contrasts) == ["linear, d=2", "linear, d=32"] * 2


def test_without_claims_all_are_compared_with_the_first():
    assert names_of_references([]) == ["relu, d=2"] * 4


def test_a_difference_is_the_claims_turned_round_with_its_verdict(leave_runs, planned_before):
    # Differences of 0.02, 0.03, 0.04: mean 3 points, half an interval of t(2) * 1 / sqrt(3) = 2.48 points;
    # p = 0.035 (two degrees of freedom), alone in its family since nothing else was measured.
    def result(run):
        better = run.variant == "t=2, bottlenecks"
        return {"accuracy": 0.5 + (0.02 + run.seed / 100 if better else 0.0)}

    text = write_report(planned_before(leave_runs(result)))[0].read_text()
    row = next(line for line in text.splitlines() if line.startswith("| t=2, nowhere |"))
    assert "| -3.0 [-5.5, -0.5] | t=2, bottlenecks | **supported** |" in row


def claim(**changes):
    found = {
        "statement": "It is so.",
        "verdict": "supported",
        "estimate": 0.03,
        "ci_low": 0.01,
        "ci_high": 0.05,
    }
    return a_claim(**{**found, **changes})


def test_one_of_a_thing_is_not_spoken_of_as_many():
    assert answer([claim()]) == "The one claim is supported."
    assert answer([claim(), claim()]) == "Of 2 claims: 2 supported."
    assert headline(claim()) == "It is so: supported, +3.0 points [+1.0, +5.0] on digits (95 % over 3 seeds)."
    alone = claim(n_seeds=1, ci_low=None, ci_high=None, verdict="inconclusive")
    assert headline(alone) == "It is so: inconclusive, +3.0 points on digits (one seed)."
    assert headline(claim(estimate=None)).endswith("no seed on digits has both sides.")


def test_neighbouring_seeds_are_a_range():
    assert fmt_seeds([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


def svg(size):
    head = '<?xml version="1.0"?><svg width="72pt" height="36pt" viewBox="0 0 72 36">'
    return (head + f'<g id="a"/><use href="#a"/><path d="M {"1.234567 " * size}"/></svg>').encode()


@pytest.mark.parametrize(("largest", "kept"), [(3_000_000, ["small", "large"]), (100_000, ["small"])])
def test_a_page_that_would_be_too_large_links_to_its_largest_figure(largest, kept):
    pictures = (Picture("small", "S", "s"), Picture("large", "L", "l"))
    said = Content("n", "quick", "q?", (), (Section("f", "F", pictures),))
    page = report_page(said, {"small": Drawing(svg(10)), "large": Drawing(svg(50_000))}, largest)
    assert len(page.encode()) <= largest
    assert [stem for stem in ("small", "large") if f'href="{stem}.svg"' not in page] == kept
    assert 'width="96" height="48"' in page  # 72 points are 96 pixels of CSS
    assert 'id="figure0-a"' in page
    assert 'href="#figure0-a"' in page
    assert "1.234567" not in page


def test_drawings_for_phones_are_left_out_first():
    pictures = (Picture("small", "S", "s"), Picture("large", "L", "l"))
    said = Content("n", "quick", "q?", (), (Section("f", "F", pictures),))
    drawings = {"small": Drawing(svg(10)), "large": Drawing(svg(5_000))}
    whole = report_page(said, drawings, on_phones=drawings)
    assert all(f'id="{prefix}{place}-a"' in whole for prefix in ("figure", "phone") for place in (0, 1))
    page = report_page(said, drawings, len(whole.encode()) - 1, drawings)
    assert [place for place in (0, 1) if f'id="phone{place}-a"' in page] == [0]
    assert all(f'id="figure{place}-a"' in page for place in (0, 1))


def test_the_three_dresses_say_the_same_numbers(leave_runs):
    folder = leave_runs(lambda run: {"accuracy": 0.6123 + run.seed / 100})
    write_report(folder)
    for name in ("report.md", "report.html", "report.tex"):
        text = (folder / name).read_text().replace("{[}", "[").replace("{]}", "]").replace("\\%", "%")
        assert "62.2 %" in text, name
        assert "[59.7, 64.7]" in text, name  # 62.23 -+ t(2) * 1 / sqrt(3)


def test_what_may_change_is_marked_in_all_three(leave_runs):
    folder = leave_runs(lambda run: {"status": "failed"} if run.seed == 0 else {})
    write_report(folder)
    assert "75.0 %\\*" in (folder / "report.md").read_text()
    assert '75.0 %<abbr class="open" title="may change">*</abbr>' in (folder / "report.html").read_text()
    assert r"75.0 \%\textasteriskcentered{}" in (folder / "report.tex").read_text()


def test_strays_are_named_in_the_report(leave_runs):
    folder = leave_runs()
    (folder / "runs" / "not a run").mkdir()
    files.write_text(folder / "runs" / "not a run" / "x.txt", "x")
    _, summary = write_report(folder)
    assert summary.strays
    for name in ("report.md", "report.html", "report.tex"):
        assert "What was left out" in (folder / name).read_text()


def test_the_paper_is_cited_as_it_was_published():
    assert "Sandler, Mark and Howard, Andrew and Zhu, Menglong" in PAPER
    assert "1801.04381" in PAPER


def test_the_answer_is_what_the_experiment_marks_and_of_images_rather_than_points():
    def plan(*marked):
        claims = [SimpleNamespace(id=name, headline=name in marked) for name in ("first", "second", "toy")]
        return SimpleNamespace(
            datasets=["spiral", "cifar10"],
            draws_points=lambda dataset: dataset == "spiral",
            ablation=SimpleNamespace(parts={"all": SimpleNamespace(claims=claims)}),
        )

    toy = a_claim(id="toy", dataset="spiral")
    first, second = (a_claim(id=name, dataset="cifar10") for name in ("first", "second"))
    assert headline_claims(plan(), [toy, first, second]) == [first]
    assert headline_claims(plan("second"), [toy, first, second]) == [second]
    assert headline_claims(plan("second", "first"), [toy, first, second]) == [first, second]
    assert headline_claims(plan("second"), [toy]) == [toy]
    assert headline_claims(plan("second"), []) == []
