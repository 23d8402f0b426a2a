import optuna
import pytest

from experiments.sweep.file import Halving, Sweep
from experiments.sweep.parameter import Parameter

PARAMETERS = (
    Parameter("model.init_args.lr", (), 1e-4, 1.0, log=True),
    Parameter("model.init_args.knob", (1, 2, 3)),
    Parameter("data.init_args.n", (6,)),
)


@pytest.fixture
def sweep():
    """A random sweep of fits, stopped early after epochs 1, 2, 4."""
    return Sweep(
        "small", "random", "val/a@1", "maximize", "fit", ("--config=a.yaml",), PARAMETERS, Halving(1, 2)
    )


@pytest.fixture
def study():
    """Makes a study in memory."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return lambda **given: optuna.create_study(direction="maximize", **given)
