"""Who works on which trial, and what becomes of it; the runs are made up."""

import json
import os
import signal
from dataclasses import replace
from typing import ClassVar

import pytest
from optuna.trial import TrialState

from experiments.report.trials import read_trials
from experiments.sweep import board as module
from experiments.sweep.board import Board
from experiments.sweep.process import STOPPED, Process
from experiments.sweep.run import work_on
from experiments.sweep.sampling import propose
from experiments.sweep.storage import open_storage, open_study


class Run(Process):
    """A trial whose run is what the test says, epoch by epoch."""

    scripts: ClassVar = {}

    def __init__(self, sweep, number, *args):
        super().__init__(sweep, number, *args)
        self.script, self.epochs, self.stopped = self.scripts.get(number, (0.5, 0.6)), [], False

    def poll(self):
        if self.stopped:
            return STOPPED
        if len(self.epochs) == len(self.script):
            return 0
        after = self.script[len(self.epochs)]
        if isinstance(after, str):
            self.folder.mkdir(exist_ok=True)
            self.log.write_text(f"error: {after}\n")
            return 2
        self.epochs.append(after)
        self.folder.mkdir(exist_ok=True)
        rows = [json.dumps({"epoch": i, "val/a@1": value}) for i, value in enumerate(self.epochs)]
        (self.folder / "history.jsonl").write_text("\n".join(rows) + "\n")
        return None

    @property
    def started(self):
        return bool(self.epochs)

    def stop(self):
        self.stopped = True

    def wait(self):
        assert self.stopped


@pytest.fixture
def made(tmp_path, sweep, monkeypatch):
    """Makes the board of a process that works on the sweep."""
    monkeypatch.setattr(module, "Process", Run)
    monkeypatch.setattr("experiments.sweep.run.PAUSE", 0.0)
    monkeypatch.setattr("experiments.sweep.run.LOOK", 0.0)
    monkeypatch.setattr(Run, "scripts", {})
    mark = []

    def make(total=3, jobs=2, of=sweep):
        storage = open_storage(f"journal:{tmp_path}/study.journal")
        study = open_study(storage, of, 0, tmp_path, mark[0] if mark else None)
        mark[:] = [study.user_attrs["mark"]]
        return Board(of, study, tmp_path, 0, total, jobs)

    return make


def states(board):
    return [trial.state for trial in board.study.trials]


def test_trials_are_run_until_there_are_enough(made, tmp_path, capsys):
    Run.scripts = {1: (0.7, 0.8), 2: (0.9, 0.2)}
    work_on(made(3))
    found = read_trials(tmp_path)
    assert [(trial.number, trial.state, trial.value) for trial in found.trials] == [
        (0, "finished", 0.6),
        (1, "finished", 0.8),
        (2, "finished", 0.9),
    ]
    assert "trial-002: finished, val/a@1 0.9" in capsys.readouterr().out
    work_on(made(3))
    assert len(made(3).study.trials) == 3
    work_on(made(4))
    assert len(made(3).study.trials) == 4


def test_a_trial_that_falls_behind_is_stopped(made, tmp_path):
    Run.scripts = {0: (0.5, 0.6, 0.7), 1: (0.6, 0.7, 0.8), 2: (0.1, 0.9, 0.9)}
    board = made(3, jobs=1)
    work_on(board)
    assert states(board) == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    last = read_trials(tmp_path).trials[2]
    assert (last.state, last.value, last.epochs) == ("pruned", 0.1, 1)


def test_a_failed_trial_says_why_and_the_others_go_on(made, tmp_path, capsys):
    Run.scripts = {0: ("window is 0",), 1: (0.3, "out of memory")}
    board = made(3)
    work_on(board)
    assert states(board) == [TrialState.FAIL, TrialState.FAIL, TrialState.COMPLETE]
    assert [trial.reason for trial in read_trials(tmp_path).trials] == ["window is 0", "out of memory", None]
    assert "trial-000: failed, window is 0" in capsys.readouterr().out


def test_a_run_without_the_metric_has_failed(made, tmp_path, sweep):
    work_on(made(1, of=replace(sweep, metric="val/b@1")))
    assert "has no val/b@1; it has epoch, val/a@1" in read_trials(tmp_path).trials[0].reason


def test_two_processes_share_the_trials(made):
    first, second = made(2), made(2)
    one = first.next(())
    assert one.number == 0
    other = second.next(())
    assert other.number == 1 and first.next({0}) is None
    one.process.release()  # as the kernel does when its process dies
    assert second.next({1}).number == 0


def test_a_trial_that_ends_while_another_process_looks_is_left_alone(made, monkeypatch):
    first, second = made(1), made(1)
    work = first.next(())
    stale, read = second.study.get_trials(), second.study.get_trials
    answers = [stale]
    while first.advance(work) is None:
        pass
    monkeypatch.setattr(second.study, "get_trials", lambda **how: answers.pop() if answers else read(**how))
    assert second.next(()) is None and not answers


def test_an_abandoned_trial_goes_on_with_its_settings(made):
    board = made(2)
    work = board.next(())
    settings = work.trial.user_attrs["settings"]
    assert board.advance(work) is None and board.advance(work) is None
    work.process.release()
    later = made(2).next(())
    assert later.number == 0 and later.trial.user_attrs["settings"] == settings and later.told == {1, 2}
    assert f"--model.init_args.lr={settings['model.init_args.lr']}" in later.process.command


def test_a_trial_whose_proposal_was_cut_short_is_completed(made):
    board = made(1)
    board.study.ask()
    work = board.next(())
    assert work.number == 0 and work.trial.user_attrs["settings"]["data.init_args.n"] == 6


def test_a_trial_that_was_to_stop_when_the_sweep_was_killed_is_pruned(made, tmp_path):
    board = made(1)
    trial = propose(board.study, board.sweep, 0)
    trial.report(0.1, 1)
    trial.set_user_attr("pruned", 1)
    Run.scripts = {0: (0.1,) * 9}
    work_on(board)
    assert states(board) == [TrialState.PRUNED]


def test_whatever_ends_the_sweep_stops_its_trials(made, monkeypatch):
    stopped = []
    monkeypatch.setattr(Run, "stop", lambda run: stopped.append(run.name))
    monkeypatch.setattr(Run, "wait", lambda run: None)

    def end(board, work):
        raise KeyboardInterrupt

    monkeypatch.setattr(Board, "advance", end)
    board = made(3)
    with pytest.raises(KeyboardInterrupt):
        work_on(board)
    assert stopped == ["trial-000", "trial-001"] and states(board) == [TrialState.RUNNING] * 2


def test_sigterm_ends_the_sweep_as_an_interruption_does(made, monkeypatch, capsys):
    stopped = []
    monkeypatch.setattr(Run, "stop", lambda run: stopped.append(run.name))
    monkeypatch.setattr(Run, "wait", lambda run: None)
    monkeypatch.setattr(Board, "advance", lambda board, work: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        work_on(made(1))
    assert ended.value.code == 143 and stopped == ["trial-000"]
    assert "the same command goes on" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before
