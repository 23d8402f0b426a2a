"""Property tests: a few inputs in `make test`, thousands in `make test-all`, the same ones every time."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

QUICK = 50


def inputs(many: int) -> pytest.MarkDecorator:
    """Run a test with `examples` = `QUICK`, and in a slow twin with `examples` = `many`."""
    return pytest.mark.parametrize("examples", [QUICK, pytest.param(many, marks=pytest.mark.slow)])


def for_all(examples: int, *drawn: SearchStrategy) -> Callable[[Callable[..., None]], None]:
    """Call the function below it, at once, with so many drawn inputs; a failure is shrunk and shown."""
    repeatable = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    return lambda check: repeatable(given(*drawn)(check))()
