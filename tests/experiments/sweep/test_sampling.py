from dataclasses import replace
from itertools import product

import optuna
import pytest
from optuna.trial import TrialState

from experiments.sweep.parameter import Parameter
from experiments.sweep.sampling import propose, pruner

GRID = (Parameter("a", (1, 2, 3)), Parameter("b", ("x", "y")), Parameter("c", (), 5, 6, whole=True))


def settings(study, sweep, seed, n, value=None):
    found = []
    for _ in range(n):
        trial = propose(study, sweep, seed)
        found.append(trial.user_attrs["settings"])
        if value is not None:
            study.tell(trial, value(found[-1]))
    return found


def test_random_settings_depend_on_seed_and_number_alone(study, sweep):
    whole, begun = settings(study(), sweep, 1, 5), study()
    assert settings(begun, sweep, 1, 2, value=lambda _: 0.5) + settings(begun, sweep, 1, 3) == whole
    assert settings(study(), sweep, 2, 5) != whole
    assert len({given["model.init_args.lr"] for given in whole}) == 5
    assert all(1e-4 <= given["model.init_args.lr"] <= 1 and given["data.init_args.n"] == 6 for given in whole)


def test_a_grid_is_walked_once(study, sweep):
    sweep = replace(sweep, method="grid", parameters=GRID)
    found = settings(study(), sweep, 0, 12, value=lambda _: 1.0)
    assert {tuple(given.values()) for given in found} == set(product((1, 2, 3), "xy", (5, 6)))


def test_bayes_learns_from_what_was_told(study, sweep):
    sweep = replace(sweep, method="bayes")
    told = settings(study(), sweep, 0, 30, value=lambda given: -abs(given["model.init_args.lr"] - 0.01))
    blind = settings(study(), replace(sweep, method="random"), 0, 30)
    far = [abs(given["model.init_args.lr"] - 0.01) for given in told[15:]]
    assert sorted(far)[7] < sorted(abs(given["model.init_args.lr"] - 0.01) for given in blind[15:])[7]
    assert settings(study(), sweep, 0, 30, lambda given: -abs(given["model.init_args.lr"] - 0.01)) == told


def test_the_study_keeps_its_own_sampler(study, sweep):
    made = study()
    before = made.sampler
    propose(made, sweep, 0)
    assert made.sampler is before


def test_a_proposal_that_was_cut_short_is_ended(study, sweep):
    made = study()
    cut = made.ask()
    trial = propose(made, sweep, 0, begun=cut._trial_id)
    assert trial.number == 0 and len(made.trials) == 1
    assert trial.user_attrs["settings"].keys() == {p.name for p in sweep.parameters}


@pytest.mark.parametrize("worse", [1, 2])
def test_all_but_the_best_half_are_stopped_at_each_band(study, sweep, worse):
    made = study(pruner=pruner(sweep))
    for value in (0.5, 0.6):
        good = made.ask()
        for band in (1, 2):
            good.report(value, band)
            good.should_prune()  # or others are not compared with it
        made.tell(good, value)
    trial = made.ask()
    trial.report(0.1 if worse == 1 else 0.9, 1)
    assert trial.should_prune() is (worse == 1)
    if worse == 2:
        trial.report(0.1, 2)
        assert trial.should_prune()


def test_without_early_termination_nothing_is_stopped(study, sweep):
    assert isinstance(pruner(replace(sweep, halving=None)), optuna.pruners.NopPruner)
    made = study(pruner=pruner(replace(sweep, halving=None)))
    for value in (0.9, 0.1):
        trial = made.ask()
        trial.report(value, 1)
        assert not trial.should_prune()
    assert [t.state for t in made.trials] == [TrialState.RUNNING] * 2
