"""A process that dies or hangs is named, and the others end, in a bounded time and not with success."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from tests.processes import ROOT

PATIENCE = 25
"""Seconds that processes wait for one another in these runs; the second one needs some to start."""


def run(config, how, command="fit"):
    """Run two processes as Lightning starts them; the status, what was printed and the run's folder."""
    model = ["--model=tests.experiments.dummy.Fragile", f"--model.how={how}"]
    several = ["--trainer.strategy=ddp", "--trainer.devices=2", f"--patience={PATIENCE}"]
    numbers = ["--data.n=40", "--run=one", "--trainer.max_epochs=3"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", command, f"--config={config}", *model, *numbers, *several],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stdout + done.stderr, config.parent / "runs" / "toy" / "one"


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
def test_a_dead_rank_is_named(config):
    status, said, folder = run(config, "die")
    check(status, said, folder)
    assert "killed by SIGKILL" in said and nobody_left(said)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "why"), [("hang", "lives but did not come"), ("stop", "no sign of life")])
def test_a_hanging_rank_is_named(config, how, why):
    status, said, folder = run(config, how)
    check(status, said, folder)
    assert why in said and "--resume" in said and nobody_left(said)


@pytest.mark.slow
def test_a_rank_that_dies_in_a_test_leaves_no_metrics(config):
    status, said, folder = run(config, "die", "test")
    check(status, said, folder)
