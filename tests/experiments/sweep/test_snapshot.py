import json

import pytest
from optuna.trial import TrialState

from experiments.report.trials import read_trials
from experiments.sweep.importances import importances
from experiments.sweep.sampling import propose
from experiments.sweep.snapshot import known_mark, write_snapshot

LR = "model.init_args.lr"


def fill(study, sweep, n, value, prune=False):
    for _ in range(n):
        trial = propose(study, sweep, 0)
        worth = value(trial.user_attrs["settings"])
        if prune and trial.number % 2:
            trial.report(worth, 1)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, worth)
    return study


@pytest.mark.parametrize("goal", ["maximize", "minimize"])
def test_what_decides_is_important(study, sweep, goal):
    sign = 1 if goal == "maximize" else -1
    made = fill(study(), sweep, 60, lambda given: sign * given[LR])
    found = importances(made.trials, goal)
    assert next(iter(found)) == LR and found[LR] > 0.7 and sum(found.values()) == pytest.approx(1)
    made = fill(study(), sweep, 60, lambda given: sign * given["model.init_args.knob"], prune=True)
    found = importances(made.trials, goal)
    assert next(iter(found)) == "model.init_args.knob" and "data.init_args.n" not in found


def test_nothing_is_said_of_few_trials_or_equal_ones(study, sweep):
    assert importances(fill(study(), sweep, 9, lambda given: given[LR]).trials, "maximize") is None
    assert importances(fill(study(), sweep, 20, lambda given: 0.5).trials, "maximize") is None


def test_the_folder_has_what_the_study_has(study, sweep, tmp_path):
    assert known_mark(tmp_path) is None
    made = fill(study(), sweep, 2, lambda given: given[LR])
    made.set_user_attr("mark", "ab")
    failed = propose(made, sweep, 0)
    failed.set_user_attr("reason", "no memory")
    made.tell(failed, state=TrialState.FAIL)
    propose(made, sweep, 0)
    made.ask()
    write_snapshot(tmp_path, sweep, made)
    found = read_trials(tmp_path)
    assert [trial.state for trial in found.trials] == ["finished", "finished", "failed", "running", "running"]
    assert found.trials[0].value == made.trials[0].value == found.trials[0].settings[LR]
    assert found.trials[2].reason == "no memory" and found.trials[4].settings == {}
    assert known_mark(tmp_path) == "ab" and found.importances is None
    assert json.loads((tmp_path / "sweep.json").read_text())["fixed"] == ["--config=a.yaml"]
