import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottleneck_lab.records import files
from bottleneck_lab.training import Checkpoint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_what_is_written_as_json_is_read_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a" / "b.json"
    files.write_json(path, value)
    assert files.read_json(path) == value


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_numbers_json_has_no_word_for_become_null(tmp_path, odd):
    files.write_json(tmp_path / "a.json", {"x": [1.0, odd]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1.0, None]}


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}{', "\x00\xff"])
def test_a_damaged_file_reads_as_nothing(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert files.read_json(tmp_path / "a.json") is None


def test_lines_are_read_back_and_a_torn_line_makes_the_file_unreadable(tmp_path):
    path = tmp_path / "a.jsonl"
    files.write_json_lines(path, [{"epoch": 1}, {"epoch": 2}])
    assert files.read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]
    path.write_text(path.read_text()[:-4])
    assert files.read_json_lines(path) == []


def test_an_array_needs_no_pickle_to_be_read(tmp_path):
    files.write_array(tmp_path / "a.npy", np.arange(5, dtype=np.uint8))
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_writer_that_is_killed_leaves_all_or_nothing(tmp_path):
    """A process writes the same file over and over; whenever it is killed, the file is whole."""
    path = tmp_path / "a.json"
    script = f"""
        from pathlib import Path
        from bottleneck_lab.records import files
        print("ready", flush=True)
        while True:
            files.write_json(Path({str(path)!r}), list(range(20_000)))
    """
    for delay in (0.02, 0.05, 0.08):
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        while not path.exists():
            pass
        try:
            writer.wait(delay)
        except subprocess.TimeoutExpired:
            os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert files.read_json(path) == list(range(20_000))


def test_what_cannot_be_written_whole_leaves_nothing_behind(tmp_path, monkeypatch):
    def fill(path, content):
        with path.open("wb") as stream:
            stream.write(content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.write_bytes(tmp_path / "result.json", b"before")
    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(tmp_path / "result.json", b"after")
    with pytest.raises(OSError, match="No space left"):
        Checkpoint(tmp_path / "job.pt").save({"runs": []}, now=True)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_text() == "before"


@pytest.mark.parametrize("windows", [True, False])
def test_a_file_that_somebody_reads_is_replaced_a_moment_later_where_windows_forbids_it(
    tmp_path, monkeypatch, windows
):
    refusals = iter([PermissionError("in use by another process")] * 2)
    replace = Path.replace

    def forbid(part, path):
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", forbid)
    monkeypatch.setattr(files, "_WINDOWS", windows)
    monkeypatch.setattr(files, "_SECONDS_BETWEEN_TRIES", 0.001)
    path = tmp_path / "result.json"
    if windows:
        files.write_bytes(path, b"whole")
        assert path.read_bytes() == b"whole"
    else:
        with pytest.raises(PermissionError):
            files.write_bytes(path, b"whole")
    assert [each.name for each in tmp_path.iterdir()] == (["result.json"] if windows else [])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_a_killed_process_has_half_written_is_swept_away_and_nothing_else(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from bottleneck_lab.records import files
from bottleneck_lab.training import Checkpoint
Path.replace = lambda *to: os.kill(os.getpid(), signal.SIGKILL)
files.write_text(Path(sys.argv[1]), "half")
"""
    places = [
        tmp_path / "plan.json",
        tmp_path / "runs" / "0f" / "result.json",
        tmp_path / "checkpoints" / "j.json",
    ]
    for place in places:
        subprocess.run([sys.executable, "-c", program, place], check=False)
    killed = sorted(tmp_path.rglob(".*.part"))
    assert len(killed) == 3
    living = killed[0].with_name(re.sub(r"\d+\.part$", f"{os.getpid()}.part", killed[0].name))
    elsewhere = tmp_path / ".plan.json.node7.1.part"
    yesterday = tmp_path / ".plan.json.node8.1.part"
    for other in (living, elsewhere, yesterday, tmp_path / "mine.part"):
        other.touch()
    os.utime(yesterday, (0, 0))
    files.sweep(tmp_path)
    assert sorted(tmp_path.rglob("*.part")) == sorted([living, elsewhere, tmp_path / "mine.part"])
