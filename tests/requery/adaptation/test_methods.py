import pytest

from requery.adaptation import EATA, HATVTR, REST, SAR, TCR, DeYO, Tent, TrainingFreeTCR
from requery.errors import ConfigError


def test_the_defaults_are_the_official_ones():
    tcr = TCR()
    assert (tcr.steps, tcr.lr, tcr.weight_decay, tcr.temperature) == (3, 3e-4, 1e-4, 0.02)
    assert (tcr.queue_capacity, tcr.queue_ratio, tcr.queue_updates) == (64, 0.3, 10)
    assert (tcr.uniformity_scale, tcr.score, tcr.deduplicate, tcr.window) == (0.1, "before", False, 0)
    assert Tent().temperature == 0.01
    assert (EATA().margin, EATA().distance, SAR().rho, SAR().reset_below) == (0.4, 0.05, 0.05, 0.2)
    assert HATVTR().lr == 3e-5


def test_the_order_of_the_arguments_begins_with_the_optimizer_s():
    assert TCR(1, 1e-3) == TCR(steps=1, lr=1e-3)


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        (TCR, {"steps": 0}),
        (TCR, {"lr": float("nan")}),
        (TCR, {"temperature": 0.0}),
        (TCR, {"threshold_quantile": 1.5}),
        (TCR, {"refined": "corpus"}),
        (TCR, {"terms": ()}),
        (TCR, {"terms": ("NA",)}),
        (TCR, {"window": -1}),
        (TCR, {"accumulate": 0}),
        (Tent, {"batch_size": 0}),
        (Tent, {"pace": 0.0}),
        (Tent, {"score": "later"}),
        (REST, {"decoupling": "gem"}),
        (DeYO, {"share": 2.0}),
        (TrainingFreeTCR, {"scale": 0.0}),
    ],
)
def test_values_out_of_range_are_refused(method, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        method(**wrong)
