import json
import math
from pathlib import Path

import pytest

from requery.errors import ConfigError
from requery.schedules import cosine_per_epoch, definition_epochs, definition_period

OFFICIAL = json.loads((Path(__file__).parents[1] / "fixtures/qure/schedule.json").read_text())


@pytest.mark.parametrize("name", ["fashioniq", "cirr"])
def test_parity_with_the_official_code(name):
    case = OFFICIAL[name]
    rates = [cosine_per_epoch(e, case["epochs"], case["init_lr"]) for e in range(case["epochs"])]
    assert rates == pytest.approx(case["lr"], rel=1e-12)
    assert definition_epochs(case["epochs"], case["n_def"]) == case["definition_epochs"]
    assert list(range(definition_period(case["epochs"], case["n_def"]))) == case["warmup_epochs"]


@pytest.mark.parametrize("name", sorted(OFFICIAL["other"]))
def test_definition_epochs_of_other_settings(name):
    epochs, n_def = name[1:].split("_n")  # E30_n5
    assert definition_epochs(int(epochs), int(n_def)) == OFFICIAL["other"][name]


def test_cosine_falls_from_the_rate_towards_its_floor():
    rates = [cosine_per_epoch(e, 10, 1.0, floor=0.2) for e in range(10)]
    assert rates[0] == 1.0 and rates == sorted(rates, reverse=True) and rates[-1] > 0.2
    assert cosine_per_epoch(5, 10, 1.0, floor=0.2) == pytest.approx(0.6)
    assert math.isclose(cosine_per_epoch(10, 10, 1.0, floor=0.2), 0.2)


@pytest.mark.parametrize("n_def", [0, -1, 11])
def test_impossible_numbers_of_definitions(n_def):
    with pytest.raises(ConfigError, match="n_def"):
        definition_epochs(10, n_def)
