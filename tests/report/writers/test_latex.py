"""`report.tex`: whatever stands in an experiment file, pdflatex prints it and runs none of it."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.records import files
from bottleneck_lab.report.write import write_report
from bottleneck_lab.report.writers.latex import escape

PDFLATEX = shutil.which("pdflatex")
NASTY = r"100 % of $x_1^2 & #1 {~} \input{/etc/passwd} <a|b> \end{document} `q' \"u\" -- é ü θ 漢 \\"


@given(st.text())
def test_nothing_in_a_text_is_a_command(text):
    escaped = escape(text)
    bare = re.sub(r"\\(text[a-z]+|dots|allowbreak)\{\}|\\ensuremath\{(-|\\[a-z]+)\}|\\[{}$&#%_]", "", escaped)
    bare = bare.replace("{[}", "").replace("{]}", "").replace("{-}", "")
    assert not set(bare) & set("\\{}$&#%_^")
    assert all(0x20 <= ord(c) < 0x100 for c in bare if c not in " ~")


def test_a_character_without_a_glyph_is_named_and_not_lost():
    assert escape("θ") == "{[}U+03B8{]}"
    assert escape("é") == "é"


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
def test_pdflatex_sets_the_report_within_the_page(leave_runs):
    folder = leave_runs()
    plan = files.read_json(folder / "plan.json")
    plan["ablation"]["question"] = NASTY
    plan["ablation"]["parts"]["images"]["claims"][0]["statement"] = NASTY
    files.write_json(folder / "plan.json", plan)
    write_report(folder)
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    log = ran.stdout.decode("latin-1")
    assert ran.returncode == 0, log[-2000:]
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(too_wide, default=0.0) < 1  # points: a third of a millimetre
