"""Optuna's samplers and pruner for a sweep, and what a trial is proposed."""

from __future__ import annotations

import warnings

from optuna import Study, Trial
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler

from experiments.sweep.file import Sweep
from experiments.sweep.parameter import Parameter, Scalar
from requery.rng import draws

STARTUP = 5
"""Random trials before the first that learns from others: sweeps here are small (Optuna: 10)."""
SETTINGS = "settings"
"""The trial's attribute with all its settings, constants too."""


def pruner(sweep: Sweep) -> BasePruner:
    """W&B's `hyperband`, which is one bracket of successive halving without waiting for others."""
    if sweep.halving is None:
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=sweep.halving.first, reduction_factor=sweep.halving.eta)


def propose(study: Study, sweep: Sweep, seed: int, begun: int | None = None) -> Trial:
    """Begin a trial; its settings depend on the seed, its number and, under `bayes`, the trials known so far.

    The caller takes care that no other process proposes one meanwhile.

    Args:
        study: of the sweep.
        sweep: the sweep.
        seed: of its samplers.
        begun: storage's number of a trial whose proposal a kill cut short, to be ended; None for a new one.
    """
    usual, trials = study.sampler, study.get_trials(deepcopy=False)
    number = next((trial.number for trial in trials if trial._trial_id == begun), len(trials))
    study.sampler = _sampler(sweep, seed, number)
    try:
        trial = study.ask() if begun is None else Trial(study, begun)
        settings = {parameter.name: _suggest(trial, parameter) for parameter in sweep.parameters}
    finally:
        study.sampler = usual
    trial.set_user_attr(SETTINGS, settings)  # last: a trial without them was cut short here
    return trial


def _sampler(sweep: Sweep, seed: int, number: int) -> BaseSampler:
    if sweep.method == "grid":
        return GridSampler({p.name: p.grid or () for p in sweep.parameters if p.varies}, seed)
    own = int(draws(seed, number)) % 2**32
    if sweep.method == "random":
        return RandomSampler(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(n_startup_trials=STARTUP, seed=own, constant_liar=True)  # trials run side by side


def _suggest(trial: Trial, parameter: Parameter) -> Scalar:
    name, low, high = parameter.name, parameter.low, parameter.high
    if not parameter.varies:
        return parameter.values[0]
    if parameter.values:
        chosen: Scalar = trial.suggest_categorical(name, parameter.values)
        return chosen
    if parameter.whole:
        return trial.suggest_int(name, int(low), int(high), step=int(parameter.step or 1))
    return trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log)
