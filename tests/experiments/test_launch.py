"""Processes that a cluster starts share one run folder."""

import json

import pytest

from experiments.launch import by_cluster, is_follower, job_name
from requery.errors import ConfigError
from tests.processes import group


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SLURM_JOB_ID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "follower", "cluster"),
    [
        ({}, False, False),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, True, False),  # Lightning's own child
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, True, False),
        ({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}, False, True),
        ({"RANK": "2", "LOCAL_RANK": "0", "WORLD_SIZE": "4"}, True, True),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, True, True),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, False, False),
    ],
)
def test_who_started_a_process(monkeypatch, given, follower, cluster):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert is_follower() is follower and by_cluster() is cluster


def test_a_job_gives_the_run_its_name(monkeypatch):
    with pytest.raises(ConfigError, match="--run NAME"):
        job_name()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(ConfigError, match="--run NAME"):
        job_name()
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    assert job_name() == "slurm-123"


def test_processes_of_a_cluster_share_a_run(config, tmp_path):
    codes = group(["fit", f"--config={config}"], 2, tmp_path, tmp_path / "log", job="7")
    assert codes == [0, 0], "".join(path.read_text() for path in tmp_path.glob("log.*"))
    (run,) = (tmp_path / "runs" / "toy").glob("[!.]*")
    assert run.name == "torchrun-7"
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
