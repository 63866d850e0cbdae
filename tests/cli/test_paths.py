"""Whatever lies at a path that a user names, or surrounds a command: a sentence, and no traceback."""

import errno
import os
import pty
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from bottleneck_lab.api.session.session import default_workers
from bottleneck_lab.cli import app
from bottleneck_lab.errors import LabError, writing
from bottleneck_lab.records.results.folders import result_folders
from bottleneck_lab.report.findings.comparison import compare

LONG = "x" * 300  # no file system has such names
LAB = [sys.executable, "-c", "from bottleneck_lab.cli import main; main()"]


def lab(*arguments, cwd, **environment):
    return subprocess.run(
        [*LAB, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("data", "find"), {"BOTTLENECK_LAB_DATA": f"/{LONG}"}),
        (("run", "--list", "--include", LONG), {}),
        (("status", "--out", LONG), {}),
        (("explore", "--out", f"{LONG}.html"), {}),
    ],
)
def test_a_name_that_no_file_system_takes_gets_a_sentence(tmp_path, arguments, environment):
    done = lab(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert LONG in done.stderr.replace("\n", "")


def test_what_must_not_be_read_is_passed_over_and_said_or_refused(tmp_path):
    (tmp_path / "results" / "a" / "smoke").mkdir(parents=True)
    (tmp_path / "results" / "a" / "smoke" / "plan.json").write_text("{}")
    closed = tmp_path / "results" / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("who runs this may read everything")
    try:
        refused = []
        assert result_folders(tmp_path / "results", refused) == [tmp_path / "results" / "a" / "smoke"]
        assert refused == [f"{closed}: passed over, since it cannot be looked into (Permission denied)"]
        with pytest.raises(LabError, match=r"closed: cannot be looked into \(Permission denied\)"):
            result_folders(closed)
    finally:
        closed.chmod(0o700)


def test_results_behind_a_link_are_found_by_every_command(digits_results, tmp_path):
    shutil.copytree(digits_results, tmp_path / "elsewhere" / "smoke")
    out = tmp_path / "results"
    out.mkdir()
    (out / "tiny").symlink_to(tmp_path / "elsewhere")
    (out / "circle").symlink_to(out)
    assert result_folders(out) == [out / "tiny" / "smoke"]
    status = CliRunner().invoke(app, ["status", "--out", str(out)], catch_exceptions=False)
    assert "tiny/smoke: 4 done" in status.output
    report = CliRunner().invoke(app, ["report", str(out)], catch_exceptions=False)
    assert "4 done" in report.output
    assert (out / "tiny" / "smoke" / "report.md").exists()
    [both] = compare(out, out).comparisons
    assert both.name == "tiny/smoke"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EACCES, "get the right to it"),
        (errno.EROFS, "nothing can be written there"),
        (errno.ENOLCK, "this file system has no locks"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "see to the disk"),
    ],
)
def test_the_advice_fits_what_the_file_system_has_said(tmp_path, number, remedy):
    with (
        pytest.raises(LabError) as refused,
        writing(tmp_path, "what is finished is kept: {remedy}, and start again"),
    ):
        raise OSError(number, os.strerror(number))
    said = str(refused.value)
    assert said.startswith(
        f"{tmp_path}: cannot be written to ({os.strerror(number)}); what is finished is kept: "
    )
    assert remedy in said
    assert ("make room" in said) == (number in (errno.ENOSPC, errno.EDQUOT))


@pytest.mark.parametrize("value", ["", "many", "1.5"])
def test_a_number_of_processors_that_is_none_gets_a_sentence(monkeypatch, value):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", value)
    with pytest.raises(LabError, match=r"LOKY_MAX_CPU_COUNT=.*: give a whole number above 0"):
        default_workers("cpu", 1)


@pytest.mark.parametrize("columns", ["0", "7"])
def test_a_terminal_without_a_width_has_80_columns(tmp_path, columns):
    done = lab("list", cwd=tmp_path, COLUMNS=columns)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) > 40


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_so_has_one_that_says_0(tmp_path):
    ours, theirs = pty.openpty()  # which has no size
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with os.fdopen(ours, "rb"):
        done = subprocess.run([*LAB, "list"], stdout=theirs, cwd=tmp_path, env=environment, timeout=300)
        os.close(theirs)
    assert done.returncode == 0


def test_an_experiment_may_begin_with_a_byte_order_mark(mini):
    mini.write_bytes(b"\xef\xbb\xbf" + mini.read_bytes())
    done = CliRunner().invoke(app, ["describe", str(mini)], catch_exceptions=False)
    assert "Does the mini ablation run?" in done.output


@pytest.mark.parametrize("name", [b"m\xff.toml", b"m\x1b[31m.toml"])
def test_a_file_name_that_is_no_text_gets_a_sentence(mini, name):
    path = os.fsdecode(os.path.join(os.fsencode(mini.parent), name))
    shutil.copy(mini, path)
    done = CliRunner().invoke(app, ["describe", path])
    assert isinstance(done.exception, LabError)
    assert "an ablation is named by its file, and this is no plain text; rename it" in str(done.exception)
