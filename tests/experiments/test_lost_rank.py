"""A process that dies or hangs is named, and the others end, in a bounded time and not with success."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from tests.processes import ROOT

PATIENCE = 45
"""Seconds that processes wait for one another in these runs; the second one needs some to start."""


def start(config, how, command="fit"):
    """Begin a run of two processes as Lightning starts them; it has its own experiment folder."""
    model = ["--model=tests.experiments.dummy.Fragile", f"--model.how={how}", f"--experiment={how}"]
    several = ["--trainer.strategy=ddp", "--trainer.devices=2", f"--patience={PATIENCE}"]
    numbers = ["--data.n=40", "--run=one", "--trainer.max_epochs=3"]
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", command, f"--config={config}", *model, *numbers, *several],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process, config, how):
    """Its status, what it printed and the run's folder."""
    said, _ = process.communicate(timeout=180)
    return process.returncode, said, config.parent / "runs" / how / "one"


def check(status, said, folder):
    assert status not in (0, None), said
    assert re.search(r"process 1 (of 2 )?\(pid \d+", said), said
    assert not (folder / "metrics.json").exists() and not list(folder.glob(".*.tmp"))
    record = json.loads((folder / "status.json").read_text())
    assert record["state"] == "failed" and "process 1" in record["message"]


def nobody_left(said):
    (pid,) = {int(pid) for pid in re.findall(r"pid (\d+)", said)}
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.1)
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_dead_rank_is_named(config, command):
    status, said, folder = end(start(config, "die", command), config, "die")
    check(status, said, folder)
    assert "killed by SIGKILL" in said and nobody_left(said)


@pytest.mark.slow
def test_a_hanging_rank_is_named(config):
    reasons = {"hang": "lives but did not come", "stop": "no sign of life"}
    runs = {how: start(config, how) for how in reasons}  # both wait for most of their time
    for how, why in reasons.items():
        status, said, folder = end(runs[how], config, how)
        check(status, said, folder)
        assert why in said and "--resume" in said and nobody_left(said)
