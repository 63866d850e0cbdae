"""Figures are drawn to files whatever matplotlib is told from outside, and what hinders it shows at once."""

import os
import subprocess
import sys

RUN = [sys.executable, "-c", "from bottleneck_lab.cli import run_ablation; run_ablation()"]


def run(mini, **environment):
    return subprocess.run(
        [*RUN, str(mini), "--tier", "smoke", "--dataset", "spiral", "--workers", "1"],
        cwd=mini.parent,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def test_the_backend_that_a_notebook_hands_to_its_children_does_not_matter(mini):
    done = run(mini, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert done.returncode == 0, done.stderr
    assert (mini.parent / "results" / "mini" / "smoke" / "accuracy-spiral.png").exists()


def test_a_damaged_matplotlibrc_gets_a_sentence_before_anything_is_trained(mini):
    (mini.parent / "matplotlibrc").write_bytes(b"font.size: \xff\xfe")
    done = run(mini)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error: matplotlib cannot draw here" in done.stderr
    assert "mend or remove your matplotlibrc" in done.stderr
    assert not (mini.parent / "results").exists()
