"""Where a result comes from: this code's own commit, whatever the environment says of git."""

import subprocess
from pathlib import Path

import pytest

import bottleneck_lab
from bottleneck_lab.records import provenance

CHECKOUT = Path(bottleneck_lab.__file__).parents[1]


@pytest.fixture
def other(tmp_path):
    """The folder of another repository, with one commit."""
    commit = ["-c", "user.name=n", "-c", "user.email=e@e", "commit", "--allow-empty", "-qm", "other"]
    for arguments in (["init", "-q"], commit):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, timeout=60)
    return tmp_path


@pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="not a checkout")
@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_the_commit_is_that_of_this_code_wherever_git_is_told_to_look(other, monkeypatch, variable):
    own = provenance._commit()
    assert own is not None
    leads = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}
    monkeypatch.setenv(variable, str(other / leads.get(variable, ".")))
    assert provenance._commit() == own
