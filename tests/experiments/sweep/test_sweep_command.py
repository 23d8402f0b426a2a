"""The command as a user runs it: killed and started again it ends as the sweep that was never stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from experiments.__main__ import main
from experiments.sweep import command as module
from tests.experiments.restart import prepare

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 240
SWEEP = {
    "command": ["${env}", "python", "-m", "experiments", "fit", "--config=small.yaml", "${args}"],
    "method": "random",
    "metric": {"name": "val/map@10", "goal": "maximize"},
    "parameters": {
        "model.init_args.lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "model.init_args.negatives.per_query": {"values": [1, 2]},
    },
}


def start(folder, *options):
    """Start a sweep of four trials, two side by side, in a process group of its own."""
    (folder / "tune.yaml").write_text(yaml.safe_dump(SWEEP))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "experiments", "sweep", "tune.yaml", "--trials=4", "--jobs=2", *options]
    with open(folder / "log.txt", "ab") as log:
        return subprocess.Popen(line, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)


def finish(folder):
    assert start(folder).wait(PATIENCE) == 0, (folder / "log.txt").read_text()
    return outcome(folder)


def outcome(folder):
    return json.loads((folder / "runs" / "tune" / "sweep.json").read_text())["trials"]


def wait_for_epochs(folder):
    """Until a trial has measured an epoch."""
    end = time.monotonic() + PATIENCE
    while not any((folder / "runs").glob("tune/trial-*/history.jsonl")):
        assert time.monotonic() < end, (folder / "log.txt").read_text()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def place(checkpoints, tmp_path_factory):
    """Makes a folder with the experiment, in which a trial takes some seconds."""

    def make(name):
        folder = prepare(tmp_path_factory.mktemp(name) / "run", checkpoints)
        config = yaml.safe_load((folder / "small.yaml").read_text())
        config["trainer"]["max_epochs"] = 8
        config["monitor"] = "val/map@10"
        (folder / "small.yaml").write_text(yaml.safe_dump(config))
        return folder

    return make


@pytest.fixture(scope="module")
def whole(place):
    return finish(place("whole"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["group", "parent"])
def test_a_killed_sweep_ends_as_the_uninterrupted_one(whole, place, how):
    """SIGKILL to all of it, or to its own process alone, which leaves trials at work."""
    assert [trial["state"] for trial in whole] == ["finished"] * 4
    folder = place(how)
    sweep = start(folder)
    wait_for_epochs(folder)
    (os.killpg if how == "group" else os.kill)(sweep.pid, signal.SIGKILL)
    assert sweep.wait(PATIENCE) == -signal.SIGKILL
    assert {trial["state"] for trial in outcome(folder)} != {"finished"}
    assert finish(folder) == whole
    assert len(list((folder / "runs" / "tune").glob("trial-*/checkpoints/last.ckpt"))) == 4


@pytest.fixture
def tune(tmp_path, config, monkeypatch):
    """A sweep file of the dummy experiment, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    content = {
        **SWEEP,
        "command": ["${env}", "python", "-m", "experiments", "fit", f"--config={config}", "${args}"],
        "metric": {"name": "val/recall@1", "goal": "maximize"},
        "parameters": {"model.init_args.lr": {"min": 0.1, "max": 0.5}},
    }
    path = Path("tune.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def test_how_many_trials_must_be_said(tune, capsys):
    assert main(["sweep", str(tune)]) == 2
    assert "how many trials? give --trials N, or tune.yaml a run_cap" in capsys.readouterr().err


def test_the_file_is_checked_before_anything_is_made(tune, capsys):
    tune.write_text(tune.read_text().replace("init_args.lr", "init_args.rl"))
    assert main(["sweep", str(tune), "--trials=2"]) == 2
    shown = capsys.readouterr().err
    assert "tune.yaml" in shown and "rl" in shown and not Path("runs").exists()


def test_without_optuna_the_extra_is_named(tune, capsys, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert main(["sweep", str(tune), "--trials=2"]) == 2
    assert "a sweep needs Optuna: pip install" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "cap", "expected"), [(None, 7, 7), (3, 7, 3), (None, None, 6), (9, None, 6)]
)
def test_the_number_of_trials(asked, cap, expected, tune):
    content = yaml.safe_load(tune.read_text())
    if cap is None:
        parameters = {"model.init_args.knob": {"min": 1, "max": 6}}
        content |= {"method": "grid", "parameters": parameters}
    tune.write_text(yaml.safe_dump({**content, **({"run_cap": cap} if cap else {})}))
    assert module._total(module.read_sweep(tune), asked, tune) == expected


def test_ctrl_c_is_no_error(tune, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_run", interrupt)
    assert main(["sweep", str(tune), "--trials=2"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_sweep_whose_trials_all_fail_has_status_one(tune, capsys, monkeypatch):
    from experiments.sweep.process import Process

    def poll(process):
        process.log.write_text("error: no memory\n")
        return 2

    monkeypatch.setattr(Process, "poll", poll)
    assert main(["sweep", str(tune), "--trials=2", "--storage=sqlite:///study.db"]) == 1
    shown = capsys.readouterr().out
    assert "trial-001 failed: no memory" in shown and "tune: 2 trials" in shown
    assert main(["sweep", str(tune), "--trials=2"]) == 2
    assert "do not belong together" in capsys.readouterr().err
