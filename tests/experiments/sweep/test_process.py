import json
import os
import sys
import time
from dataclasses import replace

import pytest

from experiments.sweep.process import Process, trial_name
from requery.lock import acquire, release

PRINT = (
    "import os, sys; print(*sys.argv[1:], os.environ['OMP_NUM_THREADS']); print('error: no', file=sys.stderr)"
)


@pytest.fixture
def process(tmp_path, sweep, monkeypatch):
    """A trial whose command only prints its arguments."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    made = Process(sweep, 7, {"model.init_args.lr": 0.5}, tmp_path / "runs" / "small", 3)
    made.folder.parent.mkdir(parents=True)
    assert made.command[:4] == [sys.executable, "-m", "experiments", "fit"]
    made.command[:4] = [sys.executable, "-c", PRINT]
    return made


def end(process):
    for _ in range(1000):
        status = process.poll()
        if status is not None:
            return status
        time.sleep(0.02)
    raise AssertionError("it does not end")


def test_a_trial_is_a_command_with_its_settings_in_its_folder(process, tmp_path):
    assert trial_name(7) == "trial-007" and end(process) == 0
    given = f"--config=a.yaml --model.init_args.lr=0.5 --experiment=small --runs_root={tmp_path / 'runs'}"
    assert process.log.read_text().splitlines() == [f"{given} --run=trial-007 3", "error: no"] or (
        sorted(process.log.read_text().splitlines()) == sorted([f"{given} --run=trial-007 3", "error: no"])
    )
    assert process.reason(2) == "no"


def test_a_run_that_has_begun_goes_on(process):
    process.folder.mkdir()
    (process.folder / "config.yaml").touch()
    assert end(process) == 0 and "--resume=trial-007 3" in process.log.read_text()


def test_a_run_that_has_finished_is_not_run_again(process):
    process.folder.mkdir()
    (process.folder / "status.json").write_text(json.dumps({"state": "finished"}))
    assert process.poll() == 0 and not process.log.exists()


def test_a_run_that_a_killed_sweep_left_at_work_is_waited_for(process):
    process.folder.mkdir()
    ready, done = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        acquire(process.folder)
        os.write(ready[1], b".")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert process.poll() is None and process.poll() is None and not process.log.exists()
    os.write(done[1], b".")
    os.waitpid(child, 0)
    assert end(process) == 0 and process.log.exists()


def test_a_trial_belongs_to_one_process(process, sweep, tmp_path):
    assert process.reserve()
    twin = Process(replace(sweep), 7, {}, process.folder.parent, 1)
    assert not twin.reserve()
    process.release()
    assert twin.reserve()
    release(twin.folder, twin.folder.with_name(".trial-007.lock"))


def test_a_run_is_asked_to_stop(process):
    process.command[:] = [sys.executable, "-c", "import time; time.sleep(60)"]
    process.stop()  # it has not begun
    assert process.poll() is None
    process.stop()
    process.wait()
    assert process.poll() == -15
