"""`sweep.json`: a sweep's trials as its folder has them, for the report and for who comes later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.report.trials import FILE
from experiments.sweep.file import Sweep
from experiments.sweep.importances import importances
from experiments.sweep.sampling import SETTINGS
from requery.formats import read_mapping
from requery.record import RunFolder

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def write_snapshot(folder: Path, sweep: Sweep, study: Study) -> None:
    """Write `sweep.json`, whole or not at all; the caller sees to it that no other process does meanwhile."""
    trials = study.get_trials(deepcopy=False)
    content = {
        "mark": study.user_attrs["mark"],
        **json.loads(json.dumps(sweep.definition())),
        "trials": [_trial(trial) for trial in trials],
        "importances": importances(trials, sweep.goal),
    }
    RunFolder(folder).write_json(FILE, content)


def known_mark(folder: Path) -> str | None:
    """The study whose trials a folder holds; None where there is none yet."""
    path = folder / FILE
    return str(read_mapping(path).get("mark")) if path.exists() else None


def _trial(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": STATES[trial.state],
        "value": trial.value,
        "epochs": max(trial.intermediate_values, default=None),
        "settings": trial.user_attrs.get(SETTINGS, {}),
        "reason": trial.user_attrs.get("reason"),
    }
