"""How much each setting of a sweep decides whether a trial is among the best."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

FEWEST, BEST = 10, 5
"""Trials with a value below which nothing is said, and how many the best ones are at least."""


def importances(trials: Sequence[FrozenTrial], goal: str) -> dict[str, float] | None:
    """Shares that sum to 1, largest first; None where trials are too few or all alike.

    PED-ANOVA (Watanabe et al., IJCAI 2023, arXiv 2304.10255): how far the values that the best tenth of the
    trials took (at least `BEST` of them, as Optuna advises) lie from those that all trials took. So pruned
    trials count: that they are not among the best is why they were stopped.

    Args:
        trials: of the sweep.
        goal: `maximize` or `minimize`.
    """
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED) and t.value is not None]
    if len(ended) < FEWEST or len({trial.value for trial in ended}) < 2:
        return None
    study = optuna.create_study(direction=goal)
    study.add_trials(
        [create_trial(params=t.params, distributions=t.distributions, value=t.value) for t in ended]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, BEST / len(ended)))
    return get_param_importances(study, evaluator=evaluator)
