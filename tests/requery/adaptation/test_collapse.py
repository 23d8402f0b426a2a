import pytest
import torch

from requery.adaptation.collapse import Collapse, CollapseMonitor
from requery.errors import ConfigError

SPREAD = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))


def monitor(**settings):
    return CollapseMonitor(Collapse(window=8, **settings))


def test_a_healthy_stream_has_no_reason():
    watch = monitor()
    assert all(watch.reason(SPREAD.roll(i, 0), torch.arange(8)) is None for i in range(3))


def test_queries_that_become_alike():
    watch = monitor()
    assert watch.reason(SPREAD, None) is None
    assert "variance is 1.00%" in watch.reason(SPREAD / 10, None)


def test_one_answer_to_all():
    watch = monitor()
    assert watch.reason(SPREAD, torch.arange(8)) is None
    assert watch.reason(SPREAD[:4], torch.zeros(4, dtype=torch.int64)) is None  # 4 of 8
    assert watch.reason(SPREAD[4:6], torch.zeros(2, dtype=torch.int64)) == (
        "6 of 8 queries have the same nearest item"
    )


def test_hubs_of_the_source_model_are_no_collapse():
    watch = monitor()
    hub = torch.tensor([0, 0, 0, 0, 0, 1, 2, 3])
    assert watch.reason(SPREAD, hub) is None
    assert watch.reason(SPREAD, hub) is None


def test_nothing_is_said_before_the_window_is_full():
    watch = monitor()
    assert watch.reason(SPREAD[:4] / 100, torch.zeros(4, dtype=torch.int64)) is None


def test_embeddings_that_are_not_finite():
    assert monitor().reason(torch.tensor([[torch.nan]]), None) == "embeddings are not finite"


def test_it_can_be_restored():
    watch, copy = monitor(), monitor()
    watch.reason(SPREAD, torch.arange(8))
    copy.load_state_dict(watch.state_dict())
    assert copy.reason(SPREAD / 10, None) == watch.reason(SPREAD / 10, None) is not None


@pytest.mark.parametrize("wrong", [{"variance": 2.0}, {"share": 0.0}, {"window": 1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match="must lie"):
        Collapse(**wrong)
