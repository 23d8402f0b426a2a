import subprocess
from datetime import datetime

import torch

from requery.environment import environment, git_state, hardware, packages


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


def test_git_commit_and_dirtiness(tmp_path):
    git(tmp_path, "init")
    assert git_state(tmp_path) == {"commit": None, "dirty": False}
    (tmp_path / "a").write_text("1")
    assert git_state(tmp_path)["dirty"]
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40 and not state["dirty"]
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {"commit": state["commit"], "dirty": True}


def test_no_repository_or_no_git_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    git(tmp_path, "init")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_environment_has_the_contract_keys():
    record = environment({"train": "abc"}, seed=3)
    assert list(record) == ["command", "started", "python", "packages", "git", "hardware", "data", "seed"]
    assert record["data"] == {"train": "abc"} and record["seed"] == 3 and isinstance(record["command"], list)
    assert datetime.fromisoformat(record["started"]).tzinfo is not None
    assert (
        packages()["torch"] == torch.__version__.partition("+")[0] or packages()["torch"] == torch.__version__
    )
    found = hardware()
    assert found["cpu"] and found["cores"] >= 1 and found["memory_bytes"] > 2**28
    assert len(found["gpus"]) == torch.cuda.device_count()
